import threading

from media_worker.audio.capture import Capture

FRAME = bytes(320)


def test_all_since_the_last_take_in_order():
    capture = Capture(8000)
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
