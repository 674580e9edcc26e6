"""The calls of this worker by their ids: each is held from its plan to its record."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import msgspec
import structlog

from media_worker.apology import Apologies
from media_worker.audio.activity import VoiceActivity
from media_worker.contract import AnyEvent, CallAnswered, CallEnded, CallPlan, EndCause
from media_worker.control.prompts import Prompts
from media_worker.conversation.conversation import Conversation
from media_worker.conversation.leg import Leg
from media_worker.conversation.ticker import Ticker
from media_worker.metrics import Metrics
from media_worker.realtime.dialects import session_maker
from media_worker.recording.recorder import Recording
from media_worker.recording.recordings import Recordings

log = structlog.get_logger(__name__)

PROMPT_SECONDS: Final = 0.3
"""A caller hears ringing while a prompt is fetched; what is not here by then is said live."""


class _Held(msgspec.Struct):
    """A call while it is held."""

    leg: Leg
    recording: Recording | None = None
    answered_at: float | None = None


class Calls:
    """`emit` takes what happened on a call, `on_change` hears that one came or went."""

    def __init__(
        self,
        emit: Callable[[str, AnyEvent], None],
        *,
        clock: Ticker,
        metrics: Metrics,
        apologies: Apologies,
        prompts: Prompts,
        recordings: Recordings,
        on_change: Callable[[], None],
    ) -> None:
        self.by_id: dict[str, Conversation] = {}
        self.on_over: Callable[[str], None] = lambda _: None
        """Hears that a call is over."""
        self._held: dict[str, _Held] = {}
        self._emit = emit
        self._clock = clock
        self._metrics = metrics
        self._apologies = apologies
        self._prompts = prompts
        self._recordings = recordings
        self._on_change = on_change

    def __len__(self) -> int:
        return len(self.by_id)

    async def hold(self, leg: Leg, plan: CallPlan, activity: VoiceActivity, rang_at: float) -> None:
        """Until the call is over, which is on record then, whatever is raised. `activity` listens
        to legs of this kind; the call came at `rang_at`."""
        self._apologies.prepare(plan.apology, leg.clock_rate)
        is_ended = False
        held = self._held[plan.call_id] = _Held(leg)

        def emit(event: AnyEvent) -> None:
            nonlocal is_ended
            is_ended = is_ended or isinstance(event, CallEnded)
            if isinstance(event, CallAnswered):
                held.answered_at = self._clock.now()
                self._metrics.set_up(held.answered_at - rang_at)
                if held.recording is not None:
                    held.recording.answered(held.answered_at)
            self._emit(plan.call_id, event)

        try:
            prompts = await self._prompts.within(PROMPT_SECONDS, plan.prompts, leg.clock_rate)
            if plan.settings.record:
                held.recording = self._recordings.begin(plan.call_id, leg.clock_rate)
                await leg.record(held.recording.tap)
            conversation = Conversation(
                plan=plan,
                leg=leg,
                new_session=session_maker(plan),
                apology=self._apologies.speaker(plan.apology, leg.clock_rate),
                emit=emit,
                clock=self._clock,
                prompts=prompts,
                activity=activity,
            )
            self._add(plan.call_id, conversation)
            cause = await conversation.run()
            log.info("call.ended", cause=cause)
        finally:
            if held.recording is not None:
                held.recording.end()
            self._remove(plan.call_id)
            if not is_ended:
                self._emit(plan.call_id, CallEnded(cause=EndCause.INTERNAL_ERROR))

    async def overheard(self, call_id: str) -> Recording | None:
        """The call's sound, for those who listen; None while there is none."""
        held = self._held.get(call_id)
        if held is None or held.answered_at is None:
            return None
        if held.recording is None:
            held.recording = self._recordings.begin(call_id, held.leg.clock_rate, is_kept=False)
            held.recording.answered(held.answered_at)
            await held.leg.record(held.recording.tap)
        return held.recording

    def hang_up_all(self, cause: EndCause) -> None:
        for conversation in list(self.by_id.values()):
            conversation.hang_up(cause)

    def _add(self, call_id: str, conversation: Conversation) -> None:
        self.by_id[call_id] = conversation
        self._metrics.call_began(call_id, conversation.counts)
        self._on_change()

    def _remove(self, call_id: str) -> None:
        self.by_id.pop(call_id, None)
        self._held.pop(call_id, None)
        self.on_over(call_id)
        self._metrics.call_over(call_id)
        self._on_change()
