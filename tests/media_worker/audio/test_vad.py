import numpy as np
import pytest
import webrtcvad

from media_worker.audio.activity import VoiceActivity
from media_worker.audio.capture import Capture
from media_worker.audio.vad import (
    FRAME_MS,
    LEAST_DB,
    Hysteresis,
    VadEnd,
    VadEvent,
    VadOnset,
    WebrtcDetector,
    frame_detector,
    level_db,
    levels_db,
)
from media_worker.contract import LocalVad
from tests.media_worker.audio.signals import noise, silence, tone, voice


def feed(hysteresis: Hysteresis, pattern: str) -> list:
    events = (hysteresis.feed(mark == "S") for mark in pattern)
    return [event for event in events if event]


def test_onset_needs_enough_speech():
    assert feed(Hysteresis(onset_ms=60, silence_ms=100), ".SS..SS..") == []
    assert feed(Hysteresis(onset_ms=60, silence_ms=100), "..SSS") == [VadOnset(40)]


def test_onset_forgives_a_gap():
    assert feed(Hysteresis(onset_ms=60, silence_ms=100), ".SS.SS") == [VadOnset(20)]


def test_end_after_silence_is_where_speech_stopped():
    events = feed(Hysteresis(onset_ms=60, silence_ms=100), "SSSS.....")
    assert events == [VadOnset(0), VadEnd(80)]


def test_a_pause_shorter_than_the_silence_is_no_end():
    assert feed(Hysteresis(onset_ms=60, silence_ms=100), "SSS....SS....SS") == [VadOnset(0)]


def test_a_click_does_not_keep_the_turn_open():
    events = feed(Hysteresis(onset_ms=60, silence_ms=100), "SSS..S..S.")
    assert events == [VadOnset(0), VadEnd(60)]


def test_a_second_turn_begins_anew():
    events = feed(Hysteresis(onset_ms=60, silence_ms=60), "SSS...SSS...")
    assert events == [VadOnset(0), VadEnd(60), VadOnset(120), VadEnd(180)]


def test_speech_is_counted_without_its_pauses():
    hysteresis = Hysteresis(onset_ms=60, silence_ms=100)
    feed(hysteresis, ".S..SS")
    assert hysteresis.speech_ms == 0  # not yet an onset
    feed(hysteresis, "S..SS")
    assert hysteresis.speech_ms == 100
    feed(hysteresis, ".....")
    assert hysteresis.speech_ms == 0
    feed(hysteresis, "SSS")
    assert hysteresis.speech_ms == 60


def heard(mode: LocalVad, sound: bytes, rate: int = 8000) -> list[VadEvent]:
    """What our own VAD says of a call in which this comes in."""
    line, events = Capture(rate), []
    activity = VoiceActivity(rate)
    activity.open(line, mode, silence_ms=500, hears=events.append)
    size = rate * 2 * FRAME_MS // 1000
    for at in range(0, len(sound) - size + 1, size):
        line.put(sound[at : at + size])
        activity.listen()
    return events


@pytest.mark.parametrize("rate", [8000, 16000])
@pytest.mark.parametrize("mode", [LocalVad.ENERGY, LocalVad.WEBRTC])
def test_speech_in_faint_noise_makes_one_turn(mode, rate):
    sound = (
        noise(1000, rate=rate, level=0.001)
        + voice(1500, rate=rate)
        + noise(1500, rate=rate, level=0.001)
    )
    events = heard(mode, sound, rate)
    assert [type(event) for event in events] == [VadOnset, VadEnd]
    assert events[0].at_ms == pytest.approx(1000, abs=120)
    assert events[1].at_ms == pytest.approx(2500, abs=200)


@pytest.mark.parametrize("mode", [LocalVad.ENERGY, LocalVad.WEBRTC])
def test_silence_and_faint_noise_are_not_speech(mode):
    assert heard(mode, silence(2000) + noise(3000, level=0.001)) == []


