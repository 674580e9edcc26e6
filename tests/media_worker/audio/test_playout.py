import threading

import pytest

from media_worker.audio.outlet import FrameQueue
from media_worker.audio.playout import REMEMBERED_ITEMS, Cut, Playout
from tests.media_worker.audio.outlets import OUTLETS

SILENCE = bytes(320)


def pcm(ms: int, letter: str = "x") -> bytes:
    return letter.encode() * (16 * ms)


class Speech(Playout):
    """A playout whose media thread is the test."""

    def __init__(self, outlet) -> None:
        super().__init__(outlet.clock_rate, outlet)
        self.next_frame = outlet.next_frame


@pytest.fixture(params=OUTLETS)
def playout(request) -> Speech:
    return Speech(request.param(8000))


def test_silence_when_nothing_is_queued(playout):
    assert playout.next_frame() == SILENCE
    assert playout.is_idle
    assert playout.last_played_at() is None
    assert playout.underruns == 0


def test_audio_comes_out_in_frames_and_is_counted(playout):
    playout.append("a", pcm(50))
    assert (playout.queued_ms, playout.received_ms("a"), playout.heard_ms("a")) == (50, 50, 0)
    assert playout.next_frame() == pcm(20)
    assert playout.first_played_at("a") == playout.last_played_at()
    assert playout.next_frame() == pcm(20)
    assert (playout.queued_ms, playout.heard_ms("a"), playout.is_done("a")) == (10, 40, False)


def test_the_end_of_an_item_is_filled_up_but_not_counted_as_heard(playout):
    playout.append("a", pcm(30))
    playout.finish("a")
    playout.next_frame()
    assert playout.next_frame() == pcm(10) + bytes(160)
    assert (playout.heard_ms("a"), playout.is_done("a"), playout.is_idle) == (30, True, True)


def test_an_item_is_not_done_before_its_end_is_known(playout):
    playout.append("a", pcm(20))
    playout.next_frame()
    assert not playout.is_done("a")
    assert not playout.is_idle
    playout.finish("a")
    assert playout.is_done("a")


def test_an_item_without_audio_is_done_when_finished(playout):
    assert not playout.is_done("a")
    playout.finish("a")
    assert playout.is_done("a")


def test_items_follow_each_other_and_are_counted_apart(playout):
    playout.append("a", pcm(30, "a"))
    playout.append("b", pcm(20, "b"))
    assert [playout.next_frame() for _ in range(3)] == [
        pcm(20, "a"),
        pcm(10, "a") + bytes(160),
        pcm(20, "b"),
    ]
    assert (playout.heard_ms("a"), playout.heard_ms("b")) == (30, 20)


def test_running_dry_inside_an_item_is_counted_once_a_gap(playout):
    playout.append("a", pcm(20))
    for _ in range(4):
        playout.next_frame()
    playout.append("a", pcm(10))
    assert (playout.underruns, playout.starved_ms) == (1, 60)
    playout.append("a", pcm(10))
    assert playout.next_frame() == pcm(20)
    playout.next_frame()
    playout.finish("a", pcm(5))  # what a resampler held back: nobody missed it
    assert (playout.underruns, playout.starved_ms) == (1, 60)
    assert playout.next_frame() == pcm(5) + bytes(240)


def test_flush_takes_effect_at_the_very_next_frame(playout):
    playout.append("a", pcm(1000))
    for _ in range(3):
        playout.next_frame()
    assert playout.flush() == Cut("a", heard_ms=60, dropped_ms=940)
    assert playout.next_frame() == SILENCE
    assert playout.is_idle
    assert playout.is_done("a")
    assert playout.queued_ms == 0
    assert (playout.heard_ms("a"), playout.received_ms("a")) == (60, 1000)


def test_flush_counts_the_part_of_a_frame_that_was_received(playout):
    playout.append("a", pcm(50))
    playout.next_frame()
    assert playout.flush() == Cut("a", heard_ms=20, dropped_ms=30)


def test_flush_names_the_items_that_nobody_heard(playout):
    playout.append("a", pcm(40))
    playout.finish("a")
    playout.append("b", pcm(40))
    playout.append("c", pcm(40))
    playout.next_frame()
    assert playout.flush() == Cut("a", heard_ms=20, dropped_ms=20, unheard=("b", "c"))
    assert playout.is_done("b")
    assert playout.heard_ms("b") == 0


