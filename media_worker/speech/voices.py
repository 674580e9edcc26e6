"""Text to PCM16 in one call, whatever the language."""

from __future__ import annotations

import numpy as np
import soxr

from media_worker.speech import english, espeak
from media_worker.speech.shaping import Samples, tidy
from media_worker.speech.words import SpeechError, check_words

__all__ = ["SpeechError", "render"]

RATES = (8000, 16000, 24000, 48000)


def render(text: str, language: str, rate: int = 24000, *, speed: float = 1.0) -> bytes:
    """Speak `text` (BCP 47 `language`) as PCM16 little-endian mono at `rate` Hz.

    The same English gives the same bytes; espeak-ng varies a few milliseconds from call to call.
    `speed` 0.25-1.5 as in the Realtime API. Blocks for about a hundredth of the speech's length.
    Raises SpeechError in plain words.
    """
    if rate not in RATES:
        raise SpeechError(f"Cannot speak at {rate} Hz; possible are {', '.join(map(str, RATES))}.")
    if not 0.25 <= speed <= 1.5:
        raise SpeechError(f"Cannot speak at speed {speed}; possible is 0.25 to 1.5.")
    check_words(text)
    samples, native_rate = _speak(text, language, speed)
    if not np.any(samples):
        raise SpeechError(f"The {language!r} voice can say nothing of this text.")
    if native_rate != rate:
        samples = soxr.resample(samples, native_rate, rate)
    return (np.clip(samples, -1.0, 1.0) * 32767.0).astype("<i2").tobytes()


def _speak(text: str, language: str, speed: float) -> tuple[Samples, int]:
    if language.replace("_", "-").lower().split("-")[0] == "en":
        return tidy(english.speak(text, speed), english.RATE), english.RATE
    samples, rate = espeak.speak(text, language, speed)
    return tidy([samples], rate), rate
