"""What a worker asks of the host that it runs on."""

from __future__ import annotations

import fcntl
import resource
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

MEASURED_SECONDS: Final = 2.0


class HostError(Exception):
    """The host does not give it; says why in plain words."""


class Load:
    """What this process takes of the machine; measured anew at most every few seconds, since
    heartbeats come with each call. `late_frames` counts those of the process."""

    def __init__(self, late_frames: Callable[[], int]) -> None:
        self._count_late = late_frames
        self._wall, self._cpu = time.monotonic(), time.process_time()
        self.cpu_percent = 0.0
        """Of one core, since the time before."""
        self.memory_bytes = resident_bytes()
        self.late_frames = 0

    def measure(self) -> None:
        wall, cpu = time.monotonic(), time.process_time()
        passed = wall - self._wall
        if passed < MEASURED_SECONDS:
            return
        self.cpu_percent = round(100 * (cpu - self._cpu) / passed, 1)
        self._wall, self._cpu = wall, cpu
        self.memory_bytes = resident_bytes()
        self.late_frames = self._count_late()


def resident_bytes() -> int:
    """Memory that this process has; 0 where the system does not say (Linux does)."""
    try:
        pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    except (OSError, ValueError, IndexError):
        return 0
    return pages * resource.getpagesize()


@contextmanager
def only_one(path: Path) -> Iterator[None]:
    """Hold the data folder: two workers must not write into one outbox. Raises HostError."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        lock = path.open("a")
    except OSError as error:
        raise HostError(f"The data folder cannot be used: {error}") from None
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise HostError(
                f"Another media worker runs with the data in {path.parent.parent}."
                " Stop it, or give this one its own PBXAI_DATA."
            ) from None
        yield


def raise_file_limit() -> None:
    """Four sockets a call and more; the soft limit of many systems is 1024."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        with suppress(ValueError, OSError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
