"""Sound for tests: deterministic, speech-like where it matters (neighbouring samples alike)."""

from __future__ import annotations

import numpy as np

from media_worker.audio import g711


def tone(milliseconds: int, rate: int, amplitude: int = 8000) -> bytes:
    """Three harmonics of a voice, as 16-bit PCM."""
    at = np.arange(milliseconds * rate // 1000) / rate
    wave = sum(np.sin(2 * np.pi * 140 * k * at) / k for k in (1, 2, 3))
    return (wave / 2 * amplitude).astype("<i2").tobytes()


PCM24_SPEECH = tone(500, 24000)
PCMU_SPEECH = g711.encode_mu_law(tone(500, 8000))
PCMA_SPEECH = g711.encode_a_law(tone(500, 8000))
