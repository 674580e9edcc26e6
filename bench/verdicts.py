"""What was to be shown (issue 3), beside what was found. What was not measured has no verdict."""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from bench.load import Row
from bench.results import Pair, Results, Soak, by_setting, by_step, median
from bench.scenarios import CORE_CALLS

RATIOS: Final[dict[str, float]] = {
    "PCM 24 kHz": 1.4,
    "energy VAD": 1.1,
    "WebRTC VAD": 1.1,
    "neural VAD": 1.4,
    "recording": 1.25,
}
"""Most that a setting may cost, as a multiple of PCMU in the same run."""
GROWTH: Final = 1.05
"""Memory at the soak's end, as a multiple of that after its warm-up: what counts as no growth."""
PIXEL_MS: Final = 250.0
"""From a word's event at the worker to the page's picture, p95."""
STEADY_MS: Final = 10
"""What the delay's p99 may differ between the halves of a long window without having grown: the
median of each half's tenths, for a stall of the machine belongs to one tenth, not to the trend."""
CONNECTIONS: Final = 2
"""Idle connections to the web side come and go; more open files than that are a leak."""


@dataclass(frozen=True)
class Verdict:
    what: str
    wanted: str
    found: str
    is_met: bool

    @property
    def word(self) -> str:
        return "yes" if self.is_met else "**no**"


def verdicts(results: Results) -> list[Verdict]:
    return [
        *_of_steps(results.steps),
        *_of_pairs(results.pairs),
        *_of_steady(results.steady),
        *_of_times(results),
        *_of_overload(results),
        *_of_pixels(results),
        *(_of_soak(results.soak) if results.soak else ()),
    ]


def _most(what: str, value: float, limit: float, unit: str, digits: int = 0) -> Verdict:
    found = "nothing" if math.isnan(value) else f"{value:.{digits}f} {unit}".strip()
    return Verdict(what, f"at most {limit:g} {unit}".strip(), found, value <= limit)


def _of_steps(rows: list[Row]) -> Iterator[Verdict]:
    groups = by_step(rows)
    runs, floor = groups.get(("product", CORE_CALLS)), groups.get(("floor", CORE_CALLS))
    if not runs:
        return
    row, name = median(runs), f"{CORE_CALLS} calls"
    if floor:
        ratio = row.cpu_a_call / median(floor).cpu_a_call
        yield _most(f"{name}: CPU against the floor", ratio, 1.25, "times", 2)
    yield _most(f"{name}: CPU a call (aim)", row.cpu_a_call, 0.40, "%", 3)
    yield _most(f"{name}: memory a call", row.memory_a_call, 1.0, "MB", 2)
    worst = max(run.gap_p90 for run in runs)
    yield _most(f"{name}: audible gap p90, worst of {len(runs)} runs", worst, 50, "ms")
    limit = row.chunk + 20
    yield _most(f"{name}: delay caller→provider p95", row.up_p95, limit, "ms")
    yield _most(f"{name}: delay provider→caller p95", row.down_p95, limit, "ms")
    yield _most(f"{name}: late frames", row.late, 0.1, "%", 3)


def _of_pixels(results: Results) -> Iterator[Verdict]:
    """What was wanted of the pages (issue 4): the last stage is the pixel."""
    for time in results.pixels[-1:]:
        yield _most(f"{time.name}, p95", time.p95, PIXEL_MS, "ms")


def _of_pairs(pairs: list[Pair]) -> Iterator[Verdict]:
    groups = by_setting(pairs)
    for name, limit in RATIOS.items():
        if runs := groups.get(name):
            ratio = statistics.median(pair.ratio for pair in runs)
            yield _most(f"{name}: CPU against PCMU at the same moment", ratio, limit, "times", 2)


def _of_steady(rows: list[Row]) -> Iterator[Verdict]:
    for row in rows:
        for way, tenths in (
            ("caller→provider", row.up_p99_tenths),
            ("provider→caller", row.down_p99_tenths),
        ):
            if not tenths:
                continue
            half = len(tenths) // 2
            before, after = statistics.median(tenths[:half]), statistics.median(tenths[half:])
            name = f"{row.seconds:.0f} s: delay {way} p99, second half's median tenth"
            yield _most(name, after, round(before + STEADY_MS), "ms")


def _of_times(results: Results) -> Iterator[Verdict]:
    for time in results.greeting:
        yield _most(f"{time.name}, p95", time.p95, 150, "ms")
    for time in results.barge_in:
        if "VAD's onset" in time.name:
            yield _most(f"{time.name}, p95", time.p95, 60, "ms")


def _of_overload(results: Results) -> Iterator[Verdict]:
    for each in results.overload:
        name = f"{each.admitted.answered} calls and {each.offered} more"
        yield Verdict(
            f"{name}: refused with 503 and Retry-After",
            f"{each.offered}",
            f"{min(each.refused_503, each.with_retry_after)}",
            each.refused_503 == each.with_retry_after == each.offered,
        )
        yield _most(f"{name}: refused within, worst", each.refusal_worst, 20, "ms", 1)
        yield _most(f"{name}: admitted calls' gap p90", each.admitted.gap_p90, 50, "ms")


def _of_soak(soak: Soak) -> Iterator[Verdict]:
    first, last = soak.vitals[0], soak.vitals[-1]
    name = f"{last.calls_done} short calls"
    yield _most(f"{name}: failed", soak.failed, 0, "")
    yield _most(f"{name}: memory", last.memory, round(first.memory * GROWTH, 1), "MB", 1)
    yield _most(f"{name}: open files", last.files, first.files + CONNECTIONS, "")
    yield _most(f"{name}: UDP ports", last.udp_ports, first.udp_ports, "")