def test_energy_learns_a_louder_background():
    background = silence(1000) + noise(6000, level=0.008)
    events = heard(LocalVad.ENERGY, background + voice(500, level=0.3))
    assert isinstance(events[-1], VadOnset)
    assert events[-1].at_ms >= 7000


def test_speech_from_the_first_frame_is_heard():
    for mode in (LocalVad.ENERGY, LocalVad.WEBRTC):
        assert heard(mode, voice(800))[0].at_ms < 200


def test_level_of_a_full_scale_sine():
    assert level_db(tone(1000, 100, level=1.0)) == pytest.approx(-3.0, abs=0.1)
    assert level_db(silence(20)) == level_db(b"") == -100.0


def test_levels_are_those_of_whole_frames():
    sound = silence(20) + tone(1000, 20, level=1.0) + silence(10)
    assert levels_db(sound, 320) == [-100.0, pytest.approx(-3.0, abs=0.1)]


@pytest.mark.parametrize("mode", [LocalVad.OFF, LocalVad.NEURAL])
def test_other_modes_have_no_detector_of_single_frames(mode):
    with pytest.raises(ValueError, match=mode):
        frame_detector(mode, 8000)


@pytest.mark.parametrize("at_once", [2, 5, 14])
@pytest.mark.parametrize("share", [0.2, 0.5, 0.9])
def test_frames_fed_together_mean_what_they_mean_one_by_one(at_once, share):
    """Random decisions, in runs: more of them are speech in one second than in the next."""
    rng = np.random.default_rng(at_once)
    shares = np.repeat(np.tile([share, 0.05], 40), 50)
    decisions = (rng.random(len(shares)) < shares).tolist()
    together, single = [Hysteresis(onset_ms=60, silence_ms=400) for _ in range(2)]
    for at in range(0, len(decisions), at_once):
        part = decisions[at : at + at_once]
        expected = [event for one in part if (event := single.feed(one)) is not None]
        assert together.feed_all(part) == expected
        assert together.speech_ms == single.speech_ms
        assert together.patience_ms == single.patience_ms


def test_webrtc_is_not_asked_about_most_frames_of_loud_speech():
    """Silence that claims to be loud is found out later: fewer of its frames are looked at."""
    said, found = voice(400), []
    for level in (WebrtcDetector.LOUD_DB + 1, WebrtcDetector.LOUD_DB - 1):
        detector = WebrtcDetector(8000)
        detector.decide(said, levels_db(said, 320))
        found.append(detector.decide(bytes(320 * 60), [level] * 60).count(True))
    loud, quiet = found
    assert loud >= 2 * quiet > 0


@pytest.mark.parametrize("loudness", [0.5, 1.0])
def test_webrtc_that_sees_part_of_loud_speech_hears_the_same_turns(loudness):
    said = np.frombuffer(silence(300) + voice(1500) + silence(800) + voice(700), "<i2")
    hum = np.random.default_rng(3).normal(0, 60, len(said))
    pcm = (said * loudness + hum).clip(-32768, 32767).astype("<i2").tobytes() + silence(800)
    levels = levels_db(pcm, 320)
    vad = webrtcvad.Vad(WebrtcDetector.STRICTEST)
    frames = [pcm[at : at + 320] for at in range(0, len(pcm), 320)]
    each = [
        level > LEAST_DB and vad.is_speech(frame, 8000)
        for frame, level in zip(frames, levels, strict=True)
    ]
    turns = []
    for decisions in (each, WebrtcDetector(8000).decide(pcm, levels)):
        hysteresis = Hysteresis(onset_ms=60, silence_ms=300)
        turns.append(hysteresis.feed_all(decisions))
    full, ours = turns
    assert [type(event) for event in ours] == [VadOnset, VadEnd] * 2
    for one, other in zip(full, ours, strict=True):
        assert one.at_ms == pytest.approx(other.at_ms, abs=3 * FRAME_MS)
