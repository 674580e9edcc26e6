"""All calls of a process are listened to together, each beside whoever takes its audio."""

import pytest

from media_worker.audio.activity import ONSET_MS, VoiceActivity
from media_worker.audio.capture import FRAMES_A_READ
from media_worker.audio.neural import NeuralVad
from media_worker.audio.vad import (
    FRAME_MS,
    SETTLED_MS,
    Hysteresis,
    VadEnd,
    VadEvent,
    VadOnset,
    frame_detector,
    level_db,
)
from media_worker.contract import LocalVad
from tests.media_worker.audio.outlets import CAPTURES
from tests.media_worker.audio.signals import silence, voice

FRAME_BYTES = 320


@pytest.fixture(params=CAPTURES)
def new_line(request):
    return lambda: request.param(8000)


class Calls:
    """Lines of which each has an ear, and what was said of each."""

    def __init__(self, new_line, mode: LocalVad = LocalVad.ENERGY) -> None:
        self.activity = VoiceActivity(8000)
        self.mode = mode
        self.new_line = new_line
        self.lines = {}
        self.ears = {}
        self.events: dict[int, list[VadEvent]] = {}

    def open(self, number: int) -> None:
        self.lines[number] = self.new_line()
        self.events[number] = []
        self.ears[number] = self.activity.open(
            self.lines[number], self.mode, silence_ms=200, hears=self.events[number].append
        )

    def close(self, number: int) -> None:
        self.ears.pop(number).close()
        del self.lines[number]

    def say(self, sounds: dict[int, bytes], *, frames_a_tick: int = 1) -> None:
        """Each open line gets its sound, or silence where it has none or has no more."""
        frames = max(map(len, sounds.values())) // FRAME_BYTES
        for place in range(frames):
            for number, line in self.lines.items():
                sound = sounds.get(number, b"")[place * FRAME_BYTES :][:FRAME_BYTES]
                line.put(sound.ljust(FRAME_BYTES, b"\0"))
            if (place + 1) % frames_a_tick == 0 or place == frames - 1:
                self.activity.listen()

    def heard(self, number: int) -> list[type]:
        return [type(event) for event in self.events[number]]


def test_each_call_hears_its_own(new_line):
    calls = Calls(new_line)
    for number in range(20):
        calls.open(number)
    speech = silence(200) + voice(600) + silence(600)
    calls.say({3: speech, 17: silence(400) + speech})
    assert {number for number in calls.events if calls.events[number]} == {3, 17}
    assert calls.heard(3) == calls.heard(17) == [VadOnset, VadEnd]
    first, later = calls.events[3][0].at_ms, calls.events[17][0].at_ms
    assert later - first == 400
    assert first == pytest.approx(200, abs=FRAME_MS)


def test_calls_come_and_go_while_others_are_listened_to(new_line):
    calls = Calls(new_line)
    for number in range(12):
        calls.open(number)
    calls.say({number: voice(400) for number in range(12)})
    for number in (0, 11, 5):
        calls.close(number)
    calls.open(12)
    calls.say({12: silence(600) + voice(200), 1: silence(800)})
    for number in (0, 5, 11):
        assert calls.heard(number) == [VadOnset]
    for number in (1, 2, 10):
        assert calls.heard(number) == [VadOnset, VadEnd]
    assert calls.heard(12) == [VadOnset]
    assert calls.events[12][0].at_ms == pytest.approx(600, abs=FRAME_MS)
    assert calls.ears[1].heard_ms == 1200
    assert calls.ears[12].heard_ms == 800


def test_listening_takes_nothing_away_from_who_takes(new_line):
    calls = Calls(new_line)
    calls.open(0)
    speech = voice(500)
    calls.say({0: speech})
    assert calls.lines[0].take() == speech


@pytest.mark.parametrize("frames", [2, FRAMES_A_READ, FRAMES_A_READ + 1, 50])
def test_after_a_stall_of_the_machine_all_that_waited_is_heard(new_line, frames):
    speech = silence(200) + voice(600) + silence(600)
    steady, stalled = Calls(new_line), Calls(new_line)
    for calls, at_once in ((steady, 1), (stalled, frames)):
        calls.open(0)
        calls.open(1)
        calls.say({1: speech}, frames_a_tick=at_once)
    assert stalled.events == steady.events
    assert stalled.ears[1].heard_ms == 1400


