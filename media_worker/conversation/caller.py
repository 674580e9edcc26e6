"""The caller's speech: what goes up, when the caller began and stopped, what was understood."""

from __future__ import annotations

from typing import Final

from media_worker.audio.neural import NeuralVad
from media_worker.audio.vad import (
    FRAME_MS,
    Detector,
    LocalVadDetector,
    VadEnd,
    VadEvent,
    VadOnset,
    frame_detector,
    levels_db,
)
from media_worker.contract import LocalVad, Settings, VadMode
from media_worker.conversation.gate import gate_of
from media_worker.conversation.leg import Leg
from media_worker.conversation.timings import CallTime, Timings
from media_worker.conversation.transcript import Transcript
from media_worker.conversation.uplink import Uplink, pace_ms
from media_worker.realtime.session import CallerText, SpeechStarted, SpeechStopped, TurnCommitted

AUDIBLE_DB: Final = -42.0
"""RMS below full scale of speech on a quiet line; a telephone's noise lies below -50."""

CallerEvent = SpeechStarted | SpeechStopped | TurnCommitted | CallerText


class CallerSpeech:
    """Moments are seconds on the call's clock."""

    def __init__(
        self,
        settings: Settings,
        leg: Leg,
        time: CallTime,
        transcript: Transcript,
        timings: Timings,
        neural: NeuralVad | None,
    ) -> None:
        listens = settings.local_vad is not LocalVad.OFF or settings.vad_mode is VadMode.LOCAL
        self.every_ms = pace_ms(settings.chunk_ms, listens=listens)
        """So often what the caller says is to be taken."""
        gate = gate_of(settings, leg.clock_rate) if listens and settings.vad_gates_audio else None
        self.uplink = Uplink(leg.capture, leg.clock_rate, settings.chunk_ms, self.every_ms, gate)
        self.is_gated = gate is not None
        self._counts_silence = bool(settings.idle_timeout_ms)
        self._leg = leg
        self._time = time
        self._transcript = transcript
        self._timings = timings
        self._clock_rate = leg.clock_rate
        self._vad = _detector(settings, leg.clock_rate, neural)
        self._vad_ms = 0.0
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

    def listen(self) -> None:
        """Take what was said since the last tick; `events` says what our own VAD makes of it."""
        pcm = self._latest = self.uplink.pull()
        if pcm:
            self._heard_until = self._time.now() - self._leg.capture_delay_ms / 1000
        if self._vad is not None and pcm:
            self._vad_ms += len(pcm) / 2 * 1000 / self._clock_rate
            self._vad.feed(pcm)

    def events(self, now: float) -> list[VadEvent]:
        """What our own VAD has heard by now."""
        if self._vad is None:
            return []
        events = self._vad.events()
        if self._owns_turns:
            for event in events:
                self._take_own(event, now)
        return events

    def send(self, *, provider_hears: bool, agent_speaks: bool) -> None:
        """Send up what is speech. Besides, the provider must hear the end of what it began to hear,
        and where it counts the caller's silence, it must hear that."""
        is_open = (
            provider_hears
            or (self._counts_silence and not agent_speaks)
            or (self._vad is not None and self._vad.speaking)
        )
        self.uplink.send(is_open=is_open)

    def close(self) -> None:
        if self._vad is not None:
            self._vad.close()

    @property
    def speech_ms(self) -> int:
        """How much speech our own VAD has heard since its onset; 0 while it hears none."""
        return self._vad.speech_ms if self._vad else 0

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
        return self._heard_until - (self._vad_ms - event.at_ms) / 1000

    def _take_own(self, event: VadEvent, now: float) -> None:
        at = self.spoken_at(event)
        match event:
            case VadOnset():
                self._start(at)
            case VadEnd():
                self._stop(at, now)

    def _start(self, at: float) -> None:
        self._began = self._stopped = at
        self._timings.caller_started()

    def _stop(self, at: float, now: float) -> None:
        self._stopped = max(at, self._began)
        self._timings.caller_stopped(self._stopped, known_at=now)


def _detector(
    settings: Settings, clock_rate: int, neural: NeuralVad | None
) -> LocalVadDetector | None:
    """Turns that our own VAD ends need one even where none is chosen."""
    mode = settings.local_vad
    if mode is LocalVad.OFF and settings.vad_mode is not VadMode.LOCAL:
        return None
    if mode is LocalVad.NEURAL and neural is not None:
        detector: Detector = neural.open()
    else:  # the next best where there is no model on this machine; the worker's log says so
        frame_mode = LocalVad.ENERGY if mode is LocalVad.ENERGY else LocalVad.WEBRTC
        detector = frame_detector(frame_mode, clock_rate)
    return LocalVadDetector(detector, silence_ms=settings.silence_duration_ms)
