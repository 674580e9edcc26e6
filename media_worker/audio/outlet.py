"""Where frames of the agent's speech wait for the media thread, and the count of those it took."""

from __future__ import annotations

from collections import deque
from time import monotonic
from typing import Final, Protocol

FRAME_MS: Final = 20
BYTES_A_SAMPLE: Final = 2
FRAME_SECONDS: Final = FRAME_MS / 1000


def frame_bytes(clock_rate: int) -> int:
    """Bytes of 20 ms of 16-bit mono PCM."""
    return clock_rate * FRAME_MS // 1000 * BYTES_A_SAMPLE


class Outlet(Protocol):
    """A queue of whole frames. The event loop puts them in and asks, the media thread takes them.

    Counters only grow, so that reading one needs no lock.
    """

    paused: bool
    """Nothing is taken: the media thread sends silence."""

    @property
    def taken(self) -> int:
        """Frames that left the queue: handed to the media thread, or taken back."""
        ...

    @property
    def taken_at(self) -> float:
        """`time.monotonic()` when the media thread took the last one; 0.0 before the first."""
        ...

    @property
    def asked_at(self) -> float:
        """`time.monotonic()` when the media thread last wanted a frame; 0.0: its clock stands."""
        ...

    @property
    def silent(self) -> int:
        """Frames that the media thread wanted while none was queued."""
        ...

    @property
    def late(self) -> int:
        """Frames that the media thread wanted more than a frame's time late."""
        ...

    def put(self, frames: bytes) -> int:
        """Queue whole frames; how many there was room for."""
        ...

    def take_back(self) -> int:
        """Empty the queue; `taken` as it was before."""
        ...


class FrameQueue:
    """In Python, without a limit; `next_frame` is the media thread's side.

    A frame is taken off the deque in one atomic step and belongs to whoever took it.
    """

    def __init__(self, clock_rate: int) -> None:
        self.clock_rate = clock_rate
        self.paused = False
        self.silent = 0
        self.late = 0
        self.taken_at = 0.0
        self._size = frame_bytes(clock_rate)
        self._silence = bytes(self._size)
        self._frames: deque[bytes] = deque()
        self._put = 0
        self._taken_back = 0
        self._given = 0  # written by the media thread
        self.asked_at = 0.0

    @property
    def taken(self) -> int:
        return self._given + self._taken_back

    def put(self, frames: bytes) -> int:
        size = self._size
        count = len(frames) // size
        self._put += count
        self._frames.extend(frames[at : at + size] for at in range(0, count * size, size))
        return count

    def take_back(self) -> int:
        count = 0
        while True:
            try:
                self._frames.pop()
            except IndexError:
                break
            count += 1
        self._taken_back += count
        return self._put - count

    def start_clock(self) -> None:
        """The media thread begins to ask, again after a hold: the time before is not late."""
        self.asked_at = 0.0

    def next_frame(self) -> bytes:
        """Exactly 20 ms to send now; silence when nothing is queued. Media thread."""
        now = monotonic()
        before, self.asked_at = self.asked_at, now
        if before and now - before >= 2 * FRAME_SECONDS:
            self.late += int((now - before) / FRAME_SECONDS) - 1
        if self.paused:
            return self._silence
        try:
            frame = self._frames.popleft()
        except IndexError:
            self.silent += 1
            return self._silence
        self.taken_at = now
        self._given += 1
        return frame
