"""Every kind of outlet that this build of pjsua2 has, each with the media thread's side."""

import ctypes

from media_worker.audio.outlet import FrameQueue
from media_worker.sip.ring import RingAudio, RingOutlet, rings


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
