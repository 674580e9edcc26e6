"""Local voice activity: a decision a frame, and the hysteresis that makes turns of them.

Energy and WebRTC decide at once; the neural detector decides for all calls of the process together
(`media_worker.audio.neural`). `media_worker.audio.activity` has them listen.
"""

from __future__ import annotations

from collections import deque
from functools import partial
from typing import Final, Protocol

import _webrtcvad
import msgspec
import numpy as np
import webrtcvad
from numpy.typing import NDArray

from media_worker.contract import LocalVad

FRAME_MS: Final = 20
LEAST_DB: Final = -50.0
"""RMS level relative to full scale; below it nothing is speech."""
SILENCE_DB: Final = -100.0
SETTLED_MS: Final = 1000
"""Speech after which nobody asks how much of it there was (conversation.turns.SURE_MS is less)."""
_LOUDEST: Final = 32768.0
_SMALLEST: Final = 1e-20


class VadOnset(msgspec.Struct, frozen=True):
    """The caller began to speak; `at_ms` counts the audio fed since the beginning."""

    at_ms: int


class VadEnd(msgspec.Struct, frozen=True):
    """The caller has stopped; `at_ms` is where the speech ended, not where that was known."""

    at_ms: int


VadEvent = VadOnset | VadEnd

_PAIR: Final = b"\1\1"
"""Two frames of speech in a row, as marks."""


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

    @property
    def patience_ms(self) -> int:
        """So much must be fed before there can be news; 0: any frame may bring it."""
        if not self.speaking or self._speech_frames * self._frame_ms < SETTLED_MS:
            return 0
        return (self._silence_frames - self._silent_frames) * self._frame_ms

    def feed_all(self, decisions: list[bool]) -> list[VadEvent]:
        """Feed these one after the other; at once where speech goes on through them."""
        silent = decisions.count(False)
        if not self.speaking or self._silent_frames + silent >= self._silence_frames:
            events = [self.feed(is_speech) for is_speech in decisions]
            return [event for event in events if event is not None]
        marks = bytes([self._run > 0, *decisions])
        last_pair = marks.rfind(_PAIR)
        if last_pair >= 0:
            self._last_speech_ms = self._clock_ms + (last_pair + 1) * self._frame_ms
            self._silent_frames = marks.count(0, last_pair + 2)
        else:
            self._silent_frames += silent
        last_silent = marks.rfind(0)
        before = self._run - 1 if last_silent < 0 else 0
        self._run = len(decisions) - last_silent + before
        self._speech_frames += len(decisions) - silent
        self._clock_ms += len(decisions) * self._frame_ms
        return []

    def feed(self, is_speech: bool) -> VadEvent | None:
        self._clock_ms += self._frame_ms
        if not is_speech:
            self._run = 0
            return self._silent()
        self._run += 1
        self._speech_frames += 1
        if not self.speaking:
            return self._likely()
        if self._run >= 2:
            self._last_speech_ms, self._silent_frames = self._clock_ms, 0
        return None  # one speech frame is not silence, but does not undo the silence before it

    def _likely(self) -> VadOnset | None:
        if self._score == 0:
            self._began_ms, self._speech_frames = self._clock_ms - self._frame_ms, 1
        self._score += 1
        if self._score < self._onset_frames:
            return None
        self.speaking, self._score, self._silent_frames = True, 0, 0
        self._last_speech_ms = self._clock_ms
        return VadOnset(self._began_ms)

    def _silent(self) -> VadEnd | None:
        if not self.speaking:
            self._score = max(0, self._score - 1)
            return None
        self._silent_frames += 1
        if self._silent_frames < self._silence_frames:
            return None
        self.speaking = False
        return VadEnd(self._last_speech_ms)


class FrameDetector(Protocol):
    """Says of each frame of 20 ms at once whether it is speech."""

    def decide(self, pcm: bytes, levels: list[float]) -> list[bool]:
        """`pcm`: frames of 16-bit mono; `levels`: the RMS of each in dB below full scale."""
        ...


