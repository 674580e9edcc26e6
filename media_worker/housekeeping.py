"""What ended calls leave behind: a call is one large cycle of objects; only the collector frees it.

Left to itself the collector comes when 70,000 objects wait, some 300 calls with their buffers: tens
of MB that come and go, and one long pause. Here it comes after a few calls; and an idle worker
gives the memory that its busiest hour took back to the system.
"""

from __future__ import annotations

import asyncio
import ctypes
import gc
from collections.abc import Callable
from contextlib import suppress
from typing import Final

CALLS: Final = 32
"""Ended calls that are collected together; it takes some 5 ms."""
LATER_SECONDS: Final = 1.0
"""The last of them is still held by its own task."""
IDLE_SECONDS: Final = 35.0
"""Without a call, before memory is given back: SIP keeps a call's transaction for 32 s (RFC 3261,
timers B and H)."""


class Housekeeping:
    """Make one inside a running event loop. `is_idle`: whether the worker has no call."""

    def __init__(self, is_idle: Callable[[], bool]) -> None:
        self._is_idle = is_idle
        self._ended = 0
        self._timer: asyncio.TimerHandle | None = None

    def call_ended(self) -> None:
        self._ended += 1
        if self._ended >= CALLS:
            self._ended = 0
            asyncio.get_running_loop().call_later(LATER_SECONDS, gc.collect)
        if self._is_idle():
            self.close()
            loop = asyncio.get_running_loop()
            self._timer = loop.call_later(IDLE_SECONDS, self._give_back)

    def close(self) -> None:
        if self._timer is not None:
            self._timer.cancel()

    def _give_back(self) -> None:
        if self._is_idle():
            self._ended = 0
            gc.collect()
            trim()


def trim() -> None:
    """Give what malloc holds free back to the system; nothing where the C library cannot."""
    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).malloc_trim(0)