def test_flush_of_an_item_that_ran_dry_still_names_it(playout):
    playout.append("a", pcm(20))
    playout.next_frame()
    assert playout.flush() == Cut("a", heard_ms=20, dropped_ms=0)


def test_flush_when_idle_is_nothing(playout):
    assert playout.flush() is None
    playout.append("a", pcm(20))
    playout.finish("a")
    playout.next_frame()
    assert playout.flush() is None


def test_late_audio_of_a_flushed_item_is_not_played(playout):
    playout.append("a", pcm(100))
    playout.next_frame()
    playout.flush()
    playout.append("a", pcm(100))
    playout.finish("a")
    assert playout.is_idle
    assert playout.next_frame() == SILENCE
    assert playout.heard_ms("a") == 20


def test_a_new_item_plays_after_a_flush(playout):
    playout.append("a", pcm(100))
    playout.flush()
    playout.append("b", pcm(20, "b"))
    assert playout.next_frame() == pcm(20, "b")


def test_a_pause_is_silent_from_the_next_frame_and_goes_on_with_the_next_sample(playout):
    sound = b"".join(number.to_bytes(2, "little") for number in range(800))
    playout.append("a", sound)
    heard = [playout.next_frame()]
    playout.pause()
    assert playout.is_paused
    assert [playout.next_frame() for _ in range(3)] == [SILENCE] * 3
    assert (playout.heard_ms("a"), playout.queued_ms, playout.is_idle) == (20, 80, False)
    playout.append("a", sound)  # what comes meanwhile waits
    playout.resume()
    assert not playout.is_paused
    heard += [playout.next_frame() for _ in range(9)]
    assert b"".join(heard) == sound + sound
    assert playout.heard_ms("a") == 200


def test_a_pause_is_no_underrun(playout):
    playout.append("a", pcm(20))
    playout.next_frame()
    playout.pause()
    playout.next_frame()
    assert playout.underruns == 0


def test_a_flush_of_paused_speech_says_what_was_heard_and_ends_the_pause(playout):
    playout.append("a", pcm(100))
    playout.next_frame()
    playout.pause()
    playout.next_frame()
    assert playout.flush() == Cut("a", heard_ms=20, dropped_ms=80)
    assert not playout.is_paused
    playout.append("b", pcm(20, "b"))
    assert playout.next_frame() == pcm(20, "b")


def test_items_that_are_done_are_forgotten_in_the_end(playout):
    for number in range(1000):
        playout.append(str(number), pcm(20))
        playout.finish(str(number))
        playout.next_frame()
    assert playout.heard_ms("999") == 20
    assert len(playout._items) <= REMEMBERED_ITEMS + 1


def test_16_khz_frames_are_twice_as_long():
    playout = Speech(FrameQueue(16000))
    playout.append("a", bytes(1280))
    assert len(playout.next_frame()) == 640
    assert playout.heard_ms("a") == 20


def test_heard_is_exact_while_another_thread_takes_frames(playout):
    """Whatever a flush says was heard is what the other thread got, to the frame."""
    taken = [0]
    stop = threading.Event()

    def take() -> None:
        while not stop.is_set():
            if playout.next_frame() != SILENCE:
                taken[0] += 20

    reader = threading.Thread(target=take)
    reader.start()
    heard = 0
    for number in range(300):
        playout.append(str(number), pcm(400))
        if number % 3:
            playout.finish(str(number))
        cut = playout.flush()
        heard += cut.heard_ms if cut else 400
        if cut:
            assert cut.heard_ms + cut.dropped_ms == 400
    stop.set()
    reader.join()
    assert heard == taken[0]


# --- the delay of a stall --------------------------------------------------------------------


def speech_with_pauses(words: int, pause_ms: int = 100) -> bytes:
    """Words of 100 ms, each with a letter of its own, and pauses behind them."""
    return b"".join(bytes([0x20 + number]) * 1600 + bytes(16 * pause_ms) for number in range(words))


def append_at_once(playout: Speech, item_id: str, sound: bytes) -> None:
    """In deltas of 100 ms, faster than real time."""
    for at in range(0, len(sound), 1600):
        playout.append(item_id, sound[at : at + 1600])


