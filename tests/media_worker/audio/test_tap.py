"""The tap: both directions beside each other on one clock, whatever becomes of the ticks."""

import threading

import numpy as np
import pytest

from media_worker.audio import tap as tap_module
from media_worker.audio.tap import Tap

RATE = 8000
FRAME = RATE // 50


def frame(value: int) -> bytes:
    return np.full(FRAME, value, dtype="<i2").tobytes()


def stereo(data: bytes) -> np.ndarray:
    """Samples by (time, side)."""
    return np.frombuffer(data, dtype="<i2").reshape(-1, 2)


@pytest.fixture
def at(monkeypatch):
    """Sets the clock that the tap reads."""
    now = [100.0]
    monkeypatch.setattr(tap_module, "monotonic", lambda: now[0])

    def put(tap: Tap, seconds: float, caller: int, agent: int) -> None:
        now[0] = seconds
        tap.put(frame(caller), frame(agent))

    return put


def test_the_two_sides_lie_beside_each_other_to_the_sample(at):
    tap = Tap(RATE)
    for number in range(50):
        at(tap, 100 + number * 0.02, number, -number)
    sound = stereo(tap.take())
    assert sound.shape == (RATE, 2)
    assert (sound[:, 0] == np.repeat(np.arange(50), FRAME)).all()
    assert (sound[:, 1] == -sound[:, 0]).all()
    assert tap.took_ms == 1000
    assert tap.take() == b""


def test_what_is_taken_in_pieces_is_the_same(at):
    tap = Tap(RATE)
    pieces = []
    for number in range(50):
        at(tap, 100 + number * 0.02, number, number + 1000)
        if number % 7 == 0:
            pieces.append(tap.take())
    sound = stereo(b"".join([*pieces, tap.take()]))
    assert (sound[:, 0] == np.repeat(np.arange(50), FRAME)).all()
    assert (sound[:, 1] == sound[:, 0] + 1000).all()


def test_late_ticks_that_are_made_up_for_move_nothing(at):
    """A bridge that stood still for 400 ms hands out the ticks in one go."""
    tap = Tap(RATE)
    for number in range(100):
        at(tap, 100 + max(number * 0.02, 0.9 if number > 25 else 0.0), number, number)
    assert (stereo(tap.take())[:, 0] == np.repeat(np.arange(100), FRAME)).all()


def test_ticks_that_never_came_are_silence_of_their_length(at):
    tap = Tap(RATE)
    for number in range(50):
        at(tap, 100 + number * 0.02, 7, 7)
    first = tap.take()
    for number in range(50):
        at(tap, 103.5 + number * 0.02, 8, 8)
    sound = stereo(first + tap.take())
    assert len(sound) == 4.5 * RATE
    assert (sound[:RATE] == 7).all()
    assert not sound[RATE : round(3.5 * RATE)].any()
    assert (sound[round(3.5 * RATE) :] == 8).all()


@pytest.mark.parametrize("late", [0.0, 0.09, 0.3])
def test_a_short_hold_is_silence_of_its_length_though_its_end_was_noticed_late(at, late):
    """The bridge's first tick after it may come late; those behind it are in time again."""
    tap = Tap(RATE)
    for number in range(50):
        at(tap, 100 + number * 0.02, 7, 7)
    for number in range(100):
        at(tap, 101.4 + max(late, number * 0.02), 8, 8)
    sound = stereo(tap.take())
    assert len(sound) == 3.4 * RATE
    assert not sound[RATE : round(1.4 * RATE)].any()
    assert (sound[round(1.4 * RATE) :] == 8).all()


def test_the_beginning_is_when_the_first_tick_was_due_though_it_came_late(at):
    tap = Tap(RATE)
    at(tap, 100.15, 0, 0)
    for number in range(1, 50):
        at(tap, max(100.15, 100 + number * 0.02), 0, 0)
    tap.take()
    assert tap.began_at == pytest.approx(100.0)


def test_a_reader_that_does_not_come_costs_bounded_memory_and_no_time(at):
    tap = Tap(RATE, limit_ms=1000)
    for number in range(500):
        at(tap, 100 + number * 0.02, 5, 5)
    first = stereo(tap.take())
    assert len(first) == RATE  # the last second; what came before is gone
    assert tap.began_at == pytest.approx(109.0)
    for number in range(500, 1000):
        at(tap, 100 + number * 0.02, 6, 6)
    sound = stereo(tap.take())
    assert len(sound) == 10 * RATE
    assert not sound[: 9 * RATE].any()
    assert (sound[9 * RATE :] == 6).all()


def test_two_threads_lose_nothing():
    count = 5000
    tap = Tap(RATE, limit_ms=count * 20)

    def put() -> None:
        for number in range(count):
            tap.put(frame(number % 1000), frame(-(number % 1000)))

    writer = threading.Thread(target=put)
    writer.start()
    pieces = []
    while writer.is_alive():
        pieces.append(tap.take())
    writer.join()
    sound = stereo(b"".join([*pieces, tap.take()]))
    assert (sound[:, 0] == np.repeat(np.arange(count) % 1000, FRAME)).all()
    assert (sound[:, 1] == -sound[:, 0]).all()
