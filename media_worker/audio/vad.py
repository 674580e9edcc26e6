"""Local voice activity: a decision a frame, and the hysteresis that makes turns of them."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from math import log10
from typing import Final

import msgspec
import numpy as np
import webrtcvad

from media_worker.contract import LocalVad

FRAME_MS: Final = 20
_LOUDEST: Final = 32768.0


class VadOnset(msgspec.Struct, frozen=True):
    """The caller began to speak; `at_ms` counts the audio fed since the beginning."""

    at_ms: int


class VadEnd(msgspec.Struct, frozen=True):
    """The caller has stopped; `at_ms` is where the speech ended, not where that was known."""

    at_ms: int


VadEvent = VadOnset | VadEnd


class Hysteresis:
    """Turns decisions a frame into onsets and ends.

    Speech begins after `onset_ms` of speech frames (each silent one takes one away again), and
    ends after `silence_ms` without two speech frames in a row: a click does not keep a turn open.
    """

    def __init__(self, *, onset_ms: int, silence_ms: int, frame_ms: int = FRAME_MS) -> None:
        self.speaking = False
        self._frame_ms = frame_ms
        self._onset_frames = max(1, -(-onset_ms // frame_ms))
        self._silence_frames = max(1, -(-silence_ms // frame_ms))
        self._clock_ms = 0
        self._score = 0
        self._began_ms = 0
        self._run = 0
        self._last_speech_ms = 0
        self._silent_frames = 0

    def feed(self, is_speech: bool) -> VadEvent | None:
        start = self._clock_ms
        self._clock_ms += self._frame_ms
        self._run = self._run + 1 if is_speech else 0
        return self._look_for_end() if self.speaking else self._look_for_onset(start, is_speech)

    def _look_for_onset(self, start: int, is_speech: bool) -> VadOnset | None:
        if is_speech and self._score == 0:
            self._began_ms = start
        self._score = max(0, self._score + (1 if is_speech else -1))
        if self._score < self._onset_frames:
            return None
        self.speaking, self._score, self._silent_frames = True, 0, 0
        self._last_speech_ms = self._clock_ms
        return VadOnset(self._began_ms)

    def _look_for_end(self) -> VadEnd | None:
        if self._run >= 2:
            self._last_speech_ms, self._silent_frames = self._clock_ms, 0
        if self._run:  # one speech frame is not silence, but does not undo the silence before it
            return None
        self._silent_frames += 1
        if self._silent_frames < self._silence_frames:
            return None
        self.speaking = False
        return VadEnd(self._last_speech_ms)


class EnergyDetector:
    """Speech is what stands out of the noise floor, itself the least level of the last 1.5 s.

    Noise floor by minimum statistics (R. Martin, 2001). Levels are dB below full scale.
    """

    MARGIN_DB: Final = 9.0
    LEAST_DB: Final = -50.0
    """Below this nothing is speech."""
    HIGHEST_FLOOR_DB: Final = -38.0
    """Speech from the very first frame must not pass for noise."""
    _BLOCK_FRAMES: Final = 15
    _BLOCKS: Final = 5

    def __init__(self) -> None:
        self._block: list[float] = []
        self._minima: deque[float] = deque(maxlen=self._BLOCKS)

    def is_speech(self, frame: bytes) -> bool:
        level = level_db(frame)
        floor = min([*self._minima, *self._block, level])
        self._block.append(level)
        if len(self._block) == self._BLOCK_FRAMES:
            self._minima.append(min(self._block))
            self._block = []
        return level > max(self.LEAST_DB, min(floor, self.HIGHEST_FLOOR_DB) + self.MARGIN_DB)


class WebrtcDetector:
    """WebRTC's VAD at its strictest, behind a level gate: it calls very faint noise speech."""

    STRICTEST: Final = 3

    def __init__(self, clock_rate: int) -> None:
        self._clock_rate = clock_rate
        self._vad = webrtcvad.Vad(self.STRICTEST)

    def is_speech(self, frame: bytes) -> bool:
        return level_db(frame) > EnergyDetector.LEAST_DB and bool(
            self._vad.is_speech(frame, self._clock_rate)
        )


def level_db(pcm: bytes) -> float:
    """RMS level of 16-bit PCM in dB relative to full scale; -100 for silence."""
    samples = np.frombuffer(pcm, dtype="<i2").astype(np.float64)
    if not len(samples):
        return -100.0
    rms = float(np.sqrt(samples @ samples / len(samples)))
    return max(-100.0, 20 * log10(rms / _LOUDEST)) if rms else -100.0


class LocalVadDetector:
    """Feeds PCM of any length to the detector of `mode`; says when the caller begins and stops."""

    def __init__(
        self, mode: LocalVad, clock_rate: int, *, silence_ms: int, onset_ms: int = 60
    ) -> None:
        self._is_speech = _detector(mode, clock_rate)
        self._hysteresis = Hysteresis(onset_ms=onset_ms, silence_ms=silence_ms)
        self._frame_bytes = clock_rate * FRAME_MS // 1000 * 2
        self._rest = b""

    @property
    def speaking(self) -> bool:
        return self._hysteresis.speaking

    def feed(self, pcm: bytes) -> list[VadEvent]:
        """16-bit mono PCM; what is short of a frame waits for the next call."""
        data = self._rest + pcm
        size = self._frame_bytes
        whole = len(data) - len(data) % size
        self._rest = data[whole:]
        decisions = (self._is_speech(data[at : at + size]) for at in range(0, whole, size))
        return [event for said in decisions if (event := self._hysteresis.feed(said)) is not None]


def _detector(mode: LocalVad, clock_rate: int) -> Callable[[bytes], bool]:
    match mode:
        case LocalVad.ENERGY:
            return EnergyDetector().is_speech
        case LocalVad.WEBRTC:
            return WebrtcDetector(clock_rate).is_speech
        case LocalVad.OFF:
            raise ValueError("local VAD is off: no detector to make")