def test_call_on_hold_is_not_listened_to(new_line):
    calls = Calls(new_line)
    calls.open(0)
    calls.ears[0].is_deaf = True
    calls.say({0: voice(600)})
    calls.ears[0].is_deaf = False
    assert (calls.events[0], calls.ears[0].heard_ms) == ([], 0)
    calls.say({0: silence(100) + voice(600)})
    assert calls.events[0][0].at_ms == pytest.approx(100, abs=FRAME_MS)


def test_who_hears_of_speech_may_end_its_call(new_line):
    calls = Calls(new_line)
    for number in range(3):
        calls.open(number)
    ear = calls.ears[0]
    calls.events[0] = []
    closing = calls.activity.open(
        calls.lines[0], LocalVad.ENERGY, silence_ms=200, hears=lambda _: closing.close()
    )
    calls.say({number: voice(600) for number in range(3)})
    assert calls.heard(1) == calls.heard(2) == [VadOnset]
    assert (ear.heard_ms, closing.speaking) == (600, True)
    assert closing.heard_ms < 600


def test_webrtc_takes_the_place_of_a_model_that_is_not_there(new_line):
    calls = Calls(new_line, LocalVad.NEURAL)
    calls.open(0)
    calls.say({0: voice(600)})
    assert calls.heard(0) == [VadOnset]


def test_neural_calls_of_one_process_give_their_places_back(new_line):
    neural = NeuralVad(8000)
    calls = Calls(new_line, LocalVad.NEURAL)
    calls.activity = VoiceActivity(8000, neural)
    for _ in range(50):
        for number in range(4):
            calls.open(number)
        calls.say({0: silence(100)})
        for number in range(4):
            calls.close(number)
    assert len(neural._free) == 8


@pytest.mark.parametrize("mode", [LocalVad.ENERGY, LocalVad.WEBRTC])
@pytest.mark.parametrize("silence_ms", [100, 200, 500])
def test_speech_decided_together_ends_as_if_decided_frame_by_frame(new_line, mode, silence_ms):
    speech = voice(2300) + silence(60) + voice(1500) + silence(600) + voice(300) + silence(600)
    known: list[tuple[VadEvent, int]] = []
    activity, line = VoiceActivity(8000), new_line()
    ear = activity.open(
        line, mode, silence_ms=silence_ms, hears=lambda event: known.append((event, ear.heard_ms))
    )
    detector, hysteresis = (
        frame_detector(mode, 8000),
        Hysteresis(onset_ms=ONSET_MS, silence_ms=silence_ms),
    )
    expected: list[tuple[VadEvent, int]] = []
    for at in range(0, len(speech), FRAME_BYTES):
        frame = speech[at : at + FRAME_BYTES]
        line.put(frame)
        activity.listen()
        [is_speech] = detector.decide(frame, [level_db(frame)])
        event = hysteresis.feed(is_speech)
        if event is not None:
            expected.append((event, at // FRAME_BYTES * FRAME_MS + FRAME_MS))
    assert known == expected
    assert len(known) >= 4


def test_how_much_speech_there_was_is_known_at_once_while_it_matters(new_line):
    calls = Calls(new_line)
    calls.open(0)
    calls.say({0: silence(200) + voice(SETTLED_MS - 200)})
    assert calls.ears[0].speech_ms == pytest.approx(SETTLED_MS - 200, abs=FRAME_MS)


def test_who_speaks_is_read_seldom_and_who_does_not_at_each_look(new_line):
    calls = Calls(new_line)
    for number in range(2):
        calls.open(number)
    read: dict[int, list[int]] = {0: [], 1: []}
    sound = voice(4000)
    for at in range(0, len(sound), FRAME_BYTES):
        calls.say({0: sound[at : at + FRAME_BYTES]})
        for number, found in read.items():
            found.append(calls.ears[number].heard_ms)
    settled = [len(set(found[-50:])) for found in read.values()]
    assert settled[0] < 25
    assert settled[1] == 50
