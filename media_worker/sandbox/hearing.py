"""What the client appends: the session's audio clock, the audio not yet committed, and the VAD."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import soxr
import webrtcvad

from media_worker.audio import g711
from media_worker.audio.vad import FRAME_MS, Hysteresis, VadEnd, VadOnset, level_db
from media_worker.contract import AudioFormat

VAD_RATE: Final = 8000
FRAME_BYTES: Final = VAD_RATE // 1000 * FRAME_MS * 2
ONSET_MS: Final = 60
SPARE_MS: Final = 2000
"""Kept beyond the prefix padding while nobody speaks."""
MAX_KEPT_MS: Final = 600_000
"""Kept of audio that is never committed; older audio is forgotten."""
SEMANTIC_SILENCE_MS: Final = {"high": 300, "medium": 700, "auto": 700, "low": 1600}
"""Stands for the model that guesses whether a caller has finished: the more eager, the sooner."""
_RATES: Final = {AudioFormat.PCM_24K: 24000, AudioFormat.PCMU: 8000, AudioFormat.PCMA: 8000}


@dataclass(frozen=True)
class SpeechStarted:
    at_ms: int
    """Where speech began on the audio clock, without prefix padding."""
    clock_ms: int


@dataclass(frozen=True)
class SpeechStopped:
    clock_ms: int
    """The audio clock when the silence was long enough: what was said ends here."""


class InputBuffer:
    """Appended audio in its own rate; cut out by the audio clock, given as PCM16 at 8 kHz."""

    def __init__(self, fmt: AudioFormat) -> None:
        self._fmt = fmt
        self._rate = _RATES[fmt]
        self._pcm = bytearray()
        self._odd = b""
        self._begin_ms = 0.0

    @property
    def clock_ms(self) -> float:
        """Milliseconds appended since the session began."""
        return self._begin_ms + self.length_ms

    @property
    def length_ms(self) -> float:
        return len(self._pcm) / 2 / self._rate * 1000

    def change_format(self, fmt: AudioFormat) -> None:
        """What was appended in another format is forgotten; the clock goes on."""
        if fmt is not self._fmt:
            self.clear()
            self._fmt, self._rate = fmt, _RATES[fmt]

    def append(self, data: bytes) -> bytes:
        """Returns the same audio for the VAD: PCM16 at 8 kHz."""
        if self._fmt is AudioFormat.PCMU:
            pcm = g711.decode_mu_law(data)
        elif self._fmt is AudioFormat.PCMA:
            pcm = g711.decode_a_law(data)
        else:
            data = self._odd + data
            whole = len(data) - len(data) % 6  # three samples at 24 kHz are one at 8
            pcm, self._odd = data[:whole], data[whole:]
        self._pcm += pcm
        self.keep(MAX_KEPT_MS)
        if self._rate == VAD_RATE:
            return pcm
        thirds = np.frombuffer(pcm, "<i2").reshape(-1, 3)
        narrow: bytes = thirds.mean(axis=1).astype("<i2").tobytes()
        return narrow

    def take(self, start_ms: float, end_ms: float) -> bytes:
        """The audio between two times, PCM16 at 8 kHz; all before the end is gone after it."""
        pcm = bytes(self._pcm[self._offset(start_ms) : self._offset(end_ms)])
        self._drop(self._offset(end_ms))
        if self._rate == VAD_RATE or not pcm:
            return pcm
        samples = np.frombuffer(pcm, "<i2").astype(np.float32)
        narrow = np.clip(soxr.resample(samples, self._rate, VAD_RATE), -32768, 32767)
        return bytes(narrow.astype("<i2").tobytes())

    def keep(self, length_ms: float) -> None:
        self._drop(self._offset(self.clock_ms - length_ms))

    def clear(self) -> None:
        self._drop(len(self._pcm))
        self._odd = b""

    def _offset(self, at_ms: float) -> int:
        samples = round((at_ms - self._begin_ms) * self._rate / 1000)
        return max(0, min(len(self._pcm), samples * 2))

    def _drop(self, size: int) -> None:
        del self._pcm[:size]
        self._begin_ms += size / 2 / self._rate * 1000


class Listener:
    """Server VAD: frames of 20 ms in, beginnings and ends of speech out."""

    def __init__(self) -> None:
        self._sensitivity: tuple[Any, ...] | None = None
        self._hysteresis: Hysteresis | None = None
        self._vad = webrtcvad.Vad(2)
        self._least_db = 0.0
        self._rest = b""
        self._clock_ms = 0
        self._hysteresis_began_ms = 0

    @property
    def is_speaking(self) -> bool:
        return self._hysteresis is not None and self._hysteresis.speaking

    def configure(self, detection: dict[str, Any] | None) -> None:
        """A change of who answers or interrupts leaves speech that is heard right now alone."""
        names = ("type", "threshold", "silence_duration_ms", "eagerness")
        sensitivity = tuple(detection.get(name) for name in names) if detection else None
        if sensitivity == self._sensitivity:
            return
        self._sensitivity = sensitivity
        self._hysteresis = None
        if detection is not None:
            threshold = detection.get("threshold", 0.5)
            self._vad.set_mode(1 if threshold < 0.3 else 2 if threshold < 0.7 else 3)
            self._least_db = least_db(threshold)
            self._hysteresis = Hysteresis(onset_ms=ONSET_MS, silence_ms=_silence_ms(detection))
            self._hysteresis_began_ms = self._clock_ms

    def feed(self, pcm: bytes) -> list[SpeechStarted | SpeechStopped]:
        """PCM16 at 8 kHz, any length."""
        audio = self._rest + pcm
        whole = len(audio) - len(audio) % FRAME_BYTES
        self._rest = audio[whole:]
        heard: list[SpeechStarted | SpeechStopped] = []
        for start in range(0, whole, FRAME_BYTES):
            self._clock_ms += FRAME_MS
            if self._hysteresis is None:
                continue
            event = self._hysteresis.feed(self._is_speech(audio[start : start + FRAME_BYTES]))
            if isinstance(event, VadOnset):
                at_ms = self._hysteresis_began_ms + event.at_ms
                heard.append(SpeechStarted(at_ms, self._clock_ms))
            elif isinstance(event, VadEnd):
                heard.append(SpeechStopped(self._clock_ms))
        return heard

    def _is_speech(self, frame: bytes) -> bool:
        """A voice, and loud enough for the threshold."""
        return level_db(frame) >= self._least_db and self._vad.is_speech(frame, VAD_RATE)


def least_db(threshold: float) -> float:
    """Level in dBFS that speech must have; a normal voice (-22) passes 0.9 and not 1."""
    return float(np.interp(threshold, (0.0, 0.5, 0.9, 1.0), (-60.0, -42.0, -25.0, -12.0)))


def _silence_ms(detection: dict[str, Any]) -> int:
    if detection["type"] == "semantic_vad":
        return SEMANTIC_SILENCE_MS[detection["eagerness"]]
    silence: int = detection["silence_duration_ms"]
    return max(FRAME_MS, silence)
