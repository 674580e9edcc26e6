"""One timer for all calls: a wake-up of the event loop a tick, not one a frame and call.

Each call is looked at every n-th tick, and the calls are spread over those n: of 200 calls with
chunks of 100 ms it is the turn of 40 at each.
"""

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

TICK_MS: Final = 20
PERIOD_SECONDS: Final = TICK_MS / 1000
BEHIND_SECONDS: Final = 0.005
"""Ticks come so long after the media thread's: it has moved the frames of all calls by then."""
STEP_SECONDS: Final = 0.0005
"""By so much at most the schedule moves at a tick."""


class _Member:
    """Somebody who is called every n-th tick."""

    __slots__ = ("callback",)

    def __init__(self, callback: Callable[[], None]) -> None:
        self.callback = callback


class _Step:
    """What is done for all calls together every `apart` ticks."""

    __slots__ = ("apart", "callback", "due")

    def __init__(self, callback: Callable[[], None], apart: int) -> None:
        self.callback, self.apart, self.due = callback, apart, 0


class Ticker:
    """Calls each callback on an absolute schedule; late ticks do not add up.

    It is a conversation's only clock: deadlines are looked at in ticks, so that a test that drives
    `tick` itself owns the time.
    """

    def __init__(self, period_seconds: float = PERIOD_SECONDS) -> None:
        self._period = period_seconds
        self._phases: dict[int, list[dict[_Member, None]]] = {}
        """By how many ticks apart: who is due at each of them."""
        self._before: list[_Step] = []
        self._ticks = 0
        self._sleepers: list[tuple[float, int, asyncio.Future[None]]] = []
        self._numbers = itertools.count()
        self._timer: asyncio.TimerHandle | None = None
        self._due = 0.0
        self._media_at = 0.0
        self.late_ticks = 0
        """Ticks that came more than a period late: the loop was busy with something else."""
        self.on_lag: Callable[[float], None] = lambda _: None
        """Told of each tick how many seconds late it came."""

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

    def add(self, callback: Callable[[], None], *, every_ms: int = TICK_MS) -> Callable[[], None]:
        """Have `callback` called every so often, until the function returned is called."""
        apart = max(1, every_ms // TICK_MS)
        phases = self._phases.setdefault(apart, [{} for _ in range(apart)])
        phase = min(phases, key=len)
        member = _Member(callback)
        phase[member] = None
        return lambda: phase.pop(member, None)

    def before(self, step: Callable[[], None], *, every_ms: int = TICK_MS) -> None:
        """Have `step` called every so often, at a tick, before those who are due."""
        self._before.append(_Step(step, max(1, every_ms // TICK_MS)))

    def follow(self, media_at: float) -> None:
        """The media thread, with a clock of the same period, moved frames at `media_at`, seconds of
        `now` (0.0: it did not). Ticks move to just behind it: what came in waits for none."""
        self._media_at = media_at or self._media_at

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

    def tick(self, missed: int = 0) -> None:
        """One tick, and one call for those who were due at a tick that was missed.

        A callback that fails does not keep the others from theirs.
        """
        now = self.now()
        while self._sleepers and self._sleepers[0][0] <= now:
            _, _, waker = heapq.heappop(self._sleepers)
            if not waker.done():
                waker.set_result(None)
        due = self._due_members(missed + 1)
        self._ticks += missed + 1
        for step in self._before:
            if self._ticks >= step.due:
                step.due = self._ticks + step.apart
                _attempt(step.callback)
        for member in due:
            _attempt(member.callback)

    def _due_members(self, ticks: int) -> list[_Member]:
        return [
            member
            for apart, phases in self._phases.items()
            for step in range(min(ticks, apart))
            for member in phases[(self._ticks + ticks - 1 - step) % apart]
        ]

    def _on_time(self, loop: asyncio.AbstractEventLoop) -> None:
        late = loop.time() - self._due
        self.on_lag(late)
        missed = int(late / self._period) if late > self._period else 0
        self.late_ticks += missed
        self._due += (missed + 1) * self._period + self._shift()
        self.tick(missed)
        self._timer = loop.call_at(self._due, self._on_time, loop)

    def _shift(self) -> float:
        if not self._media_at:
            return 0.0
        ahead = (self._media_at + BEHIND_SECONDS - self._due) % self._period
        nearest = ahead if ahead <= self._period / 2 else ahead - self._period
        return max(-STEP_SECONDS, min(STEP_SECONDS, nearest))


def _attempt(step: Callable[[], None]) -> None:
    try:
        step()
    except Exception:
        log.exception("ticker.callback_failed")
