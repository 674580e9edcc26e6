"""The caller's speech: what goes up, when the caller began and stopped, what was understood."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final

from media_worker.audio.activity import Ear, Hears
from media_worker.audio.vad import FRAME_MS, VadEnd, VadEvent, VadOnset, levels_db
from media_worker.contract import LocalVad, Settings, VadMode
from media_worker.conversation.gate import gate_of
from media_worker.conversation.leg import Leg
from media_worker.conversation.timings import CallTime, Timings
from media_worker.conversation.transcript import Transcript
from media_worker.conversation.uplink import Uplink
from media_worker.realtime.session import CallerText, SpeechStarted, SpeechStopped, TurnCommitted

AUDIBLE_DB: Final = -42.0
"""RMS below full scale of speech on a quiet line; a telephone's noise lies below -50."""

CallerEvent = SpeechStarted | SpeechStopped | TurnCommitted | CallerText

Listen = Callable[[LocalVad, int, Hears], Ear]
"""Have our own VAD listen to the caller: how, and what silence ends speech, in ms."""


class CallerSpeech:
    """Moments are seconds on the call's clock. `hears` is told what our own VAD hears."""

    def __init__(
        self,
        settings: Settings,
        leg: Leg,
        time: CallTime,
        transcript: Transcript,
        timings: Timings,
        listen: Listen,
        hears: Hears,
    ) -> None:
        # turns that our own VAD ends need one even where none is chosen
        listens = settings.local_vad is not LocalVad.OFF or settings.vad_mode is VadMode.LOCAL
        gate = gate_of(settings, leg.clock_rate) if listens and settings.vad_gates_audio else None
        self.uplink = Uplink(leg.capture, leg.clock_rate, settings.chunk_ms, gate)
        self.is_gated = gate is not None
        self._counts_silence = bool(settings.idle_timeout_ms)
        self._leg = leg
        self._time = time
        self._transcript = transcript
        self._timings = timings
        self._clock_rate = leg.clock_rate
        self._hears = hears
        self._ear = (
            listen(settings.local_vad, settings.silence_duration_ms, self._on_vad)
            if listens
            else None
        )
        self._latest = b""
        self._owns_turns = settings.vad_mode is VadMode.LOCAL
        is_server_vad = settings.vad_mode is VadMode.SERVER
        # speech_started's place includes the padding, speech_stopped's the silence waited for
        self._padding_ms = settings.prefix_padding_ms if is_server_vad else 0
        self._silence_ms = settings.silence_duration_ms if is_server_vad else 0
        self._heard_until = 0.0
        """When the last of what was captured came as RTP."""
        self._began = 0.0
        self._stopped = 0.0
        self._words_came = asyncio.Event()

    def take(self, event: CallerEvent, now: float) -> None:
        match event:
            case SpeechStarted(audio_ms=audio_ms):
                self._start(self.uplink.moment(audio_ms + self._padding_ms, self._heard_until))
            case SpeechStopped(audio_ms=audio_ms):
                at = self.uplink.moment(audio_ms - self._silence_ms, self._heard_until)
                self._stop(at, now)
            case TurnCommitted(item_id=item_id, previous_item_id=previous):
                self._transcript.caller_turn(
                    item_id,
                    previous,
                    offset_ms=self._time.ms(self._began or now),
                    duration_ms=round((self._stopped - self._began) * 1000),
                )
                self._began = self._stopped = 0.0  # a turn may be committed without any speech
            case CallerText(item_id=item_id, text=text, final=final):
                if text.strip():
                    self._transcript.caller_text(
                        item_id, text, final=final, offset_ms=self._time.ms(now)
                    )
                elif final:
                    self._transcript.no_words(item_id)
                self._words_came.set()

    async def last_words(self) -> None:
        """Return when the words of every turn of the caller have come."""
        while self._transcript.awaits_words:
            self._words_came.clear()
            await self._words_came.wait()

    def pull(self) -> None:
        """Take what was said since the last tick."""
        self._latest = self.uplink.pull()
        if self._latest:
            self._heard_until = self._arrived()

    def hold(self, held: bool) -> None:
        """The call is on hold, or back: until then nothing is sent and nobody listens."""
        self.uplink.held = held
        if self._ear is not None:
            self._ear.is_deaf = held

    def send(self, *, provider_hears: bool, agent_speaks: bool) -> None:
        """Send up what is speech. Besides, the provider must hear the end of what it began to hear,
        and where it counts the caller's silence, it must hear that."""
        is_open = (
            provider_hears
            or (self._counts_silence and not agent_speaks)
            or (self._ear is not None and self._ear.speaking)
        )
        self.uplink.send(is_open=is_open)

    def close(self) -> None:
        if self._ear is not None:
            self._ear.close()

    @property
    def speech_ms(self) -> int:
        """How much speech our own VAD has heard since its onset; 0 while it hears none."""
        return self._ear.speech_ms if self._ear else 0

    @property
    def began(self) -> float:
        """When the caller began to speak, as of the last SpeechStarted."""
        return self._began

    def audible_ms(self) -> int:
        """How much of what came with the last tick was sound. By frames, since after a stall of
        the machine one tick brings many."""
        size = self._clock_rate * FRAME_MS // 1000 * 2
        return sum(FRAME_MS for level in levels_db(self._latest, size) if level > AUDIBLE_DB)

    def spoken_at(self, event: VadEvent) -> float:
        """When that was which our own VAD has heard just now."""
        heard_ms = self._ear.heard_ms if self._ear else 0
        return self._arrived() - (heard_ms - event.at_ms) / 1000

    def _arrived(self) -> float:
        """When that came as RTP which has come out of the jitter buffer just now."""
        return self._time.now() - self._leg.capture_delay_ms / 1000

    def _on_vad(self, event: VadEvent) -> None:
        if self._owns_turns:
            self._take_own(event)
        self._hears(event)

    def _take_own(self, event: VadEvent) -> None:
        at = self.spoken_at(event)
        match event:
            case VadOnset():
                self._start(at)
            case VadEnd():
                self._stop(at, self._time.now())
                self.uplink.flush()  # where a short silence ends a turn, its end may wait here

    def _start(self, at: float) -> None:
        self._began = self._stopped = at
        self._timings.caller_started()

    def _stop(self, at: float, now: float) -> None:
        self._stopped = max(at, self._began)
        self._timings.caller_stopped(self._stopped, known_at=now)