def play(playout: Speech, ms: int) -> bytes:
    """And look at it at each tick of the call, as a conversation does."""
    heard = b""
    for frame in range(ms // 20):
        if frame % 5 == 0:
            playout.is_done("nothing")
        heard += playout.next_frame()
    return heard


def test_the_delay_of_a_stall_is_given_back_in_the_next_pauses(playout):
    """Paced in real time: 100 ms come each 100 ms, but for a stall of 300 ms, sent late at once."""
    speech = speech_with_pauses(20)
    deltas = [speech[at : at + 1600] for at in range(0, len(speech), 1600)]
    depths = []
    heard = b""
    for number, delta in enumerate(deltas):
        if not 5 <= number < 8:  # 5 to 7 come with 8
            for late in deltas[5:8] if number == 8 else []:
                playout.append("a", late)
            playout.append("a", delta)
        depths.append(playout.queued_ms)
        heard += play(playout, 100)
    assert (playout.underruns, playout.starved_ms) == (1, 300)
    assert depths[4] == 100
    assert depths[8] >= 300  # the delay is there
    assert depths[-1] <= 160  # a delta and the cushion
    assert playout.given_back_ms == 300 - (depths[-1] - 100)
    for word in range(19):  # no word lost a sample
        assert bytes([0x20 + word]) * 1600 in heard


def test_pauses_left_out_count_as_heard(playout):
    speech = speech_with_pauses(6)
    playout.append("a", speech[:1600])
    play(playout, 300)  # starved for 200 ms
    append_at_once(playout, "a", speech[1600:])
    playout.finish("a")
    while not playout.is_done("a"):
        playout.next_frame()
    assert playout.given_back_ms == 200
    assert playout.heard_ms("a") == playout.received_ms("a") == 1200


def test_a_cut_behind_a_pause_left_out_names_the_place_in_the_item(playout):
    speech = speech_with_pauses(6)
    playout.append("a", speech[:1600])
    play(playout, 300)
    append_at_once(playout, "a", speech[1600:])
    assert playout.given_back_ms == 200
    heard = play(playout, 740)
    assert heard.endswith(bytes([0x25]) * 640)  # in the middle of the last word
    cut = playout.flush()
    assert cut == Cut("a", heard_ms=1040, dropped_ms=160)


def test_speech_that_never_stalled_keeps_its_pauses(playout):
    speech = speech_with_pauses(10, pause_ms=500)
    for at in range(0, len(speech), 4800):  # faster than real time
        playout.append("a", speech[at : at + 4800])
        playout.next_frame()
    playout.finish("a")
    rest = play(playout, 6000)
    assert playout.given_back_ms == 0
    assert speech[len(speech) - 1600 - 16 * 500 :] in rest


def test_a_stall_after_which_nothing_waits_costs_no_pause(playout):
    """The provider itself was late and goes on at its pace: there is no delay to give back."""
    speech = speech_with_pauses(10)
    for number, at in enumerate(range(0, len(speech), 1600)):
        playout.append("a", speech[at : at + 1600])
        play(playout, 400 if number == 5 else 100)
    assert playout.starved_ms == 300
    assert playout.given_back_ms == 0


def test_the_delay_of_one_item_is_given_back_in_the_next_that_follows_at_once(playout):
    playout.append("a", pcm(100, "a"))
    play(playout, 300)
    playout.append("a", pcm(300, "a"))
    playout.finish("a")
    playout.append("b", speech_with_pauses(5))
    assert playout.given_back_ms == 200


def test_no_delay_is_left_when_the_queue_has_run_empty(playout):
    playout.append("a", pcm(100, "a"))
    play(playout, 300)
    playout.append("a", pcm(300, "a"))
    playout.finish("a")
    play(playout, 400)
    playout.append("b", speech_with_pauses(5))
    assert playout.given_back_ms == 0


def test_more_than_the_outlet_has_room_for_waits_and_is_counted(playout):
    sound = b"".join(number.to_bytes(2, "little") for number in range(1, 40_001))
    playout.append("a", sound)
    assert playout.queued_ms == 5000
    heard = b""
    for _ in range(50):
        heard += play(playout, 100)
        assert playout.heard_ms("a") == len(heard) // 16
    assert heard == sound
    playout.finish("a")
    assert playout.is_done("a")


def test_a_flush_drops_also_what_waits_for_room(playout):
    playout.append("a", pcm(5000))
    play(playout, 100)
    assert playout.flush() == Cut("a", heard_ms=100, dropped_ms=4900)
    assert playout.next_frame() == SILENCE
    assert (playout.queued_ms, playout.is_idle) == (0, True)
