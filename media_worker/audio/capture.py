"""The caller's audio on its way from the media thread to the event loop."""

from __future__ import annotations

from collections import deque
from typing import Any, Final, Protocol

import numpy as np
from numpy.typing import NDArray

from media_worker.audio.outlet import FRAME_MS, frame_bytes

LIMIT_MS: Final = 2000
FRAMES_A_READ: Final = 16
"""Of one call; where there are as many, there may be more."""


class FrameSource(Protocol):
    """Audio that comes in at the pace of the media thread, silence where there is none."""

    clock_rate: int

    @property
    def dropped_ms(self) -> int:
        """Milliseconds thrown away because nobody took them in time."""
        ...

    def take(self) -> bytes:
        """All audio since the last call, oldest first; empty when there is none. Event loop."""
        ...

    def new_reader(self) -> FrameReader:
        """For sources of this kind."""
        ...


class FrameReader(Protocol):
    """Reads many sources at once, beside those who take from them. Event loop."""

    def add(self, source: Any) -> None:
        """Read also this one, from now on; its place is behind the others."""
        ...

    def remove(self, place: int) -> None:
        """The last one takes this place."""
        ...

    def read(self, places: NDArray[np.intp]) -> tuple[NDArray[np.uint8], NDArray[np.int32]]:
        """What these have that was not read: frames of 16-bit PCM, (places, FRAMES_A_READ, octets),
        and how many of them each has, oldest first. Valid until the next call."""
        ...


class Capture:
    """A bounded queue of PCM frames with one writer (media thread) and one reader (event loop).

    Safe without a lock: each step is one atomic operation on a deque, and a frame belongs to the
    thread that popped it.
    """

    FRAME_MS: Final = FRAME_MS

    def __init__(self, clock_rate: int, limit_ms: int = LIMIT_MS) -> None:
        self.clock_rate = clock_rate
        self.dropped_ms = 0
        """Milliseconds thrown away because nobody took them in time."""
        self._limit = max(1, limit_ms // FRAME_MS)
        self._frames: deque[bytes] = deque()
        self.also: tuple[deque[bytes], ...] = ()
        """Queues of those who read beside: each frame goes there too."""

    def put(self, frame: bytes) -> None:
        """Add 20 ms of 16-bit mono PCM; beyond the limit the oldest frame goes. Media thread."""
        frames = self._frames
        if len(frames) >= self._limit:
            try:
                frames.popleft()
            except IndexError:  # the reader emptied it between the two lines
                pass
            else:
                self.dropped_ms += FRAME_MS
        frames.append(frame)
        for queue in self.also:
            queue.append(frame)

    def take(self) -> bytes:
        """All audio since the last call, oldest first; empty when there is none. Event loop."""
        frames = self._frames
        taken = []
        for _ in range(len(frames)):  # not until empty: the writer must not keep us here
            try:
                taken.append(frames.popleft())
            except IndexError:  # the writer dropped one meanwhile
                break
        return b"".join(taken)

    def new_reader(self) -> CaptureReader:
        return CaptureReader(self.clock_rate)


class CaptureReader:
    """Reads frame by frame (`FrameReader`)."""

    def __init__(self, clock_rate: int) -> None:
        self._frame_bytes = frame_bytes(clock_rate)
        self._queues: list[tuple[Capture, deque[bytes]]] = []

    def add(self, source: Capture) -> None:
        queue: deque[bytes] = deque(maxlen=LIMIT_MS // FRAME_MS)
        source.also += (queue,)
        self._queues.append((source, queue))

    def remove(self, place: int) -> None:
        source, queue = self._queues[place]
        source.also = tuple(other for other in source.also if other is not queue)
        self._queues[place] = self._queues[-1]
        self._queues.pop()

    def read(self, places: NDArray[np.intp]) -> tuple[NDArray[np.uint8], NDArray[np.int32]]:
        frames = np.zeros((len(places), FRAMES_A_READ, self._frame_bytes), np.uint8)
        counts = np.zeros(len(places), np.int32)
        for row, place in enumerate(places.tolist()):
            _, queue = self._queues[place]
            while queue and counts[row] < FRAMES_A_READ:
                frames[row, counts[row]] = np.frombuffer(queue.popleft(), np.uint8)
                counts[row] += 1
        return frames, counts
