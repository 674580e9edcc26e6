"""The talk of one call: who speaks, what is asked of the provider, what goes wrong there.

`follow` takes the events of one session after another; `tick` looks at what time changes. Neither
waits in between, so the caller's first word stops the agent in the same step in which it is known.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Final

import structlog

from media_worker.audio.vad import VadEnd, VadEvent, VadOnset
from media_worker.contract import AnyEvent, CallPlan, ProblemKind, PromptKind, VadMode
from media_worker.conversation import fallback
from media_worker.conversation.agent import AgentSpeech
from media_worker.conversation.caller import CallerEvent, CallerSpeech, Listen
from media_worker.conversation.floor import Floor
from media_worker.conversation.greeting import Opening
from media_worker.conversation.leg import Leg
from media_worker.conversation.quiet import Quiet
from media_worker.conversation.requests import Requests
from media_worker.conversation.ticker import Ticker
from media_worker.conversation.timings import CallTime, Timings
from media_worker.conversation.transcript import Transcript
from media_worker.conversation.turns import Move, TurnKeeper
from media_worker.conversation.words import PersonsWords
from media_worker.realtime.session import (
    AgentAudio,
    AgentItem,
    CallerText,
    Ended,
    Problem,
    RealtimeSession,
    ResponseFinished,
    ResponseStarted,
    SayRefused,
    SessionError,
    SessionEvent,
    SpeechStarted,
    SpeechStopped,
    ToolRequested,
    TurnCommitted,
)

log = structlog.get_logger(__name__)

CONSENT_FIRST: Final = (
    "The caller must first hear that the call is recorded. Try again in a moment."
)


class Dialogue:
    """`report` puts a provider's problem on record, `on_tool` runs a tool at a position of the
    transcript, `on_interrupted` hears of each barge-in, and who it was but for the caller."""

    def __init__(
        self,
        plan: CallPlan,
        leg: Leg,
        clock: Ticker,
        time: CallTime,
        *,
        emit: Callable[[AnyEvent], None],
        report: Callable[[SessionError], None],
        on_tool: Callable[[ToolRequested, int], None],
        on_interrupted: Callable[..., None],
        prompts: Mapping[PromptKind, bytes],
        listen: Listen,
    ) -> None:
        self._clock = clock
        self._time = time
        self._emit = emit
        self._report = report
        self._on_tool = on_tool
        self._on_interrupted = on_interrupted
        self.transcript = Transcript(emit)
        timings = Timings(leg.playout, time, emit)
        self.agent = AgentSpeech(leg.playout, time, self.transcript, timings)
        self.caller = CallerSpeech(
            plan.settings, leg, time, self.transcript, timings, listen, self._hear
        )
        self._keeper = TurnKeeper(
            interrupt=plan.settings.interrupt,
            guard_ms=plan.settings.greeting_guard_ms,
            owns_turns=plan.settings.vad_mode is VadMode.LOCAL,
            greets=plan.greeting is not None or plan.consent is not None,
            pauses=plan.settings.vad_stops_agent,
            false_interruption_ms=plan.settings.false_interruption_ms,
        )
        self._duty = fallback.Duty()
        self._requests = Requests()
        self._opening = Opening(
            plan, prompts, self.agent, self.transcript, self._requests, self._duty
        )
        self.words = PersonsWords(plan.language, self._requests, self.transcript, time, emit)
        self.floor = Floor(self._keeper, self._duty, self._requests, clock)
        self._had_session = False
        self._quiet = Quiet(clock)
        self._failed: asyncio.Future[SessionError] | None = None
        self._active: str | None = None
        """Response that the provider is making."""
        self._last_problem: SessionError | None = None

    def begin(self) -> None:
        """Have ready what the caller hears first; before the call is answered."""
        self.caller.uplink.keeps_early = self._opening.has_prompt
        self._opening.begin(self._clock.now())

    # --- sessions --------------------------------------------------------------------------------

    async def follow(self, session: RealtimeSession) -> SessionError | None:
        """Talk with this session until it is over; why, or None after our own close."""
        self._requests.clear()
        failed = self._failed = asyncio.get_running_loop().create_future()
        self.floor.session_began()
        self._begin()
        async with asyncio.TaskGroup() as group:
            reader = group.create_task(self._read(session), name="session events")
            requests = group.create_task(self._requests.run(session), name="session requests")
            uplink = group.create_task(self._open_uplink(session), name="uplink")
            await asyncio.wait({reader, failed}, return_when=asyncio.FIRST_COMPLETED)
            has_ended = reader.done() and not failed.done()
            self.caller.uplink.close()
            for task in (reader, requests, uplink):
                task.cancel()
        if self._active is not None and not self.floor.is_muted:
            self._duty.is_owed = True
        self._duty.session_over()
        self._active = None
        self.words.session_over()
        self._keeper.session_over()
        self._opening.session_over()
        self.agent.session_over()
        return reader.result() if has_ended else failed.result()

    def _begin(self) -> None:
        """Greet; or, with a new session in the middle of the call, say what is still owed."""
        now = self._clock.now()
        is_first, self._had_session = not self._had_session, True
        self._opening.session_began(now, is_first=is_first)
        if self._opening.is_owed or not self._duty.is_owed:
            return
        if is_first and self._opening.has_prompt:
            self._keeper.answer_owed(now)
        else:
            self.floor.ask_for_answer()

    async def _open_uplink(self, session: RealtimeSession) -> None:
        """What was asked of the session goes out before the caller's words that waited for it."""
        await self._requests.carried_out()
        self.caller.uplink.open(session)

    async def _read(self, session: RealtimeSession) -> SessionError | None:
        async for event in session.events():
            if isinstance(event, Ended):
                return event.problem
            self._take(event, session)
        return SessionError(ProblemKind.DROPPED, "The session ended without a word.")

    def _fail(self, error: SessionError) -> None:
        """End the session from our side: it does not do what it should."""
        if self._failed is not None and not self._failed.done():
            self._failed.set_result(error)

    # --- what the provider says ------------------------------------------------------------------

    def _take(self, event: SessionEvent, session: RealtimeSession) -> None:
        if self.floor.is_muted and self._is_unwanted(event):
            return
        now = self._clock.now()
        match event:
            case AgentAudio():
                if self.agent.audio(event, session.info.output_format, now):
                    self._duty.spoke()
            case SpeechStarted() | SpeechStopped() | TurnCommitted() | CallerText():
                self.caller.take(event, now)
                self._on_caller(event, now)
            case ResponseStarted(response_id=response_id, asked_for=asked_for):
                self.words.response_started(response_id, asked_for)
                self._on_response(response_id, now)
            case SayRefused(asked_for=asked_for, comes_again=comes_again):
                self.words.refused(asked_for, comes_again=comes_again)
            case ResponseFinished():
                self._on_finished(event, now)
            case ToolRequested():
                self._on_tool_requested(event)
            case Problem():
                self._on_problem(event)
            case Ended():
                pass
            case _:
                self.agent.take(event)
                if isinstance(event, AgentItem):
                    self.words.item_began(event.item_id, event.response_id)

    def _is_unwanted(self, event: SessionEvent) -> bool:
        """Speech that a muted agent shall not utter."""
        match event:
            case AgentItem(response_id=response_id):
                return not self._is_wanted(response_id)
            case AgentAudio(item_id=item_id):
                return not self._is_wanted(self.agent.response_of(item_id))
        return False

    def _is_wanted(self, response_id: str) -> bool:
        """A muted agent says only what a person asks for."""
        return not self.floor.is_muted or self.words.is_theirs(response_id)

    def _on_caller(self, event: CallerEvent, now: float) -> None:
        match event:
            case SpeechStarted():
                self._make(self._keeper.speech_started(self.caller.began))
            case SpeechStopped():
                self._keeper.speech_stopped()
            case CallerText(usage=usage):
                if usage is not None:
                    self._emit(usage)
            case TurnCommitted():
                self._duty.is_owed = True
                self._keeper.turn_committed(now)
                if not self.floor.is_guarded:
                    self._duty.expect(now)

    def _on_response(self, response_id: str, now: float) -> None:
        self._active = response_id
        self._last_problem = None
        self._keeper.response_started()
        if not self._is_wanted(response_id):  # it began before the provider knew
            self._requests.put(lambda session: session.interrupt(None))
        elif not self.words.is_theirs(response_id):
            self._duty.expect(now)
            self._opening.response_started(response_id)

    def _on_finished(self, event: ResponseFinished, now: float) -> None:
        if self._active == event.response_id:
            self._active = None
        completed = event.status == "completed"
        self.agent.response_finished(event.response_id, completed=completed)
        if event.usage is not None:
            self._emit(event.usage)
        if (
            self.words.finished(event.response_id)
            or self.floor.is_muted
            or event.status == "cancelled"
        ):
            return
        if event.status != "failed" and (event.had_audio or event.had_tool_calls):
            self._duty.answered()
            self._opening.response_finished(event.response_id, now)
            return
        error = self._last_problem or fallback.went_silent(
            f"The provider's answer was empty ({event.reason or event.status})."
        )
        if not self._duty.failed(error, now):
            self._fail(error)
        elif self._last_problem is None:
            self._report(error)

    def _on_tool_requested(self, event: ToolRequested) -> None:
        if self.floor.is_muted:
            self.floor.decline_tool(event.tool_call_id)
            return
        self.floor.tool_asked(event.tool_call_id)
        error = self._duty.called_tool()
        if error is not None:
            self._fail(error)
        else:
            self._on_tool(event, self.transcript.place(event.item_id))

    def _on_problem(self, event: Problem) -> None:
        error = SessionError(event.kind, event.message, code=event.code)
        self._last_problem = error
        if event.kind in fallback.HOPELESS:
            self._fail(error)
        else:
            self._report(error)

    # --- who speaks ------------------------------------------------------------------------------

    def _make(self, moves: list[Move]) -> None:
        for move in moves:
            match move:
                case Move.PAUSE_AGENT:
                    self.agent.pause()
                case Move.RESUME_AGENT:
                    self.agent.resume()
                case Move.STOP_AGENT:
                    self._stop_agent()
                case Move.LIFT_GUARD:
                    self.floor.lift_guard()
                case Move.ANSWER:
                    self.floor.ask_for_answer()
                case Move.COMMIT:
                    self.floor.commit()

    def _stop_agent(self) -> None:
        """The caller interrupts. Silence first, everything else after it."""
        now = self._clock.now()
        was_audible, heard = self.agent.stop(now)
        if not was_audible and self._active is None:
            return
        self._requests.put(lambda session: session.interrupt(heard))
        self.words.interrupted()
        self._opening.cut()
        self._on_interrupted()
        self._duty.withdraw()
        self._end_greeting(now)

    def mute(self, muted: bool) -> str:
        """Have the agent be silent and answer nothing, or speak again; why not, or nothing."""
        if muted and self._opening.owes_consent:
            return CONSENT_FIRST
        if muted and not self.floor.is_muted:
            self.floor.is_muted = True
            self._hush()
        elif self.floor.is_muted and not muted:
            self.floor.is_muted = False
            self._make(self._keeper.unmuted(self._clock.now(), owes_answer=self._duty.is_owed))
        return ""

    def _hush(self) -> None:
        """What the agent owes stays owed, also the rest of what it was saying."""
        now = self._clock.now()
        was_audible, heard = self.agent.stop(now)
        if was_audible or self._active is not None or not self._opening.is_over:
            self._duty.is_owed = True
        self._requests.put(lambda session: session.interrupt(heard))
        self.floor.guard()
        self.words.interrupted()
        self._opening.cut()
        self._on_interrupted("A person muted the agent")
        self._duty.withdraw()
        self._end_greeting(now)

    def _end_greeting(self, now: float) -> None:
        if not self._keeper.greeting_is_over:
            self._make(self._keeper.greeting_over(now))

    async def quiet(self, seconds: float) -> bool:
        """Wait until the agent has said all it had to; False when that takes too long."""
        return await self._quiet.wait(seconds)

    # --- time ------------------------------------------------------------------------------------

    def tick(self) -> None:
        """What the passing of time brings; also while there is no session."""
        now = self._clock.now()
        self.caller.pull()
        self._send()
        self._follow_greeting(now)
        # Counted only for speech that began within the guard: a level costs time.
        audible_ms = self.caller.audible_ms() if self._keeper.in_doubt else 0
        speech_ms = self.caller.speech_ms
        self._make(self._keeper.tick(now, audible_ms=audible_ms, speech_ms=speech_ms))
        self.agent.tick(now)
        self.transcript.send_changes(self._time.ms())
        self._follow_duty(now)
        is_quiet = self._active is None and self._requests.is_idle and not self.agent.is_audible
        self._follow_words(now, is_quiet=is_quiet)
        self._quiet.tick(now, is_quiet=is_quiet and not self.words.are_waiting)

    def _follow_words(self, now: float, *, is_quiet: bool) -> None:
        if self.words.are_waiting:
            is_free = is_quiet and self._requests.has_session and self._opening.is_over
            speaks = self._keeper.caller_speaks
            self.words.tick(now, is_free=is_free, caller_speaks=speaks)

    def _follow_duty(self, now: float) -> None:
        if self.floor.is_muted:
            return
        active = self._active
        if active and not self.words.is_theirs(active) and self.agent.is_starved(active):
            self._duty.expect(now)
        if self._keeper.caller_speaks and not self._keeper.guarded:
            self._duty.caller_speaks(now)
        if self._duty.must_retry(now):
            self._opening.say(now) if self._opening.is_owed else self.floor.ask_for_answer()
        if self._duty.is_overdue(now):
            self._duty.withdraw()
            seconds = f"{fallback.SILENT_SECONDS:.0f} seconds"
            self._fail(
                fallback.went_silent(f"The agent should speak; it was silent for {seconds}.")
            )

    def close(self) -> None:
        """The call is over: every entry of the transcript is final as it stands."""
        self.caller.close()
        self.words.close()
        self.agent.close(self._clock.now())
        self.transcript.close(self._time.ms())

    def _hear(self, event: VadEvent) -> None:
        """Our own VAD hears the caller every 40 ms, however seldom a chunk is sent."""
        now = self._clock.now()
        match event:
            case VadOnset():
                log.debug("dialogue.local_onset", at=now)
                began = self.caller.spoken_at(event)
                speaks = self.agent.is_audible or self._active is not None
                self._make(self._keeper.local_onset(began, now, agent_speaks=speaks))
            case VadEnd():
                self._make(self._keeper.local_end(now))

    def _send(self) -> None:
        if not self.caller.is_gated:
            self.caller.uplink.send()
            return
        self.caller.send(
            provider_hears=self._keeper.provider_hears, agent_speaks=self.agent.is_audible
        )

    def _follow_greeting(self, now: float) -> None:
        """The guard begins with the greeting's first frame and ends with its last at the latest."""
        if self._keeper.greeting_is_over:
            return
        began = self._opening.tick()
        if began is not None:
            self._keeper.greeting_played(began)
        if self._opening.is_over:
            self._end_greeting(now)
