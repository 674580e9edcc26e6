"""The same loudness and the same short pauses for every voice."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

Samples = NDArray[np.float32]

FRAME_MS = 10
ACTIVE_LEVEL = 10 ** (-22 / 20)
"""RMS of the frames that hold speech, -22 dB below full scale: loud and clear on a telephone."""
PEAK = 0.9
QUIET = 0.02
"""A frame below this part of the loudest frame is silence."""
LEAD_MS = 40
PAUSE_MS = 250
"""hibari leaves 300 ms before and 450 ms after a sentence; that much between two ends a turn."""


def tidy(sentences: Iterable[Samples], rate: int) -> Samples:
    """Trim each sentence, put short pauses between, bring it all to the standard level.

    float32 samples in [-1, 1] at `rate` Hz, in and out; empty when there is no sound.
    """
    pause = np.zeros(rate * PAUSE_MS // 1000, np.float32)
    parts: list[Samples] = []
    for sentence in sentences:
        trimmed = _trim(sentence, rate)
        if trimmed.size:
            parts += [pause, trimmed] if parts else [trimmed]
    if not parts:
        return np.zeros(0, np.float32)
    return _level(np.concatenate(parts), rate)


def _frame_levels(samples: Samples, rate: int) -> Samples:
    size = rate * FRAME_MS // 1000
    whole = samples[: samples.size // size * size].reshape(-1, size)
    levels: Samples = np.sqrt(np.mean(whole * whole, axis=1)).astype(np.float32)
    return levels


def _trim(samples: Samples, rate: int) -> Samples:
    levels = _frame_levels(samples, rate)
    if not levels.size or levels.max() <= 0:
        return np.zeros(0, np.float32)
    loud = np.nonzero(levels > levels.max() * QUIET)[0]
    size = rate * FRAME_MS // 1000
    lead = rate * LEAD_MS // 1000
    return samples[max(0, loud[0] * size - lead) : (loud[-1] + 1) * size + lead]


def _level(samples: Samples, rate: int) -> Samples:
    levels = _frame_levels(samples, rate)
    active = levels[levels > levels.max() * 0.1]
    gain = ACTIVE_LEVEL / float(np.sqrt(np.mean(active * active)))
    return (samples * min(gain, PEAK / float(np.abs(samples).max()))).astype(np.float32)
