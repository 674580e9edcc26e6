"""Waiting for what only another process can bring about."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

POLL_SECONDS = 0.05


async def until(condition: Callable[[], object], seconds: float = 60.0) -> None:
    """Return when it is true; AssertionError when it is not in time."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if condition():
            return
        await asyncio.sleep(POLL_SECONDS)
    raise AssertionError(f"not within {seconds:g} s: {condition}")
