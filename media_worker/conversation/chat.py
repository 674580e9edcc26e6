"""A conversation in writing: the same agent without a telephone and without sound."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from contextlib import suppress
from typing import Any, Final

import structlog

from media_worker.contract import (
    AnyEvent,
    CallAnswered,
    CallEnded,
    CallNoted,
    CallPlan,
    EndCause,
    NoteKind,
    ProblemKind,
)
from media_worker.conversation.fallback import HOPELESS, SENTENCES, went_silent
from media_worker.conversation.leg import TransferOutcome
from media_worker.conversation.sessions import NewSession, Sessions
from media_worker.conversation.ticker import Ticker
from media_worker.conversation.timings import CallTime
from media_worker.conversation.tools import Tools
from media_worker.conversation.transcript import Transcript
from media_worker.realtime.session import (
    AgentItem,
    AgentText,
    AgentTextDone,
    Ended,
    Problem,
    RealtimeSession,
    ResponseFinished,
    ResponseStarted,
    SessionError,
    SessionEvent,
    ToolRequested,
)

log = structlog.get_logger(__name__)

TICK_MS: Final = 100
IDLE_SECONDS: Final = 600.0
"""A chat in which nobody writes for so long is over."""
SILENT_SECONDS: Final = 30.0
"""For an answer to begin; what is read may take longer than what is spoken."""
CONTEXT_CHARACTERS: Final = 8_000
OVER: Final = "The chat is over."
NO_VOICE: Final = "This is a chat: it has no voice, and cannot be transferred."


class _NoLine:
    """What a chat has instead of a telephone line."""

    async def transfer(self, uri: str, *, timeout_seconds: float) -> TransferOutcome:
        return TransferOutcome(succeeded=False, sip_status=405, reason=NO_VOICE)


class Chat:
    """`new_session` makes sessions for text. `emit` takes what happened; CallEnded comes once,
    last, whatever happens."""

    def __init__(
        self,
        *,
        plan: CallPlan,
        new_session: NewSession,
        emit: Callable[[AnyEvent], None],
        clock: Ticker,
    ) -> None:
        self.plan = plan
        self._emit = emit
        self._clock = clock
        self._time = CallTime(clock)
        self._sessions = Sessions(plan, new_session, clock, self._time, emit)
        self._transcript = Transcript(emit)
        self._tools = Tools(plan.tools, _NoLine(), self, self._time, emit)
        self._session: RealtimeSession | None = None
        self._failed: asyncio.Future[SessionError] | None = None
        """Of the session, by our own judgement."""
        self._unsent: list[str] = []
        """Written while there was no session."""
        self._owes_since: float | None = None
        """An answer is due since then."""
        self._items: dict[str, list[str]] = {}
        """By response: its items."""
        self._wrote_at = clock.now()
        self._is_free = asyncio.Event()
        self._ended: asyncio.Future[tuple[EndCause, str]]
        self._ended = asyncio.get_running_loop().create_future()
        self._tasks: set[asyncio.Task[None]] = set()

    async def run(self) -> EndCause:
        """Until one side ends it; why. Raises nothing but cancellation."""
        cause, detail = EndCause.WORKER_STOPPED, ""
        stop_ticking = self._clock.add(self._tick, every_ms=TICK_MS)
        try:
            self._time.answered()
            self._emit(CallAnswered())
            self._greet()
            self.spawn(self._talk())
            cause, detail = await self._ended
        except Exception:
            log.exception("chat.failed")
            cause, detail = EndCause.INTERNAL_ERROR, "Something went wrong inside the media worker."
        finally:
            stop_ticking()
            for task in self._tasks:
                task.cancel()
            self._tools.call_ended()
            self._transcript.close(self._time.ms())
            self._emit(CallEnded(cause=cause, detail=detail, duration_ms=self._time.ms()))
            await self._sessions.left()
        return cause

    def write(self, item_id: str, text: str) -> str:
        """The person writes; why that is not taken, or nothing."""
        if self._ended.done():
            return OVER
        now = self._clock.now()
        self._wrote_at = self._owes_since = now
        self._transcript.caller_turn(item_id, None, offset_ms=self._time.ms(), duration_ms=0)
        self._transcript.caller_text(item_id, text, final=True, offset_ms=self._time.ms())
        self._transcript.send_changes(self._time.ms())
        self._unsent.append(text)
        self.spawn(self._send())
        return ""

    # --- what people ask for ---------------------------------------------------------------------

    def hang_up(self, cause: EndCause, command_id: str = "") -> None:
        if command_id and not self._ended.done():
            note = NoteKind.HANG_UP_ASKED
            self._emit(CallNoted(kind=note, offset_ms=self._time.ms(), command_id=command_id))
        self.end(cause, "")

    async def say(self, command_id: str, text: str) -> str:
        return NO_VOICE

    async def mute(self, command_id: str, muted: bool) -> str:
        return NO_VOICE

    async def transfer(self, command_id: str, uri: str, name: str) -> str:
        return NO_VOICE

    # --- the stage of the tools ------------------------------------------------------------------

    def end(self, cause: EndCause, detail: str) -> None:
        if not self._ended.done():
            self._ended.set_result((cause, detail))

    def spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def quiet(self, seconds: float) -> bool:
        """Until the agent has written all that it had to."""
        try:
            await self._clock.within(seconds, _once(self._is_free))
        except TimeoutError:
            return False
        return True

    def reply(self, tool_call_id: str, output: str) -> None:
        self.spawn(self._reply(tool_call_id, output))

    async def _reply(self, tool_call_id: str, output: str) -> None:
        if self._session is not None:
            self._owes_since = self._clock.now()
            with suppress(SessionError):  # its last event says why
                await self._session.tool_result(tool_call_id, output, respond=True)

    # --- life ------------------------------------------------------------------------------------

    def _greet(self) -> None:
        greeting = self.plan.greeting
        if greeting is not None:
            self._transcript.agent_item("greeting", None)
            self._transcript.agent_text_done("greeting", greeting.text)
            self._finish("greeting")

    async def _talk(self) -> None:
        try:
            await self._talk_with_sessions()
        except SessionError as error:
            self._sessions.report(error, fatal=True)
            self.end(EndCause.PROVIDER_FAILED, SENTENCES[error.kind])
        except Exception as error:
            if not self._ended.done():
                self._ended.set_exception(error)

    async def _talk_with_sessions(self) -> None:
        """One session after the other. Raises SessionError when that cannot go on."""
        session = await self._sessions.open(guarded=False)
        if self.plan.greeting is not None:
            with suppress(SessionError):  # its last event says why
                await session.said(self.plan.greeting.text)
        while True:
            error = await self._follow(session)
            if not self._sessions.may_replace(error):
                raise error
            context = self._transcript.as_text(CONTEXT_CHARACTERS)
            session = await self._sessions.open(guarded=False, context=context)
            await self._ask_again(session)

    async def _ask_again(self, session: RealtimeSession) -> None:
        """Have a new session give the answer that the one before it owed."""
        if self._owes_since is None:
            return
        self._owes_since = self._clock.now()
        if not self._unsent:
            with suppress(SessionError):  # its last event says why
                await session.respond()

    async def _follow(self, session: RealtimeSession) -> SessionError:
        """Talk with this session until it is over; why it is."""
        self._session = session
        failed = self._failed = asyncio.get_running_loop().create_future()
        reader = asyncio.create_task(self._read(session), name="chat events")
        try:
            await asyncio.wait({reader, failed}, return_when=asyncio.FIRST_COMPLETED)
            return failed.result() if failed.done() else await reader
        finally:
            reader.cancel()
            self._session = self._failed = None
            self._close_items()
            self._sessions.leave(session)

    async def _read(self, session: RealtimeSession) -> SessionError:
        try:
            await self._send()
            async for event in session.events():
                if isinstance(event, Ended):
                    return event.problem or SessionError(ProblemKind.DROPPED, "It was closed.")
                self._take(event)
        except SessionError as error:
            return error
        return SessionError(ProblemKind.DROPPED, "The session ended without a word.")

    def _fail(self, error: SessionError) -> None:
        """End the session from our side: it does not do what it should."""
        if self._failed is not None and not self._failed.done():
            self._failed.set_result(error)

    async def _send(self) -> None:
        session = self._session
        with suppress(SessionError):  # its last event says why; the next one gets what is left
            while session is not None and self._unsent:
                await session.send_text(self._unsent[0])
                self._unsent.pop(0)

    # --- what the provider says ------------------------------------------------------------------

    def _take(self, event: SessionEvent) -> None:
        match event:
            case ResponseStarted():
                self._is_free.clear()
            case AgentItem(item_id=item_id, response_id=response_id):
                self._items.setdefault(response_id, []).append(item_id)
                self._transcript.agent_item(item_id, None)
                self._owes_since = None
            case AgentText(item_id=item_id, delta=delta):
                self._transcript.agent_text(item_id, delta)
                self._transcript.shown(item_id, self._time.ms())
            case AgentTextDone(item_id=item_id, text=text):
                self._transcript.agent_text_done(item_id, text)
                self._finish(item_id)
            case ToolRequested(item_id=item_id):
                self._owes_since = None
                self._tools.request(event, self._transcript.place(item_id))
            case ResponseFinished():
                self._on_finished(event)
            case Problem():
                self._on_problem(event)

    def _on_finished(self, event: ResponseFinished) -> None:
        if event.usage is not None:
            self._emit(event.usage)
        for item_id in self._items.pop(event.response_id, []):
            self._finish(item_id)
        self._is_free.set()

    def _on_problem(self, event: Problem) -> None:
        error = SessionError(event.kind, event.message, code=event.code)
        if event.kind in HOPELESS:
            self._fail(error)
        else:
            self._sessions.report(error, fatal=False)

    def _finish(self, item_id: str) -> None:
        self._transcript.shown(item_id, self._time.ms())
        self._transcript.finish(item_id)

    def _close_items(self) -> None:
        """What has come of each item is all that will."""
        for items in self._items.values():
            for item_id in items:
                self._finish(item_id)
        self._items.clear()
        self._is_free.set()

    # --- time ------------------------------------------------------------------------------------

    def _tick(self) -> None:
        now = self._clock.now()
        self._transcript.send_changes(self._time.ms())
        if self._owes_since is not None and now - self._owes_since > SILENT_SECONDS:
            self._fail(went_silent(f"The agent wrote nothing for {SILENT_SECONDS:.0f} seconds."))
        elif now - self._wrote_at > IDLE_SECONDS:
            self.end(EndCause.ABANDONED, "")
        elif self._time.ms() > self.plan.max_duration_seconds * 1000:
            self.end(EndCause.MAX_DURATION, "")


async def _once(event: asyncio.Event) -> None:
    await event.wait()
