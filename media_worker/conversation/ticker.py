"""One timer for all calls: a wake-up of the event loop a period, not one a frame and call."""

from __future__ import annotations

import asyncio
import heapq
import itertools
from collections.abc import Callable, Coroutine
from time import monotonic
from typing import Any, Final, TypeVar

import structlog

log = structlog.get_logger(__name__)
T = TypeVar("T")

PERIOD_SECONDS: Final = 0.04
"""Audio goes to the provider in chunks of so much; REALTIME.md section 5 asks for 20-100 ms."""


class Ticker:
    """Calls everybody's callback at each tick of an absolute schedule; late ticks do not add up.

    It is a conversation's only clock: deadlines are looked at in ticks, so that a test that drives
    `tick` itself owns the time.
    """

    def __init__(self, period_seconds: float = PERIOD_SECONDS) -> None:
        self._period = period_seconds
        self._callbacks: dict[int, Callable[[], None]] = {}
        self._sleepers: list[tuple[float, int, asyncio.Future[None]]] = []
        self._numbers = itertools.count()
        self._timer: asyncio.TimerHandle | None = None
        self._due = 0.0
        self.late_ticks = 0
        """Ticks that came more than a period late: the loop was busy with something else."""

    def now(self) -> float:
        """Seconds, as `time.monotonic()` counts them."""
        return monotonic()

    def start(self) -> None:
        loop = asyncio.get_running_loop()
        self._due = loop.time() + self._period
        self._timer = loop.call_at(self._due, self._on_time, loop)

    def stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def add(self, callback: Callable[[], None]) -> Callable[[], None]:
        """Have `callback` called at each tick, until the function returned is called."""
        number = next(self._numbers)
        self._callbacks[number] = callback
        return lambda: self._callbacks.pop(number, None) and None

    async def sleep(self, seconds: float) -> None:
        """Until the first tick that is not earlier than `seconds` from now."""
        waker: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        heapq.heappush(self._sleepers, (self.now() + seconds, next(self._numbers), waker))
        await waker

    async def within(self, seconds: float, work: Coroutine[Any, Any, T]) -> T:
        """The result of `work`, which is cancelled and TimeoutError raised when it takes longer."""
        task = asyncio.ensure_future(work)
        timer = asyncio.ensure_future(self.sleep(seconds))
        try:
            await asyncio.wait({task, timer}, return_when=asyncio.FIRST_COMPLETED)
            if not task.done():
                raise TimeoutError
            return task.result()
        finally:
            timer.cancel()
            if task.cancel():
                await asyncio.gather(task, return_exceptions=True)

    def tick(self) -> None:
        """One tick for everybody. A callback that fails does not keep the others from theirs."""
        now = self.now()
        while self._sleepers and self._sleepers[0][0] <= now:
            _, _, waker = heapq.heappop(self._sleepers)
            if not waker.done():
                waker.set_result(None)
        for callback in list(self._callbacks.values()):
            try:
                callback()
            except Exception:
                log.exception("ticker.callback_failed")

    def _on_time(self, loop: asyncio.AbstractEventLoop) -> None:
        self.tick()
        self._due += self._period
        late = loop.time() - self._due
        if late > 0:
            missed = int(late / self._period) + 1
            self.late_ticks += missed
            self._due += missed * self._period
        self._timer = loop.call_at(self._due, self._on_time, loop)
