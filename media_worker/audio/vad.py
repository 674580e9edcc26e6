"""Local voice activity: a decision a frame, and the hysteresis that makes turns of them.

Energy and WebRTC decide at once; the neural detector decides for all calls of the process together
(`media_worker.audio.neural`). So there are two steps for all of them: `feed` what came, then ask
for the `events`.
"""

from __future__ import annotations

from collections import deque
from math import log10
from typing import Final, Protocol

import msgspec
import numpy as np
import webrtcvad

from media_worker.contract import LocalVad

FRAME_MS: Final = 20
ONSET_MS: Final = 60
LEAST_DB: Final = -50.0
"""RMS level relative to full scale; below it nothing is speech."""
SILENCE_DB: Final = -100.0
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
        self._speech_frames = 0
        self._began_ms = 0
        self._run = 0
        self._last_speech_ms = 0
        self._silent_frames = 0

    @property
    def speech_ms(self) -> int:
        """Speech frames since the onset, without the pauses between them; 0 while nobody speaks."""
        return self._speech_frames * self._frame_ms if self.speaking else 0

    def feed(self, is_speech: bool) -> VadEvent | None:
        start = self._clock_ms
        self._clock_ms += self._frame_ms
        self._run = self._run + 1 if is_speech else 0
        self._speech_frames += is_speech
        return self._look_for_end() if self.speaking else self._look_for_onset(start, is_speech)

    def _look_for_onset(self, start: int, is_speech: bool) -> VadOnset | None:
        if is_speech and self._score == 0:
            self._began_ms, self._speech_frames = start, 1
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


class Detector(Protocol):
    """Says of each frame of `frame_ms` whether it is speech."""

    frame_ms: int

    def feed(self, pcm: bytes) -> None:
        """16-bit mono PCM of any length; what is short of a frame waits for the next call."""
        ...

    def decisions(self) -> list[bool]:
        """Of the frames that were decided since the last call, oldest first."""
        ...

    def close(self) -> None:
        """No more will come."""
        ...


class _FrameByFrame:
    """A detector that looks at one frame of 20 ms after the other, and first at its level."""

    frame_ms = FRAME_MS

    def __init__(self, clock_rate: int) -> None:
        self._frame_bytes = clock_rate * FRAME_MS // 1000 * 2
        self._rest = b""
        self._decisions: list[bool] = []

    def _is_speech(self, frame: bytes, level: float) -> bool:
        raise NotImplementedError

    def feed(self, pcm: bytes) -> None:
        data = self._rest + pcm
        size = self._frame_bytes
        whole = len(data) - len(data) % size
        self._rest = data[whole:]
        levels = levels_db(data[:whole], size)
        self._decisions += [
            self._is_speech(data[number * size : (number + 1) * size], level)
            for number, level in enumerate(levels)
        ]

    def decisions(self) -> list[bool]:
        decisions, self._decisions = self._decisions, []
        return decisions

    def close(self) -> None:
        self._rest = b""


class EnergyDetector(_FrameByFrame):
    """Speech is what stands out of the noise floor, itself the least level of the last 1.5 s.

    Noise floor by minimum statistics (R. Martin, 2001). Levels are dB below full scale.
    """

    MARGIN_DB: Final = 9.0
    HIGHEST_FLOOR_DB: Final = -38.0
    """Speech from the very first frame must not pass for noise."""
    _BLOCK_FRAMES: Final = 15
    _BLOCKS: Final = 5

    def __init__(self, clock_rate: int) -> None:
        super().__init__(clock_rate)
        self._minima: deque[float] = deque(maxlen=self._BLOCKS)
        self._before = 0.0
        """The least of the minima; no level is above it."""
        self._block = 0.0
        self._block_frames = 0

    def _is_speech(self, frame: bytes, level: float) -> bool:
        self._block = min(self._block, level)
        floor = min(self._before, self._block)
        self._block_frames += 1
        if self._block_frames == self._BLOCK_FRAMES:
            self._minima.append(self._block)
            self._before = min(self._minima)
            self._block, self._block_frames = 0.0, 0
        return level > max(LEAST_DB, min(floor, self.HIGHEST_FLOOR_DB) + self.MARGIN_DB)


class WebrtcDetector(_FrameByFrame):
    """WebRTC's VAD at its strictest, behind a level gate: it calls very faint noise speech."""

    STRICTEST: Final = 3

    def __init__(self, clock_rate: int) -> None:
        super().__init__(clock_rate)
        self._clock_rate = clock_rate
        self._vad = webrtcvad.Vad(self.STRICTEST)

    def _is_speech(self, frame: bytes, level: float) -> bool:
        return level > LEAST_DB and bool(self._vad.is_speech(frame, self._clock_rate))


def levels_db(pcm: bytes, frame_bytes: int) -> list[float]:
    """RMS level of each whole frame of 16-bit PCM in dB below full scale, -100 for silence."""
    samples = np.frombuffer(pcm, dtype="<i2", count=len(pcm) // frame_bytes * frame_bytes // 2)
    frames = samples.astype(np.float32).reshape(-1, frame_bytes // 2)
    powers: list[float] = np.vecdot(frames, frames).tolist()
    full = _LOUDEST * _LOUDEST * frame_bytes / 2
    return [max(SILENCE_DB, 10 * log10(power / full)) if power else SILENCE_DB for power in powers]


def level_db(pcm: bytes) -> float:
    """RMS level of 16-bit PCM in dB relative to full scale; -100 for silence."""
    return levels_db(pcm, len(pcm))[0] if pcm else SILENCE_DB


class LocalVadDetector:
    """Says when the caller begins and stops, by what a detector makes of the frames."""

    def __init__(self, detector: Detector, *, silence_ms: int, onset_ms: int = ONSET_MS) -> None:
        self._detector = detector
        self._hysteresis = Hysteresis(
            onset_ms=onset_ms, silence_ms=silence_ms, frame_ms=detector.frame_ms
        )

    @property
    def speaking(self) -> bool:
        return self._hysteresis.speaking

    @property
    def speech_ms(self) -> int:
        """How much of the speech that goes on was speech; 0 while nobody speaks."""
        return self._hysteresis.speech_ms

    def feed(self, pcm: bytes) -> None:
        self._detector.feed(pcm)

    def events(self) -> list[VadEvent]:
        """What came of the audio fed so far, as far as it is decided."""
        feed = self._hysteresis.feed
        return [event for said in self._detector.decisions() if (event := feed(said)) is not None]

    def close(self) -> None:
        self._detector.close()


def frame_detector(mode: LocalVad, clock_rate: int) -> Detector:
    """A detector that needs nothing but the frames themselves."""
    match mode:
        case LocalVad.ENERGY:
            return EnergyDetector(clock_rate)
        case LocalVad.WEBRTC:
            return WebrtcDetector(clock_rate)
        case _:
            raise ValueError(f"{mode} is no detector of single frames")
