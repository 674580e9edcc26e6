"""Waiting for the agent to have said all that it had to say."""

from __future__ import annotations

import asyncio
from typing import Final

from media_worker.conversation.ticker import Ticker

LAST_WORDS_SECONDS: Final = 0.3
"""After the last frame went out, until the caller has surely heard it (jitter buffers)."""


class Quiet:
    """`tick` is told whether it is quiet; `wait` returns when it has been so for a moment."""

    def __init__(self, clock: Ticker) -> None:
        self._clock = clock
        self._since: float | None = None
        self._waiters: set[asyncio.Future[None]] = set()

    def tick(self, now: float, *, is_quiet: bool) -> None:
        if not is_quiet:
            self._since = None
        elif self._since is None:
            self._since = now
        elif now - self._since >= LAST_WORDS_SECONDS:
            for waiter in self._waiters:
                if not waiter.done():
                    waiter.set_result(None)

    async def wait(self, seconds: float) -> bool:
        """False when it takes longer than `seconds`."""
        waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiters.add(waiter)
        self._since = None
        try:
            await self._clock.within(seconds, _result(waiter))
        except TimeoutError:
            return False
        finally:
            self._waiters.discard(waiter)
        return True


async def _result(waiter: asyncio.Future[None]) -> None:
    await waiter
