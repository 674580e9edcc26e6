"""What the benchmark found, as it is kept in docs/benchmark.json, and its medians."""

from __future__ import annotations

import os
import platform
import statistics
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec

from bench.load import Row


class Machine(msgspec.Struct, frozen=True, kw_only=True):
    date: str
    processor: str
    cores: int
    system: str
    python: str
    sip_build: str
    load_average: float
    """Of the last minute, before the benchmark began."""
    priority: str
    """What the load generator was given."""

    @classmethod
    def here(cls, sip_build: str, priority: str) -> Machine:
        info = Path("/proc/cpuinfo").read_text().splitlines()
        model = next((line.partition(":")[2] for line in info if "model name" in line), "")
        return cls(
            date=datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
            processor=model.strip() or platform.machine(),
            cores=os.cpu_count() or 0,
            system=f"{platform.system()} {platform.release()}",
            python=platform.python_version(),
            sip_build=sip_build,
            load_average=round(os.getloadavg()[0], 2),
            priority=priority,
        )


class Pair(msgspec.Struct, frozen=True, kw_only=True):
    """Two workers on one core at the same moment; the settings differ in one."""

    plain: Row
    beside: Row

    @property
    def ratio(self) -> float:
        """CPU a call, of the changed one to the plain one."""
        return self.beside.cpu_a_call / self.plain.cpu_a_call


class Overload(msgspec.Struct, frozen=True, kw_only=True):
    """The worker at its capacity, and half as many calls again."""

    admitted: Row
    offered: int
    refused_503: int
    with_retry_after: int
    refusal_p50: float
    refusal_p95: float
    refusal_worst: float


class RampStep(msgspec.Struct, frozen=True, kw_only=True):
    rate: float
    """Calls a second."""
    dialled: int
    answered: int
    setup_p50: float
    setup_p95: float


class Vitals(msgspec.Struct, frozen=True, kw_only=True):
    """Of the worker while it has no call."""

    calls_done: int
    memory: float
    """MB"""
    files: int
    udp_ports: int


class Soak(msgspec.Struct, frozen=True, kw_only=True):
    rate: float
    failed: int
    vitals: tuple[Vitals, ...]
    """The first after the warm-up, the last at the end."""


class Promptness(msgspec.Struct, frozen=True, kw_only=True):
    """A time that was taken many times."""

    name: str
    count: int
    p50: float
    p95: float
    worst: float


class Results(msgspec.Struct, kw_only=True):
    machine: Machine
    steps: list[Row] = []
    pairs: list[Pair] = []
    turns: list[Row] = []
    answers: list[Promptness] = []
    steady: list[Row] = []
    overload: list[Overload] = []
    ramp: list[RampStep] = []
    soak: Soak | None = None
    greeting: list[Promptness] = []
    barge_in: list[Promptness] = []
    pixels: list[Promptness] = []

    def merged(self, newer: Results) -> Results:
        """What the newer run measured replaces what was; the rest stays."""
        merged = msgspec.structs.asdict(self)
        for name, value in msgspec.structs.asdict(newer).items():
            if value:
                merged[name] = value
        return Results(**merged)


def median(rows: list[Row]) -> Row:
    """Of several runs of one step, value by value; the doubts of all of them."""
    first = msgspec.structs.asdict(rows[0])
    values: dict[str, Any] = {}
    for name, value in first.items():
        if isinstance(value, float):
            values[name] = statistics.median(getattr(row, name) for row in rows)
    notes = tuple(f"run {at}: {note}" for at, row in enumerate(rows, 1) for note in row.notes)
    answered = min(row.answered for row in rows)
    return msgspec.structs.replace(rows[0], **values, answered=answered, notes=notes)


def by_step(rows: list[Row]) -> dict[tuple[str, int], list[Row]]:
    """The runs of each target and number of calls, in the order of their first run."""
    groups: dict[tuple[str, int], list[Row]] = {}
    for row in rows:
        groups.setdefault((row.target, row.calls), []).append(row)
    return groups


def by_setting(pairs: list[Pair]) -> dict[str, list[Pair]]:
    groups: dict[str, list[Pair]] = {}
    for pair in pairs:
        groups.setdefault(pair.beside.target, []).append(pair)
    return groups
