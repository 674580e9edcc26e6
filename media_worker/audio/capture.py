"""The caller's audio on its way from the media thread to the event loop."""

from __future__ import annotations

from collections import deque
from typing import Final, Protocol

from media_worker.audio.outlet import FRAME_MS

LIMIT_MS: Final = 2000


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
