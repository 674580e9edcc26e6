"""Opens a call's provider sessions: one retry where that can help, a new one for one that broke,
the second account where the first one is of no use."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final

import structlog

from media_worker.contract import (
    AnyEvent,
    CallNoted,
    CallPlan,
    NoteKind,
    ProblemKind,
    ProviderAccess,
    ProviderProblem,
    SessionOpened,
)
from media_worker.conversation.fallback import (
    REPLACE_AGAIN_SECONDS,
    REPLACEABLE,
    RETRY_SECONDS,
)
from media_worker.conversation.ticker import Ticker
from media_worker.conversation.timings import CallTime
from media_worker.realtime.session import RealtimeSession, SessionError

log = structlog.get_logger(__name__)

NewSession = Callable[[ProviderAccess, str], RealtimeSession]
"""Makes a session that is not open, with this account; the text is the conversation so far."""

OPEN_SECONDS: Final = 8.0
"""Connect, first update and its echo; the caller hears nothing meanwhile."""
RETRY_WITHIN_SECONDS: Final = 3.0
"""Who has heard nothing for longer is not made to wait for another attempt."""
MOST_PROBLEMS: Final = 50
"""Reported of one call; what comes after that is no news."""


class Sessions:
    """`emit` takes the sessions that opened, what went wrong, and a change of account."""

    def __init__(
        self,
        plan: CallPlan,
        new_session: NewSession,
        clock: Ticker,
        time: CallTime,
        emit: Callable[[AnyEvent], None],
    ) -> None:
        self._plan = plan
        self._new_session = new_session
        self._clock = clock
        self._time = time
        self._emit = emit
        self._account = plan.provider
        """That is in use."""
        self._problems = 0
        self._replaced_at: float | None = None
        self._leaving: set[asyncio.Task[None]] = set()

    async def open(self, *, guarded: bool, context: str = "") -> RealtimeSession:
        """An open session. Raises SessionError; what was tried before that error is reported."""
        try:
            return await self._open_with_account(guarded=guarded, context=context)
        except SessionError as error:
            if not self._turn_to_second(error):
                raise
        return await self._open_with_account(guarded=guarded, context=context)

    def may_replace(self, error: SessionError) -> bool:
        """Whether a new session may take this one's place; reported, and counts as done, if so."""
        now = self._clock.now()
        is_soon = self._replaced_at is not None and now - self._replaced_at < REPLACE_AGAIN_SECONDS
        if error.kind not in REPLACEABLE or is_soon:
            return self._turn_to_second(error)
        self._replaced_at = now
        self.report(error, fatal=False)
        return True

    def _turn_to_second(self, error: SessionError) -> bool:
        """Use the second account from now on, because of this; False where there is none left."""
        second = self._plan.fallback
        if second is None or second.account_id == self._account.account_id:
            return False
        self.report(error, fatal=False)
        self._account, self._replaced_at = second, None
        self._emit(
            CallNoted(kind=NoteKind.FALLBACK_USED, offset_ms=self._time.ms(), text=second.name)
        )
        return True

    async def _open_with_account(self, *, guarded: bool, context: str) -> RealtimeSession:
        """One that is open, at the second attempt where that can help."""
        began = self._clock.now()
        try:
            return await self._try_to_open(guarded=guarded, context=context)
        except SessionError as error:
            if not error.retryable or self._clock.now() - began > RETRY_WITHIN_SECONDS:
                raise
            self.report(error, fatal=False)
        await self._clock.sleep(RETRY_SECONDS)
        return await self._try_to_open(guarded=guarded, context=context)

    def report(self, error: SessionError, *, fatal: bool) -> None:
        """Put a problem on the call's record."""
        self._problems += 1
        if self._problems > MOST_PROBLEMS and not fatal:
            return
        self._emit(
            ProviderProblem(
                account_id=self._account.account_id,
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
        session = self._new_session(self._account, context)
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
                account_id=self._account.account_id,
                session_id=info.session_id,
                model=info.model,
                input_format=info.input_format,
                output_format=info.output_format,
                took_ms=round((self._clock.now() - began) * 1000),
            )
        )
        return session
