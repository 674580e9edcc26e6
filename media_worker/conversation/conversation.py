"""The life of one call: answer, greet, talk, do what is asked, end; and always a record of it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from contextlib import suppress
from typing import Any, Final

import msgspec
import structlog

from media_worker.audio.activity import Ear, Hears, VoiceActivity
from media_worker.audio.vad import VadEvent
from media_worker.contract import (
    AnyEvent,
    CallAnswered,
    CallEnded,
    CallKind,
    CallMeasured,
    CallNoted,
    CallPlan,
    EndCause,
    LocalVad,
    NoteKind,
    ProblemKind,
    PromptKind,
)
from media_worker.conversation import quality
from media_worker.conversation.dialogue import Dialogue
from media_worker.conversation.fallback import SENTENCES
from media_worker.conversation.leg import Leg, LegAnswered, LegDtmf, LegEnded, LegHeld
from media_worker.conversation.sessions import NewSession, Sessions
from media_worker.conversation.ticker import Ticker
from media_worker.conversation.timings import CallTime
from media_worker.conversation.tools import Tools
from media_worker.realtime.session import SessionError

log = structlog.get_logger(__name__)

CONTEXT_CHARACTERS: Final = 8_000
"""Of the conversation so far, for a session that replaces another."""
APOLOGY_SECONDS: Final = 20.0
"""To render the apology, when it is not ready."""
APOLOGY_PLAYED_SECONDS: Final = 60.0
TRANSFER_GRACE_SECONDS: Final = 2.0
"""A caller's phone may hang up as soon as its transfer works, before we have heard of that."""
HANG_UP_SECONDS: Final = 5.0
QUALITY_SECONDS: Final = 1.0
"""To ask the telephone side what the line was like."""
CALL_OVER: Final = "The call is over."
LAST_WORDS_SECONDS: Final = 2.0
"""Who hangs up right after speaking is written down all the same: transcripts come late."""


class _End(msgspec.Struct, frozen=True):
    cause: EndCause
    detail: str = ""
    sip_status: int = 0
    leg_is_over: bool = False


