"""What /proc says of a process and of the machine. Linux only."""

from __future__ import annotations

import os
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

_TICKS: Final = os.sysconf("SC_CLK_TCK")
_GENERATOR_PRIORITY: Final = 10


class TooSmall(Exception):  # noqa: N818 - says what is the matter
    """This machine cannot run the benchmark; says why."""


@dataclass(frozen=True)
class Cores:
    """Where what runs: the measured process alone, all else elsewhere."""

    worker: int
    others: frozenset[int]

    @classmethod
    def choose(cls) -> Cores:
        usable = sorted(os.sched_getaffinity(0))
        if len(usable) < 2:
            raise TooSmall("The benchmark needs two cores: one for the worker, one for the load.")
        return cls(worker=usable[-1], others=frozenset(usable[:-1]))


def go_first() -> str:
    """Ask for the right to run when there is something to send, whoever else wants the core.

    Without it another program's time slice shows as delay. Says what was given.
    """
    with suppress(PermissionError, OSError):
        flags = os.SCHED_FIFO | os.SCHED_RESET_ON_FORK
        os.sched_setscheduler(0, flags, os.sched_param(_GENERATOR_PRIORITY))
        return "real time"
    with suppress(PermissionError, OSError):
        os.setpriority(os.PRIO_PROCESS, 0, -20)
        return "nice -20"
    return "none"


def put_first(parent: int, nice: int) -> None:
    """Let what this process started go before other programs, with all its threads.

    Nothing where that is not allowed.
    """
    for child in _read(f"/proc/{parent}/task/{parent}/children").split():
        for thread in Path(f"/proc/{child}/task").iterdir():
            with suppress(PermissionError, ProcessLookupError):
                number = int(thread.name)
                now = os.getpriority(os.PRIO_PROCESS, number)
                os.setpriority(os.PRIO_PROCESS, number, now + nice)


def cpu_seconds(pid: int) -> float:
    """User and system time of the process and all its threads (utime + stime of proc(5))."""
    fields = _read(f"/proc/{pid}/stat").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS


def busy_seconds(core: int) -> float:
    """Time of this core that was neither idle nor waiting nor taken by the hypervisor."""
    line = next(line for line in _read("/proc/stat").splitlines() if line.startswith(f"cpu{core} "))
    user, nice, system, _idle, _wait, hard, soft, *_ = (int(word) for word in line.split()[1:])
    return (user + nice + system + hard + soft) / _TICKS


def stolen_seconds() -> float:
    """Time that the hypervisor gave to others, over all cores."""
    return int(_read("/proc/stat").split("\n", 1)[0].split()[8]) / _TICKS


def memory_kb(pid: int) -> int:
    """Proportional set size: private memory and our share of what others use too."""
    for line in _read(f"/proc/{pid}/smaps_rollup").splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1])
    return 0


def open_files(pid: int) -> int:
    return len(list(Path(f"/proc/{pid}/fd").iterdir()))


def udp_ports(pid: int) -> set[int]:
    """Local UDP ports of the process."""
    inodes = set()
    for file in Path(f"/proc/{pid}/fd").iterdir():
        with suppress(OSError):
            target = str(file.readlink())
            if target.startswith("socket:["):
                inodes.add(target[8:-1])
    rows = [line.split() for line in _read(f"/proc/{pid}/net/udp").splitlines()[1:]]
    return {int(row[1].partition(":")[2], 16) for row in rows if row[9] in inodes}


@dataclass(frozen=True)
class CpuUse:
    """Of one window, in percent of a core."""

    seconds: float
    process: float
    foreign: float
    """What others used of the process's own core."""
    stolen: float


class CpuMeter:
    """Of the process, from the making of the meter to `read`.

    `beside`: processes on its core that are measured too, and are no disturbance.
    """

    def __init__(self, pid: int, core: int, beside: tuple[int, ...] = ()) -> None:
        self._pid, self._core, self._beside = pid, core, beside
        self._start = self._now()

    def read(self) -> CpuUse:
        wall, process, beside, busy, stolen = (
            end - start for start, end in zip(self._start, self._now(), strict=True)
        )
        return CpuUse(
            seconds=wall,
            process=process / wall * 100,
            foreign=max(0.0, busy - process - beside) / wall * 100,
            stolen=stolen / wall * 100,
        )

    def _now(self) -> tuple[float, ...]:
        return (
            time.monotonic(),
            cpu_seconds(self._pid),
            sum(cpu_seconds(pid) for pid in self._beside),
            busy_seconds(self._core),
            stolen_seconds(),
        )


def _read(path: str) -> str:
    return Path(path).read_text()
