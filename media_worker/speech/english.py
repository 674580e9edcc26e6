"""English speech by hibari (Apache-2.0): a small network in its wheel, 24 kHz."""

from __future__ import annotations

import threading
from functools import cache

from hibari import Hibari

from media_worker.speech.shaping import Samples

RATE = 24000
SEED = 1
"""Fixes the noise part, so that the same words are the same bytes."""

_lock = threading.Lock()


@cache
def _voice() -> Hibari:
    return Hibari()  # half a second: loads the model and the lexicon


def speak(text: str, speed: float) -> list[Samples]:
    """One array of float32 samples for each sentence."""
    with _lock:  # the lexicon's caches are not made for several threads
        return list(_voice().stream(text, speed=speed, seed=SEED))
