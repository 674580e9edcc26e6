import threading

import pytest

from media_worker.audio.capture import Capture
from tests.media_worker.audio.outlets import CAPTURES, TICKS

FRAME = bytes(320)


@pytest.fixture(params=CAPTURES)
def capture(request):
    return request.param(8000)


def test_all_since_the_last_take_in_order(capture):
    capture.put(b"a" * 320)
    capture.put(b"b" * 320)
    assert capture.take() == b"a" * 320 + b"b" * 320
    assert capture.take() == b""
    assert capture.dropped_ms == 0


def test_the_oldest_goes_beyond_the_limit_and_is_counted():
    capture = Capture(8000, limit_ms=40)
    for letter in b"abc":
        capture.put(bytes([letter]) * 320)
    assert capture.take() == b"b" * 320 + b"c" * 320
    assert capture.dropped_ms == 20


def test_nothing_is_lost_or_doubled_between_two_threads():
    capture = Capture(8000, limit_ms=200)
    total = 20_000

    def write() -> None:
        for number in range(total):
            capture.put(number.to_bytes(4, "little"))

    writer = threading.Thread(target=write)
    writer.start()
    seen = []
    while writer.is_alive():
        data = capture.take()
        seen += [int.from_bytes(data[at : at + 4], "little") for at in range(0, len(data), 4)]
    data = capture.take()
    seen += [int.from_bytes(data[at : at + 4], "little") for at in range(0, len(data), 4)]
    assert seen == sorted(set(seen))
    assert len(seen) + capture.dropped_ms // 20 == total


def test_what_nobody_takes_in_time_is_dropped_and_counted(capture):
    frames = [number.to_bytes(2, "little") * 160 for number in range(300)]
    for frame in frames:
        capture.put(frame)
    kept = capture.take()
    assert b"".join(frames).endswith(kept)
    assert 2000 <= len(kept) // 16 <= 2560
    assert capture.dropped_ms == 6000 - len(kept) // 16
    capture.put(frames[0])
    assert capture.take() == frames[0]
    assert capture.dropped_ms == 6000 - len(kept) // 16


@pytest.mark.parametrize("ticks", TICKS)
def test_a_tap_gets_both_sides_of_each_tick(ticks):
    side = ticks(8000)
    pairs = [(bytes([number, 1]) * 160, bytes([number, 2]) * 160) for number in range(50)]
    taken = b""
    for number, pair in enumerate(pairs):
        side.tick(*pair)
        if number % 7 == 0:
            taken += side.tap.take()
    taken += side.tap.take()
    stereo = [taken[at : at + 4] for at in range(0, len(taken), 4)]
    assert b"".join(sample[:2] for sample in stereo) == b"".join(caller for caller, _ in pairs)
    assert b"".join(sample[2:] for sample in stereo) == b"".join(agent for _, agent in pairs)
