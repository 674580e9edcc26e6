import threading

import pytest

from media_worker.audio.playout import REMEMBERED_ITEMS, Cut, Playout

SILENCE = bytes(320)


def pcm(ms: int, letter: str = "x") -> bytes:
    return letter.encode() * (16 * ms)


@pytest.fixture
def playout() -> Playout:
    return Playout(8000)


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
    assert playout.underruns == 1
    playout.append("a", pcm(20))
    assert playout.next_frame() == pcm(20)
    playout.finish("a")
    playout.next_frame()
    assert playout.underruns == 1


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
    playout = Playout(16000)
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
