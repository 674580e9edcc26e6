"""What a worker asks of the host that it runs on."""

from __future__ import annotations

import fcntl
import resource
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path


class HostError(Exception):
    """The host does not give it; says why in plain words."""


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
