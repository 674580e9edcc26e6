"""How far from the true ends of speech WebRTC's VAD finds them: seeing all, and as we ask it.

`python -m bench.endings`: stretches of the callers' speech with silence between them, over noise of
several levels. Prints the share of frames that the detector saw, and by how many ms beginnings and
ends are off (percentiles, and the mean without its sign).
"""

from __future__ import annotations

import sys
from typing import Final

import numpy as np
import webrtcvad
from numpy.typing import NDArray

from bench.speech import RATE, load_speech
from media_worker.audio.vad import (
    FRAME_MS,
    LEAST_DB,
    Hysteresis,
    VadEnd,
    VadOnset,
    WebrtcDetector,
    levels_db,
)

RECORDINGS: Final = 80
STRETCHES: Final = 12
NOISES: Final = (5, 30, 100, 300)
"""RMS in 16-bit units: -76, -61, -50 and -41 dB full scale."""
FRAME_BYTES: Final = RATE * FRAME_MS // 1000 * 2
PERCENTILES: Final = (5, 50, 95)

Stretch = tuple[float, float]


class Seen:
    """The detector as it is, and every frame; counts what the detector is asked."""

    def __init__(self, *, is_ours: bool) -> None:
        self.asked = self.frames = 0
        self.onsets: list[float] = []
        self.ends: list[float] = []
        self._is_ours = is_ours

    def hear(self, pcm: bytes, spoken: list[Stretch]) -> None:
        levels = levels_db(pcm, FRAME_BYTES)
        decisions = self._ours(pcm, levels) if self._is_ours else self._all(pcm, levels)
        self.frames += len(levels)
        events = Hysteresis(onset_ms=60, silence_ms=500).feed_all(decisions)
        onsets = np.array([event.at_ms for event in events if isinstance(event, VadOnset)])
        ends = np.array([event.at_ms for event in events if isinstance(event, VadEnd)])
        for begin, end in spoken:
            self.onsets += off_by(onsets, begin)
            self.ends += off_by(ends, end)

    def _ours(self, pcm: bytes, levels: list[float]) -> list[bool]:
        detector = WebrtcDetector(RATE)
        process = detector._process

        def ask(frame: bytes, samples: int) -> bool:
            self.asked += 1
            return bool(process(frame, samples))

        detector._process = ask  # type: ignore[assignment]
        return detector.decide(pcm, levels)

    def _all(self, pcm: bytes, levels: list[float]) -> list[bool]:
        vad = webrtcvad.Vad(WebrtcDetector.STRICTEST)
        frames = [pcm[at : at + FRAME_BYTES] for at in range(0, len(pcm), FRAME_BYTES)]
        self.asked += sum(level > LEAST_DB for level in levels)
        return [
            level > LEAST_DB and vad.is_speech(frame, RATE)
            for frame, level in zip(frames, levels, strict=True)
        ]

    def line(self, name: str) -> str:
        parts = [f"{name:12} saw {self.asked / self.frames:4.0%}"]
        for what, values in (("beginnings", self.onsets), ("ends", self.ends)):
            percentiles = " ".join(f"{ms:5.0f}" for ms in np.percentile(values, PERCENTILES))
            parts.append(f"{what} {percentiles}, mean {np.mean(np.abs(values)):4.0f} ms")
        return "   ".join(parts)


def off_by(found: NDArray[np.int64], true_ms: float) -> list[float]:
    """The nearest of those that were found, less the true one."""
    if not len(found):
        return []
    return [float(found[np.argmin(np.abs(found - true_ms))] - true_ms)]


def recording(speech: NDArray[np.int16], rng: np.random.Generator) -> tuple[bytes, list[Stretch]]:
    """Stretches of 0.3-4 s with 0.7-2.5 s between them, each as loud as it likes; where, in ms."""
    parts: list[NDArray[np.floating]] = []
    spoken: list[Stretch] = []
    place = 0
    for _ in range(STRETCHES):
        length, pause = int(rng.uniform(0.3, 4) * RATE), int(rng.uniform(0.7, 2.5) * RATE)
        first = int(rng.integers(0, len(speech) - length))
        parts += [speech[first : first + length] * rng.uniform(0.2, 1), np.zeros(pause)]
        spoken.append((place / RATE * 1000, (place + length) / RATE * 1000))
        place += length + pause
    sound = np.concatenate(parts)
    sound += rng.normal(0, rng.choice(NOISES), len(sound))
    whole = len(sound) - len(sound) % (FRAME_BYTES // 2)
    return sound[:whole].clip(-32768, 32767).astype("<i2").tobytes(), spoken


def main() -> None:
    rng = np.random.default_rng(1)
    speech = load_speech()
    said = speech.pcm(0, speech.loop)
    every, ours = Seen(is_ours=False), Seen(is_ours=True)
    for _ in range(RECORDINGS):
        pcm, spoken = recording(said, rng)
        every.hear(pcm, spoken)
        ours.hear(pcm, spoken)
    sys.stdout.write(f"{every.line('all frames')}\n{ours.line('as we ask')}\n")


if __name__ == "__main__":
    main()
