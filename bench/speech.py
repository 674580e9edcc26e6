"""What the callers say: real speech with its pauses, none of them silent, cut into RTP payloads.

The speech is synthesised once (media_worker.speech) and kept in the user's cache. A low noise is
laid under it, so that (1) no frame of it is silence, in a pause neither: silence that comes back is
a gap, and (2) every stretch of 40 ms differs from every other, which is the mark by which `measure`
finds a place again at the provider and in the RTP that comes back. The mark survives G.711 and
resampling.
"""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from media_worker.audio import g711
from media_worker.speech import render_cached

RATE: Final = 8000
FRAME_SAMPLES: Final = 160
"""20 ms"""
NOISE_PEAK: Final = 175
"""16-bit units, an RMS of -50 dB full scale: louder than silence (132), yet a pause (256)."""
SPOKEN_PEAK: Final = 2000
"""A frame that reaches it is no pause."""
LOUDEST_PEAK: Final = 20000

TEXT: Final = (
    "Hello, I would like to make an appointment for next Tuesday, in the morning if that is"
    " possible, or else on Thursday after four. My daughter has had a cough for about a week, and"
    " since yesterday she also has a fever. We were with you in the spring, when she was vaccinated"
    " so you should have all her papers. I can bring the insurance card, and if the doctor wishes"
    " it, the letter from the hospital as well. Could you tell me how long we may have to wait, and"
    " whether there is a place for the car behind the house? The number where you can reach me is"
    " three zero five, two two seven, nine one eight four. I am at work until five, after that you"
    " will find me at home. Thank you very much for your help, and have a pleasant afternoon."
)


class Speech:
    """Frames of µ-law. `loop` frames of speech, then one second of faint noise that loops too."""

    QUIET_FRAMES: Final = 50

    def __init__(self, pcm: NDArray[np.int16]) -> None:
        usable = len(pcm) - len(pcm) % FRAME_SAMPLES
        rng = np.random.default_rng(7)
        quiet = rng.integers(-8, 9, self.QUIET_FRAMES * FRAME_SAMPLES).astype(np.int16)
        octets = g711.encode_mu_law(np.concatenate([pcm[:usable], quiet]).tobytes())
        self.frames = np.frombuffer(octets, np.uint8).reshape(-1, FRAME_SAMPLES)
        self.loop = usable // FRAME_SAMPLES
        self.quiet_start = self.loop
        self.following = np.arange(1, len(self.frames) + 1)
        """The frame after each."""
        self.following[self.loop - 1] = 0
        self.following[-1] = self.quiet_start
        peaks = np.abs(self.pcm(0, self.loop).astype(np.int32)).reshape(-1, FRAME_SAMPLES)
        self._spoken = np.flatnonzero(peaks.max(axis=1) >= SPOKEN_PEAK)

    def spoken_from(self, frame: int) -> int:
        """The first frame from this one on that is no pause."""
        at = int(np.searchsorted(self._spoken, frame))
        return int(self._spoken[at % len(self._spoken)])

    def pcm(self, first_frame: int, frames: int) -> NDArray[np.int16]:
        """What is said from this frame of the loop on, as the far end decodes it."""
        chosen = self.frames[(first_frame + np.arange(frames)) % self.loop]
        return np.frombuffer(g711.decode_mu_law(chosen.tobytes()), np.int16)


def marked(pcm: NDArray[np.int16]) -> NDArray[np.int16]:
    """Speech at one loudness with a low noise under it."""
    speech = pcm.astype(np.float64)
    speech *= LOUDEST_PEAK / max(1.0, float(np.abs(speech).max()))
    noise = np.random.default_rng(42).integers(-NOISE_PEAK, NOISE_PEAK + 1, speech.size)
    mixed: NDArray[np.int16] = (speech + noise).clip(-32000, 32000).astype(np.int16)
    return mixed


def load_speech() -> Speech:
    """Render the callers' speech, or read it from the cache of an earlier run."""
    home = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    folder = Path(home) / "pbxai" / "bench"
    pcm = asyncio.run(render_cached(TEXT, "en", RATE, folder))
    return Speech(marked(np.frombuffer(pcm, np.int16)))
