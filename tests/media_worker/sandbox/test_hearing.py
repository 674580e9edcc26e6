"""The audio clock, the buffer and every VAD setting, with real speech."""

from typing import Any

import numpy as np
import pytest

from media_worker.audio import g711
from media_worker.contract import AudioFormat
from media_worker.sandbox.hearing import InputBuffer, Listener, SpeechStarted, SpeechStopped
from media_worker.sandbox.settings import SEMANTIC_VAD, SERVER_VAD
from media_worker.speech import render

SPEECH = render("What are your opening hours?", "en", 8000)
SPEECH_MS = len(SPEECH) / 16


def line(*, gain: float = 1.0, gap_ms: int = 2500) -> bytes:
    """Half a second of silence, the sentence, silence."""
    speech = (np.frombuffer(SPEECH, "<i2") * gain).astype("<i2").tobytes()
    return bytes(8000) + speech + bytes(16 * gap_ms)


def heard(pcm: bytes, detection: dict[str, Any] | None) -> list[SpeechStarted | SpeechStopped]:
    listener = Listener()
    listener.configure(detection)
    # chunks as odd as a network makes them
    return [
        event
        for start in range(0, len(pcm), 1234)
        for event in listener.feed(pcm[start : start + 1234])
    ]


def test_a_sentence_has_a_beginning_and_an_end() -> None:
    started, stopped = heard(line(), dict(SERVER_VAD))
    assert isinstance(started, SpeechStarted)
    assert isinstance(stopped, SpeechStopped)
    assert started.at_ms == pytest.approx(540, abs=80)
    assert stopped.clock_ms == pytest.approx(500 + SPEECH_MS + 500, abs=220)


@pytest.mark.parametrize("silence_ms", [200, 500, 1200])
def test_silence_duration_moves_the_end(silence_ms: int) -> None:
    _, stopped = heard(line(), SERVER_VAD | {"silence_duration_ms": silence_ms})
    assert stopped.clock_ms == pytest.approx(500 + SPEECH_MS + silence_ms, abs=220)


@pytest.mark.parametrize(("threshold", "is_heard"), [(0.1, True), (0.5, True), (0.9, False)])
def test_a_higher_threshold_needs_a_louder_voice(threshold: float, is_heard: bool) -> None:
    events = heard(line(gain=0.25), SERVER_VAD | {"threshold": threshold})
    assert bool(events) is is_heard
    assert heard(line(), SERVER_VAD | {"threshold": threshold})


def test_eagerness_is_how_long_it_waits() -> None:
    ends = [
        heard(line(), SEMANTIC_VAD | {"eagerness": eagerness})[1].clock_ms
        for eagerness in ("high", "medium", "low")
    ]
    assert ends[0] + 300 < ends[1]
    assert ends[1] + 600 < ends[2]


def test_without_detection_nothing_is_reported() -> None:
    assert heard(line(), None) == []


def test_noise_that_is_no_voice_is_not_speech() -> None:
    noise = np.random.default_rng(1).normal(0, 60, 16000).astype("<i2").tobytes()
    assert heard(noise, dict(SERVER_VAD)) == []


def test_a_change_of_who_answers_does_not_lose_speech_that_is_heard_right_now() -> None:
    listener = Listener()
    listener.configure(SERVER_VAD | {"create_response": False})
    assert listener.feed(line()[:16000])
    listener.configure(SERVER_VAD | {"create_response": True})
    assert listener.is_speaking
    listener.configure(SERVER_VAD | {"threshold": 0.7})
    assert not listener.is_speaking


# --- the buffer ----------------------------------------------------------------------------------


@pytest.mark.parametrize("fmt", [AudioFormat.PCMU, AudioFormat.PCMA, AudioFormat.PCM_24K])
def test_the_clock_counts_what_was_appended(fmt: AudioFormat) -> None:
    pcm = render("One, two, three.", "en", 24000 if fmt is AudioFormat.PCM_24K else 8000)
    encode = {AudioFormat.PCMU: g711.encode_mu_law, AudioFormat.PCMA: g711.encode_a_law}
    data = encode.get(fmt, bytes)(pcm)
    buffer = InputBuffer(fmt)
    for start in range(0, len(data), 777):
        buffer.append(data[start : start + 777])
    milliseconds = len(pcm) / 2 / (24 if fmt is AudioFormat.PCM_24K else 8)
    assert buffer.clock_ms == pytest.approx(milliseconds, abs=1)
    cut = buffer.take(200, 500)
    assert len(cut) == pytest.approx(300 * 16, abs=4)
    assert buffer.length_ms == pytest.approx(milliseconds - 500, abs=1)
    assert buffer.clock_ms == pytest.approx(milliseconds, abs=1)


def test_wide_band_audio_is_narrowed_for_the_recogniser() -> None:
    buffer = InputBuffer(AudioFormat.PCM_24K)
    buffer.append(render("Hello there.", "en", 24000))
    narrow = np.frombuffer(buffer.take(0, buffer.clock_ms), "<i2").astype(float)
    direct = np.frombuffer(render("Hello there.", "en", 8000), "<i2").astype(float)
    size = min(narrow.size, direct.size)
    assert np.corrcoef(narrow[:size], direct[:size])[0, 1] > 0.99


def test_the_buffer_does_not_grow_for_ever() -> None:
    buffer = InputBuffer(AudioFormat.PCMU)
    for _ in range(70):
        buffer.append(bytes(80_000))
    assert buffer.clock_ms == 700_000
    assert buffer.length_ms == 600_000


def test_another_format_begins_anew_on_the_same_clock() -> None:
    buffer = InputBuffer(AudioFormat.PCMU)
    buffer.append(bytes(8000))
    buffer.change_format(AudioFormat.PCM_24K)
    buffer.append(bytes(48000))
    assert buffer.clock_ms == 2000
    assert buffer.length_ms == 1000
