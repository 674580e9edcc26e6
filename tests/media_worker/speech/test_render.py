"""Speech is really made: every language, every rate, one loudness, plain errors."""

import numpy as np
import pytest

from media_worker.speech import SpeechError, render
from media_worker.speech.voices import RATES


def samples(pcm: bytes) -> np.ndarray:
    return np.frombuffer(pcm, "<i2").astype(np.float64) / 32768


def active_level(pcm: bytes, rate: int) -> float:
    """RMS in dB below full scale of the 10 ms frames that hold speech."""
    frames = samples(pcm)[: len(pcm) // 2 // (rate // 100) * (rate // 100)].reshape(-1, rate // 100)
    levels = np.sqrt((frames**2).mean(axis=1))
    active = levels[levels > levels.max() * 0.1]
    return 20 * np.log10(np.sqrt((active**2).mean()))


@pytest.mark.parametrize("language", ["en", "de", "fr", "es", "it", "nl", "pl", "pt-BR", "de-AT"])
def test_every_language_is_as_loud_as_the_others(language: str) -> None:
    pcm = render("Radio Bremen, Telefon, Hotel, Taxi.", language, 8000)
    assert 1.5 < len(pcm) / 16000 < 6
    assert -26 < active_level(pcm, 8000) < -20


@pytest.mark.parametrize("rate", RATES)
def test_a_rate_changes_the_samples_not_the_length(rate: int) -> None:
    seconds = len(render("Please hold the line.", "en", rate)) / 2 / rate
    assert seconds == pytest.approx(len(render("Please hold the line.", "en")) / 48000, abs=0.01)


def test_the_same_english_is_the_same_bytes() -> None:
    assert render("Good morning.", "en-GB") == render("Good morning.", "en")


def test_speech_begins_at_once_and_pauses_are_short() -> None:
    """300 ms of silence before a sentence would be 300 ms more until the caller hears an answer."""
    loud = np.abs(samples(render("Hello. How can I help you?", "en", 8000))) > 0.01
    places = np.nonzero(loud)[0]
    assert places[0] < 0.08 * 8000
    assert np.diff(places).max() < 0.45 * 8000


@pytest.mark.parametrize("language", ["en", "de"])
def test_speed_changes_the_length(language: str) -> None:
    slow, fast = (len(render("One, two, three, four.", language, speed=s)) for s in (0.8, 1.4))
    assert slow > fast * 1.3


@pytest.mark.parametrize(
    ("text", "language", "words"),
    [
        ("Hello", "xx", "no voice for the language 'xx'"),
        ("Hello", "", "no voice for the language ''"),
        (" ...!", "en", "no words"),
        ("a " * 5000, "en", "5000 can be spoken"),
    ],
)
def test_what_cannot_be_spoken_says_why(text: str, language: str, words: str) -> None:
    with pytest.raises(SpeechError, match=words):
        render(text, language)


@pytest.mark.parametrize(("rate", "speed"), [(11025, 1.0), (8000, 0.1), (8000, 2.0)])
def test_rate_and_speed_have_bounds(rate: int, speed: float) -> None:
    with pytest.raises(SpeechError, match="Cannot speak at"):
        render("Hello", "en", rate, speed=speed)
