"""Ended calls' objects are freed soon, and an idle worker gives memory back."""

from __future__ import annotations

import asyncio
import ctypes
import gc
import weakref
from collections.abc import Iterator
from pathlib import Path

import pytest

from media_worker import housekeeping
from media_worker.housekeeping import Housekeeping, trim

libc = ctypes.CDLL(None)
libc.malloc.restype = ctypes.c_void_p
libc.malloc.argtypes = [ctypes.c_size_t]
libc.free.argtypes = [ctypes.c_void_p]


class Ended:
    """A call as it is left behind: it holds itself."""

    def __init__(self) -> None:
        self.itself = self


@pytest.fixture(autouse=True)
def only_when_asked() -> Iterator[None]:
    gc.disable()
    yield
    gc.enable()


def watched(freed: asyncio.Event) -> None:
    weakref.finalize(Ended(), freed.set)


async def test_ended_calls_are_freed_after_a_few() -> None:
    freed = asyncio.Event()
    watched(freed)
    keeper = Housekeeping(is_idle=lambda: False)
    for _ in range(housekeeping.CALLS):
        keeper.call_ended()

    await asyncio.wait_for(freed.wait(), 30)


async def test_idle_worker_frees_what_the_last_call_left(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(housekeeping, "IDLE_SECONDS", 0.05)
    freed, trimmed = asyncio.Event(), asyncio.Event()
    monkeypatch.setattr(housekeeping, "trim", trimmed.set)
    watched(freed)
    Housekeeping(is_idle=lambda: True).call_ended()

    await asyncio.wait_for(freed.wait(), 30)
    await asyncio.wait_for(trimmed.wait(), 30)


async def test_memory_stays_while_a_new_call_is_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(housekeeping, "IDLE_SECONDS", 0.0)
    looked, trimmed = asyncio.Event(), asyncio.Event()
    monkeypatch.setattr(housekeeping, "trim", trimmed.set)
    answers = iter([True, False])  # idle when the call ended, not when the time was over

    def is_idle() -> bool:
        answer = next(answers)
        if not answer:
            looked.set()
        return answer

    Housekeeping(is_idle=is_idle).call_ended()
    await asyncio.wait_for(looked.wait(), 30)

    assert not trimmed.is_set()


def test_free_memory_goes_back_to_the_system() -> None:
    blocks = [libc.malloc(1000) for _ in range(100_000)]
    for block in blocks:
        ctypes.memset(block, 1, 1000)
    for block in blocks[:-1]:
        libc.free(block)  # the last one keeps the heap's end where it is
    before = resident_bytes()
    trim()
    after = resident_bytes()
    libc.free(blocks[-1])

    assert before - after > 50_000_000


def resident_bytes() -> int:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * 4096