class EnergyDetector:
    """Speech is what stands out of the noise floor, itself the least level of the last 1.5 s.

    Noise floor by minimum statistics (R. Martin, 2001). Levels are dB below full scale.
    """

    MARGIN_DB: Final = 9.0
    HIGHEST_FLOOR_DB: Final = -38.0
    """Speech from the very first frame must not pass for noise."""
    _BLOCK_FRAMES: Final = 15
    _BLOCKS: Final = 5

    def __init__(self) -> None:
        self._minima: deque[float] = deque(maxlen=self._BLOCKS)
        self._before = 0.0
        """The least of the minima; no level is above it."""
        self._block = 0.0
        self._block_frames = 0
        self._limit = 0.0
        self._choose_limit()

    def decide(self, pcm: bytes, levels: list[float]) -> list[bool]:
        is_within = self._block_frames + len(levels) < self._BLOCK_FRAMES
        if is_within and min(levels) >= self._block:  # nothing new about the floor
            self._block_frames += len(levels)
            limit = self._limit
            return [level > limit for level in levels]
        return [self._stands_out(level) for level in levels]

    def _stands_out(self, level: float) -> bool:
        if level < self._block:
            self._block = level
            self._choose_limit()
        self._block_frames += 1
        if self._block_frames == self._BLOCK_FRAMES:
            self._minima.append(self._block)
            self._before = min(self._minima)
            self._block, self._block_frames = 0.0, 0
            self._choose_limit()
        return level > self._limit

    def _choose_limit(self) -> None:
        floor = min(self._before, self._block, self.HIGHEST_FLOOR_DB)
        self._limit = max(LEAST_DB, floor + self.MARGIN_DB)


class WebrtcDetector:
    """WebRTC's VAD at its strictest, behind a level gate: it calls very faint noise speech.

    It costs more than all else here, so of speech that is loud it sees one frame in four. The ends
    that it finds are as close to the true ones as when it sees all (`python -m bench.endings`).
    """

    STRICTEST: Final = 3
    LOUD_DB: Final = -30.0
    SURE_FRAMES: Final = 3
    """Of speech in a row, before frames are left out."""
    LEFT_OUT: Final = 3

    def __init__(self, clock_rate: int) -> None:
        self._samples = clock_rate * FRAME_MS // 1000
        self._run = self._to_leave_out = 0
        vad = webrtcvad.Vad(self.STRICTEST)
        # The package's own method costs as much again, to find out how long the frame is.
        self._process = partial(_webrtcvad.process, vad._vad, clock_rate)

    def decide(self, pcm: bytes, levels: list[float]) -> list[bool]:
        run, to_leave_out, found = self._run, self._to_leave_out, []
        process, samples = self._process, self._samples
        at, size = 0, 2 * samples
        for level in levels:
            if to_leave_out and level > self.LOUD_DB:
                to_leave_out -= 1
                found.append(True)
            elif level > LEAST_DB and process(pcm[at : at + size], samples):
                run += 1
                to_leave_out = self.LEFT_OUT if run >= self.SURE_FRAMES else 0
                found.append(True)
            else:
                run = to_leave_out = 0
                found.append(False)
            at += size
        self._run, self._to_leave_out = run, to_leave_out
        return found


def levels_of(frames: NDArray[np.int16]) -> NDArray[np.float32]:
    """RMS level of each frame of 16-bit samples (last axis) in dB full scale, at least -100."""
    sound = frames.astype(np.float32)
    full = _LOUDEST * _LOUDEST * frames.shape[-1]
    powers = np.maximum(np.vecdot(sound, sound) / full, _SMALLEST)
    levels: NDArray[np.float32] = np.maximum(10 * np.log10(powers), SILENCE_DB)
    return levels


def levels_db(pcm: bytes, frame_bytes: int) -> list[float]:
    """The same of each whole frame of PCM."""
    samples = np.frombuffer(pcm, dtype="<i2", count=len(pcm) // frame_bytes * frame_bytes // 2)
    levels: list[float] = levels_of(samples.reshape(-1, frame_bytes // 2)).tolist()
    return levels


def level_db(pcm: bytes) -> float:
    """RMS level of 16-bit PCM in dB relative to full scale; -100 for silence."""
    return levels_db(pcm, len(pcm))[0] if pcm else SILENCE_DB


def frame_detector(mode: LocalVad, clock_rate: int) -> FrameDetector:
    """A detector that needs nothing but the frames themselves."""
    match mode:
        case LocalVad.ENERGY:
            return EnergyDetector()
        case LocalVad.WEBRTC:
            return WebrtcDetector(clock_rate)
        case _:
            raise ValueError(f"{mode} is no detector of single frames")
