"""The frame copy of the build that is installed, against the slow one."""

import time

import pjsua2 as pj
import pytest

from media_worker.sip import frames
from media_worker.sip.frames import FrameCopy


def test_the_fast_way_is_chosen_and_fast():
    copy = FrameCopy()
    assert copy.name in ("copy", "storage")
    write, frame, data = copy.new_writer(), pj.MediaFrame(), bytes(range(160)) * 2

    def there_and_back() -> float:
        began = time.thread_time()
        for _ in range(100):
            write(frame, data)
            assert copy.read(frame.buf) == data
        return (time.thread_time() - began) / 100

    assert min(there_and_back() for _ in range(20)) < 100e-6  # the slow way takes 300 us


@pytest.mark.parametrize("size", [0, 2, 320, 640])
def test_what_is_written_is_read(size):
    copy, frame = FrameCopy(), pj.MediaFrame()
    write = copy.new_writer()
    for fill in (1, 2, 3):
        data = bytes([fill]) * size
        write(frame, data)
        assert copy.read(frame.buf) == frames.read_slowly(frame.buf) == data


def test_two_writers_do_not_share_a_buffer():
    copy = FrameCopy()
    first, second = copy.new_writer(), copy.new_writer()
    one, two = pj.MediaFrame(), pj.MediaFrame()
    first(one, b"a" * 320)
    second(two, b"b" * 320)
    assert copy.read(one.buf) == b"a" * 320


def test_a_way_that_does_not_give_back_what_went_in_is_refused():
    assert not frames._works(lambda vector: b"", frames.write_slowly)
    assert frames._works(frames.read_slowly, frames.write_slowly)
