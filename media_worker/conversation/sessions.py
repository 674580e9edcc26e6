"""Opens a call's provider sessions: one retry where that can help, a new one for one that broke."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final

import structlog

from media_worker.contract import AnyEvent, CallPlan, ProblemKind, ProviderProblem, SessionOpened
from media_worker.conversation.fallback import (
    REPLACE_AGAIN_SECONDS,
    REPLACEABLE,
    RETRY_SECONDS,
)
from media_worker.conversation.ticker import Ticker
from media_worker.conversation.timings import CallTime
from media_worker.realtime.session import RealtimeSession, SessionError

log = structlog.get_logger(__name__)

OPEN_SECONDS: Final = 8.0
"""Connect, first update and its echo; the caller hears nothing meanwhile."""
RETRY_WITHIN_SECONDS: Final = 3.0
"""Who has heard nothing for longer is not made to wait for another attempt."""
MOST_PROBLEMS: Final = 50
"""Reported of one call; what comes after that is no news."""


class Sessions:
    """`new_session` gets the conversation so far, for a session that replaces another."""

    def __init__(
        self,
        plan: CallPlan,
        new_session: Callable[[str], RealtimeSession],
        clock: Ticker,
        time: CallTime,
        emit: Callable[[AnyEvent], None],
    ) -> None:
        self._plan = plan
        self._new_session = new_session
        self._clock = clock
        self._time = time
        self._emit = emit
        self._problems = 0
        self._replaced_at: float | None = None
        self._leaving: set[asyncio.Task[None]] = set()

    async def open(self, *, guarded: bool, context: str = "") -> RealtimeSession:
        """An open session. Raises SessionError, of which a problem that was retried is reported."""
        began = self._clock.now()
        try:
            return await self._try_to_open(guarded=guarded, context=context)
        except SessionError as error:
            if not error.retryable or self._clock.now() - began > RETRY_WITHIN_SECONDS:
                raise
            self.report(error, fatal=False)
        await self._clock.sleep(RETRY_SECONDS)
        return await self._try_to_open(guarded=guarded, context=context)

    def may_replace(self, error: SessionError) -> bool:
        """Whether a new session may take this one's place; counts as done when it may."""
        now = self._clock.now()
        is_soon = self._replaced_at is not None and now - self._replaced_at < REPLACE_AGAIN_SECONDS
        if error.kind not in REPLACEABLE or is_soon:
            return False
        self._replaced_at = now
        return True

    def report(self, error: SessionError, *, fatal: bool) -> None:
        """Put a problem on the call's record."""
        self._problems += 1
        if self._problems > MOST_PROBLEMS and not fatal:
            return
        self._emit(
            ProviderProblem(
                account_id=self._plan.provider.account_id,
                kind=error.kind,
                code=error.code,
                message=error.message,
                fatal=fatal,
                offset_ms=self._time.ms(),
            )
        )

    def leave(self, session: RealtimeSession) -> None:
        """Close it without waiting: a provider that is slow to say goodbye must not hold a call."""
        task = asyncio.create_task(session.close(), name="session close")
        self._leaving.add(task)
        task.add_done_callback(self._leaving.discard)

    async def left(self) -> None:
        """Wait until every session is closed."""
        for outcome in await asyncio.gather(*self._leaving, return_exceptions=True):
            if isinstance(outcome, Exception):
                log.warning("sessions.not_closed", error=type(outcome).__name__)

    async def _try_to_open(self, *, guarded: bool, context: str) -> RealtimeSession:
        session = self._new_session(context)
        began = self._clock.now()
        try:
            info = await self._clock.within(OPEN_SECONDS, session.open(guarded=guarded))
        except BaseException as error:
            self.leave(session)
            if isinstance(error, TimeoutError):
                message = f"No session was open after {OPEN_SECONDS:.0f} seconds."
                raise SessionError(
                    ProblemKind.UNREACHABLE, message, code="timeout", retryable=False
                ) from None
            raise
        self._emit(
            SessionOpened(
                account_id=self._plan.provider.account_id,
                session_id=info.session_id,
                model=info.model,
                input_format=info.input_format,
                output_format=info.output_format,
                took_ms=round((self._clock.now() - began) * 1000),
            )
        )
        return session