class Conversation:
    """One answered call.

    `apology` renders plan.apology as 16-bit PCM at the leg's clock rate. `emit` takes what
    happened; CallEnded is emitted once, last, whatever happens. `prompts`: what is said first, as
    far as it is rendered, as such PCM too; the provider says the rest. `activity` listens to all
    calls of the process, at a tick before the calls themselves.
    """

    def __init__(
        self,
        *,
        plan: CallPlan,
        leg: Leg,
        new_session: NewSession,
        apology: Callable[[], Awaitable[bytes]],
        emit: Callable[[AnyEvent], None],
        clock: Ticker,
        activity: VoiceActivity,
        prompts: Mapping[PromptKind, bytes] | None = None,
    ) -> None:
        self.plan = plan
        self._leg = leg
        self._apology = apology
        self._emit = emit
        self._clock = clock
        self._activity = activity
        self._time = CallTime(clock)
        self._sessions = Sessions(plan, new_session, clock, self._time, emit)
        self._dialogue = Dialogue(
            plan,
            leg,
            clock,
            self._time,
            emit=emit,
            report=lambda error: self._sessions.report(error, fatal=False),
            on_tool=lambda asked, position: self._tools.request(asked, position),
            on_interrupted=lambda *who: self._tools.interrupted(*who),
            prompts=prompts or {},
            listen=self._listen,
        )
        self._tools = Tools(plan.tools, leg, self, self._time, emit)
        self._answered = asyncio.Event()
        self._ended: asyncio.Future[_End] = asyncio.get_running_loop().create_future()
        self._lasted_ms: int | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._group: asyncio.TaskGroup | None = None

    async def run(self) -> EndCause:
        """Answer and talk until one side ends it; why it ended. Raises nothing but cancellation."""
        end = _End(EndCause.WORKER_STOPPED)
        stop_ticking = self._clock.add(self._tick, every_ms=self.plan.settings.chunk_ms)
        try:
            end = await self._live()
        except Exception:
            log.exception("conversation.failed")
            end = _End(EndCause.INTERNAL_ERROR, "Something went wrong inside the media worker.")
        finally:
            stop_ticking()
            self._close_record()
            await self._emit_measured()
            self._emit_end(end)
            if not end.leg_is_over:
                await self._hang_up()
            await self._sessions.left()
        return end.cause

    def counts(self) -> CallMeasured:
        """What we counted of the call so far; the line's part is not known. From any thread."""
        return quality.counted(self._leg, self._dialogue.caller.uplink)

    # --- what people ask for; each says why it was not done, or nothing ---------------------------

    def hang_up(self, cause: EndCause, command_id: str = "") -> None:
        """End the call from outside; on a person's command, or on our own."""
        if command_id and not self._ended.done():
            self._note(NoteKind.HANG_UP_ASKED, command_id=command_id)
        self.end(cause, "")

    async def say(self, command_id: str, text: str) -> str:
        """Have the agent say these words; returns when it begins to."""
        if self._ended.done():
            return CALL_OVER
        return await self._dialogue.words.say(command_id, text)

    async def mute(self, command_id: str, muted: bool) -> str:
        """Have the agent be silent and answer nothing, or speak again."""
        if self._ended.done():
            return CALL_OVER
        why_not = self._dialogue.mute(muted)
        if not why_not:
            self._note(NoteKind.MUTED if muted else NoteKind.UNMUTED, command_id=command_id)
        return why_not

    async def transfer(self, command_id: str, uri: str, name: str) -> str:
        """Connect the caller to somebody; returns when that has worked or failed."""
        if self._ended.done():
            return CALL_OVER
        if not self._answered.is_set():
            return "The call has not been answered yet."
        position = self._dialogue.transcript.place(command_id)
        why_not = await self._tools.transfer(position, uri, name, command_id)
        if not why_not:
            self._note(NoteKind.TRANSFER_ASKED, name or uri, command_id)
        return why_not

    def _note(self, kind: NoteKind, text: str = "", command_id: str = "") -> None:
        self._emit(
            CallNoted(kind=kind, offset_ms=self._time.ms(), text=text, command_id=command_id)
        )

    # --- the stage of the tools ------------------------------------------------------------------

    def end(self, cause: EndCause, detail: str) -> None:
        """End the call; the first to say so names the cause."""
        self._end(_End(cause, detail))

    def spawn(self, work: Coroutine[Any, Any, None]) -> None:
        assert self._group is not None  # noqa: S101 - tools run only while the call does
        task = self._group.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def quiet(self, seconds: float) -> bool:
        return await self._dialogue.quiet(seconds)

    def reply(self, tool_call_id: str, output: str) -> None:
        self._dialogue.floor.reply(tool_call_id, output)

    # --- life ------------------------------------------------------------------------------------

    async def _live(self) -> _End:
        async with asyncio.TaskGroup() as group:
            self._group = group
            self._dialogue.begin()
            self.spawn(self._follow_leg())
            self.spawn(self._talk())
            self.spawn(self._answer())
            end = await self._ended
            if end.leg_is_over:
                await self._hear_last_words()
            for task in self._tasks:
                task.cancel()
        return end

    async def _hear_last_words(self) -> None:
        if not self.plan.settings.transcription_model:
            return
        with suppress(TimeoutError):
            await self._clock.within(LAST_WORDS_SECONDS, self._dialogue.caller.last_words())

    async def _answer(self) -> None:
        try:
            await self._leg.answer(self.plan.settings.audio_format)
        except Exception as error:  # where the caller gave up, the leg's last event is there first
            log.exception("conversation.not_answered")
            await self._clock.sleep(1)
            self.end(EndCause.INTERNAL_ERROR, f"The call could not be answered: {error}")

    async def _follow_leg(self) -> None:
        async for event in self._leg.events():
            match event:
                case LegAnswered(codec=codec):
                    self._time.answered()
                    self._emit(CallAnswered(codec=codec))
                    self._answered.set()
                case LegHeld(held=held):
                    self._dialogue.caller.hold(held)
                    self._note(NoteKind.HELD if held else NoteKind.RESUMED)
                case LegDtmf(digit=digit):
                    self._note(NoteKind.DTMF, digit)
                case LegEnded():
                    await self._on_leg_ended(event)
                    return
        self._end(_End(EndCause.MEDIA_LOST, "The telephone side ended without a word."))

    async def _on_leg_ended(self, event: LegEnded) -> None:
        if await self._transfer_has_succeeded():
            cause, detail = EndCause.TRANSFERRED, ""
        elif event.by_caller:
            cause, detail = EndCause.CALLER_HUNG_UP, ""
        else:
            cause = EndCause.MEDIA_LOST
            is_phone = self.plan.kind is CallKind.PHONE
            line = "telephone connection" if is_phone else "connection to the browser"
            detail = f"The {line} broke: {event.reason or event.sip_status}."
        self._end(_End(cause, detail, event.sip_status, leg_is_over=True))

    async def _transfer_has_succeeded(self) -> bool:
        try:
            return await self._clock.within(TRANSFER_GRACE_SECONDS, self._tools.transfer_settled())
        except TimeoutError:
            return False

    async def _talk(self) -> None:
        try:
            await self._talk_with_sessions()
        except SessionError as error:
            self._sessions.report(error, fatal=True)
            await self._give_up(error)

    async def _talk_with_sessions(self) -> None:
        """One session after the other. Raises SessionError when that cannot go on."""
        session = await self._sessions.open(guarded=self._dialogue.floor.is_guarded)
        while True:
            try:
                await self._answered.wait()
                error = await self._dialogue.follow(session)
            finally:
                self._sessions.leave(session)
            error = error or SessionError(ProblemKind.DROPPED, "The session was closed.")
            if not self._sessions.may_replace(error):
                raise error
            context = self._dialogue.transcript.as_text(CONTEXT_CHARACTERS)
            session = await self._sessions.open(
                guarded=self._dialogue.floor.is_guarded, context=context
            )
            self._note(NoteKind.SESSION_REPLACED, SENTENCES[error.kind])

    async def _give_up(self, error: SessionError) -> None:
        """The caller is told in our own voice, then given to a person, or the call ends; never
        dead air."""
        log.warning("conversation.provider_failed", kind=error.kind, code=error.code)
        await self._answered.wait()
        if await self._tools.transfer_settled():
            return  # somebody else has the caller
        pcm = await self._render_apology()
        if pcm:
            self._dialogue.agent.say("apology", self.plan.apology.text, pcm)
            await self._dialogue.quiet(APOLOGY_PLAYED_SECONDS)
        if not await self._hand_over():
            self._end(_End(EndCause.PROVIDER_FAILED, SENTENCES[error.kind]))

    async def _hand_over(self) -> bool:
        """Connect the caller to whom the plan names for this; False: to nobody."""
        for target in self.plan.tools.transfer_targets:
            if target.name == self.plan.fallback_target:
                position = self._dialogue.transcript.place("fallback")
                why_not = await self._tools.transfer(position, target.uri, target.name)
                if not why_not:
                    self._note(NoteKind.FALLBACK_USED, target.name)
                return not why_not
        return False

    async def _render_apology(self) -> bytes:
        async def render() -> bytes:
            return await self._apology()

        try:
            return await self._clock.within(APOLOGY_SECONDS, render())
        except Exception as error:  # with or without words, the call ends
            log.error("conversation.no_apology", error=f"{type(error).__name__}: {error}")
            return b""

    # --- time and end ----------------------------------------------------------------------------

    def _listen(self, mode: LocalVad, silence_ms: int, hears: Hears) -> Ear:
        def attempt(event: VadEvent) -> None:
            self._attempt(lambda: hears(event))

        return self._activity.open(self._leg.capture, mode, silence_ms=silence_ms, hears=attempt)

    def _tick(self) -> None:
        self._attempt(self._dialogue.tick)
        self._clock.follow(self._leg.playout.asked_at)
        answered = self._time.answered_at
        if answered is not None and self._clock.now() - answered > self.plan.max_duration_seconds:
            self.end(EndCause.MAX_DURATION, "")

    def _attempt(self, step: Callable[[], None]) -> None:
        try:
            step()
        except Exception as error:
            if not self._ended.done():
                self._ended.set_exception(error)

    def _end(self, end: _End) -> None:
        if not self._ended.done():
            self._lasted_ms = self._time.ms()
            self._ended.set_result(end)

    def _close_record(self) -> None:
        try:
            self._tools.call_ended()
            self._dialogue.close()
        except Exception:  # the end itself is recorded all the same
            log.exception("conversation.record_not_closed")

    async def _emit_measured(self) -> None:
        if self._time.answered_at is None:
            return
        line = None
        try:
            line = await self._clock.within(QUALITY_SECONDS, self._leg.quality())
        except Exception as error:  # what we counted ourselves is known all the same
            log.error("conversation.line_not_measured", error=f"{type(error).__name__}: {error}")
        self._emit(quality.measured(self.counts(), line))

    def _emit_end(self, end: _End) -> None:
        self._emit(
            CallEnded(
                cause=end.cause,
                detail=end.detail,
                duration_ms=self._time.ms() if self._lasted_ms is None else self._lasted_ms,
                sip_status=end.sip_status,
            )
        )

    async def _hang_up(self) -> None:
        try:
            await self._clock.within(HANG_UP_SECONDS, self._leg.hang_up())
        except Exception as error:
            log.error("conversation.hang_up_failed", error=f"{type(error).__name__}: {error}")
