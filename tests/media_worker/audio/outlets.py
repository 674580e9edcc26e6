"""Every kind of outlet, capture and tap that this build of pjsua2 has: in Python, and in C where it
has rings. Each with the media thread's side."""

import ctypes

from media_worker.audio.capture import Capture
from media_worker.audio.outlet import FrameQueue
from media_worker.audio.tap import Tap
from media_worker.sip.ring import RingAudio, RingCapture, RingOutlet, RingTicks, rings


class RingQueue(RingOutlet):
    """The ring of C, without a bridge."""

    def __init__(self, clock_rate: int) -> None:
        self.audio = RingAudio(clock_rate)
        super().__init__(self.audio.ring)
        self.clock_rate = clock_rate
        self.audio.ring.state.is_open = 1
        self._frame = ctypes.create_string_buffer(self.audio.ring.frame_bytes)

    def next_frame(self) -> bytes:
        ring = self.audio.ring
        ring.library.pbxai_ring_give(ring.pointer, self._frame)
        return self._frame.raw


OUTLETS = [FrameQueue] if rings() is None else [FrameQueue, RingQueue]


class RingSource(RingCapture):
    """The ring's other direction, filled by the test."""

    def __init__(self, clock_rate: int) -> None:
        self.audio = RingAudio(clock_rate)
        super().__init__(self.audio.ring, clock_rate)
        self.audio.ring.state.is_open = 1

    def put(self, frame: bytes | None) -> None:
        ring = self.audio.ring
        ring.library.pbxai_ring_receive(ring.pointer, frame)


CAPTURES = [Capture] if rings() is None else [Capture, RingSource]


class PythonTicks:
    """A tap behind the port in Python: what each tick gives and takes."""

    def __init__(self, clock_rate: int) -> None:
        self.tap = Tap(clock_rate)

    def tick(self, caller: bytes, agent: bytes) -> None:
        self.tap.put(caller, agent)


class RingTicksOf:
    """The same behind a ring."""

    def __init__(self, clock_rate: int) -> None:
        self.tap = Tap(clock_rate)
        self._outlet = RingQueue(clock_rate)
        self._ring = self._outlet.audio.ring
        self.tap.source = RingTicks(self._ring)

    def tick(self, caller: bytes, agent: bytes) -> None:
        self._outlet.put(agent)
        assert self._outlet.next_frame() == agent
        self._ring.library.pbxai_ring_receive(self._ring.pointer, caller)


TICKS = [PythonTicks] if rings() is None else [PythonTicks, RingTicksOf]
