"""The neural detector on real (synthetic voice) speech, tones of the telephone, and in a batch."""

from __future__ import annotations

import numpy as np
import pytest

from media_worker import speech
from media_worker.audio import neural
from media_worker.audio.activity import VoiceActivity
from media_worker.audio.capture import Capture
from media_worker.audio.neural import QUIET_WINDOWS, WINDOW_MS, NeuralError, NeuralStream, NeuralVad
from media_worker.audio.vad import VadEnd, VadOnset
from media_worker.contract import LocalVad
from tests.media_worker.audio.signals import noise, silence, tone

SENTENCE = "good morning, i would like to know your opening hours, please"


@pytest.fixture(scope="module")
def sentences() -> dict[int, bytes]:
    return {rate: speech.render(SENTENCE, "en", rate) for rate in (8000, 16000)}


def added(*sounds: bytes) -> bytes:
    """Sounds at the same time."""
    arrays = [np.frombuffer(sound, dtype="<i2").astype(int) for sound in sounds]
    return np.clip(sum(arrays), -32768, 32767).astype("<i2").tobytes()


def keys(digits: int) -> bytes:
    """So many presses of 1 as in-band DTMF (ITU-T Q.23), 200 ms each with 100 ms between."""
    key = added(tone(697, 200, level=0.25), tone(1209, 200, level=0.25))
    return (key + silence(100)) * digits


def music(ms: int) -> bytes:
    """Plucked chords and a melody over them, a note every 250 ms."""
    melody = (392, 440, 494, 523, 587, 523, 494, 440)
    bars = []
    for number in range(ms // 250):
        parts = [tone(hz, 250, level=0.12) for hz in (196, 247, 294, melody[number % 8])]
        fading = np.frombuffer(added(*parts), dtype="<i2") * np.exp(-np.arange(2000) / 1200)
        bars.append(fading.astype("<i2").tobytes())
    return b"".join(bars)


def decisions(vad: NeuralVad, sound: bytes, size: int = 640) -> list[bool]:
    stream = vad.open()
    found = []
    for at in range(0, len(sound), size):
        stream.feed(sound[at : at + size])
        vad.run()
        found += stream.decisions()
    stream.close()
    return found


def events(vad: NeuralVad, sound: bytes, rate: int = 8000) -> list:
    """What our own VAD hears in a call."""
    line, found = Capture(rate), []
    activity = VoiceActivity(rate, vad)
    ear = activity.open(line, LocalVad.NEURAL, silence_ms=500, hears=found.append)
    size = rate * 2 // 50
    for at in range(0, len(sound) - size + 1, size):
        line.put(sound[at : at + size])
        activity.listen()
    ear.close()
    return found


def test_two_that_listen_share_one_model(sentences):
    vad = NeuralVad(8000)
    heard: list[list] = [[], []]
    lines, activities = [Capture(8000), Capture(8000)], [VoiceActivity(8000, vad) for _ in heard]
    for line, activity, found in zip(lines, activities, heard, strict=True):
        activity.open(line, LocalVad.NEURAL, silence_ms=500, hears=found.append)
    sound = silence(500) + sentences[8000] + silence(1000)
    for at in range(0, len(sound) - 319, 320):
        for line, activity in zip(lines, activities, strict=True):
            line.put(sound[at : at + 320])
            activity.listen()

    assert [type(event) for event in heard[0]] == [VadOnset, VadEnd]
    assert heard[1] == heard[0]


@pytest.mark.parametrize("rate", [8000, 16000])
@pytest.mark.parametrize("level", [0.0, 0.003])
def test_a_sentence_is_one_turn_also_in_noise(sentences, rate, level):
    sentence = sentences[rate]
    pause = silence(1000, rate=rate)
    sound = pause + sentence + pause
    sound = (
        added(sound, noise(len(sound) * 500 // rate, rate=rate, level=level)) if level else sound
    )
    found = events(NeuralVad(rate), sound, rate)
    assert [type(event) for event in found] == [VadOnset, VadEnd]
    said_ms = len(sentence) * 500 // rate
    assert found[0].at_ms == pytest.approx(1000, abs=200)
    assert found[1].at_ms == pytest.approx(1000 + said_ms, abs=500)


@pytest.mark.parametrize(
    "sound",
    [
        pytest.param(keys(12), id="keys"),
        pytest.param(added(tone(941, 4000), tone(1336, 4000)), id="one long key"),
        pytest.param(added(tone(440, 2000), tone(480, 2000)) + silence(2000), id="ringback"),
        pytest.param((tone(425, 500) + silence(500)) * 4, id="busy"),
        pytest.param(music(8000), id="music"),
        pytest.param(noise(4000, level=0.05), id="noise"),
        pytest.param(tone(2100, 3300), id="fax answer tone"),
    ],
)
def test_sounds_of_the_telephone_are_no_speech(sound):
    assert events(NeuralVad(8000), silence(500) + sound + silence(500)) == []


@pytest.mark.parametrize("size", [320, 400, 1600, 4801 * 2])
def test_length_of_the_chunks_changes_nothing(sentences, size):
    vad = NeuralVad(8000)
    assert decisions(vad, sentences[8000], size) == decisions(vad, sentences[8000])


def test_call_hears_in_a_batch_what_it_hears_alone(sentences):
    """A hundred calls, more than one run takes, each some way into the sentence."""
    vad = NeuralVad(8000)
    count, chunk = 100, 640
    sounds = [silence(40 * number)[: 320 * number] + sentences[8000] for number in range(count)]
    streams = [vad.open() for _ in sounds]
    found: list[list[bool]] = [[] for _ in sounds]
    for at in range(0, 48_000, chunk):
        for sound, stream in zip(sounds, streams, strict=True):
            stream.feed(sound[at : at + chunk])
        vad.run()
        for stream, heard in zip(streams, found, strict=True):
            heard += stream.decisions()
    for number in (0, 1, 50, 99):
        alone = decisions(NeuralVad(8000), sounds[number][:48_000])
        assert found[number] == alone[: len(found[number])]
        assert any(alone)


def test_a_call_begins_with_nothing_of_the_one_before_it(sentences):
    vad = NeuralVad(8000)
    first = decisions(vad, sentences[8000])
    assert [decisions(vad, sentences[8000]) for _ in range(3)] == [first] * 3


def test_speech_that_goes_on_needs_less_to_be_speech():
    stream = NeuralVad(8000).open()
    for probability in (0.49, 0.5, 0.36, 0.34, 0.36):
        stream.decide(probability)
    assert stream.decisions() == [False, True, True, False, False]


def test_nothing_is_decided_before_the_batch_runs(sentences):
    vad = NeuralVad(8000)
    stream = vad.open()
    stream.feed(sentences[8000][:3000])
    assert stream.decisions() == []
    vad.run()
    assert len(stream.decisions()) == 3000 // 2 * 1000 // 8000 // WINDOW_MS
    assert stream.decisions() == []


def test_call_that_ends_with_a_window_waiting_is_left_out():
    vad = NeuralVad(8000)
    gone, here = vad.open(), vad.open()
    for stream in (gone, here):
        stream.feed(silence(WINDOW_MS))
    gone.close()
    gone.close()
    gone.feed(silence(WINDOW_MS))
    vad.run()
    assert (gone.decisions(), here.decisions()) == ([], [False])
    assert vad.open().row != here.row


def test_silence_costs_no_run_once_the_model_is_at_rest(sentences):
    vad = NeuralVad(8000)
    runs: list[int] = []
    infer = vad._infer

    def counted(windows, rows):
        runs.append(len(rows))
        return infer(windows, rows)

    vad._infer = counted
    assert not any(decisions(vad, silence(10_000)))
    assert sum(runs) == QUIET_WINDOWS
    assert any(decisions(vad, silence(10_000) + sentences[8000]))


def test_a_place_of_a_call_that_ended_is_used_again():
    vad = NeuralVad(8000)
    seen = set()
    for _ in range(1000):
        streams: list[NeuralStream] = [vad.open() for _ in range(3)]
        seen |= {stream.row for stream in streams}
        for stream in streams:
            stream.close()
    assert len(seen) == 3


def test_another_model_is_refused(tmp_path, monkeypatch):
    other = tmp_path / "silero_vad_8000.onnx"
    other.write_bytes((neural.FOLDER / other.name).read_bytes()[:-1])
    monkeypatch.setattr(neural, "FOLDER", tmp_path)
    with pytest.raises(NeuralError, match="not the model"):
        NeuralVad(8000)


def test_rate_without_a_model_is_refused():
    with pytest.raises(NeuralError, match="44100"):
        NeuralVad(44_100)
