"""Both directions of a call, frame beside frame, on their way from the media thread to a file.

The media thread puts a pair at each tick of the bridge: the caller's frame, and the agent's frame
that was handed out at that same tick. So the two stay aligned to the sample whatever happens to the
call (hold, lost packets, barge-in, underruns). Where ticks are missing (no bridge for a while, or
nobody took the frames in time), silence takes their place: the recording keeps to the clock.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from time import monotonic
from typing import Final

import numpy as np

FRAME_MS: Final = 20
CHANNELS: Final = 2
BYTES_A_SAMPLE: Final = 2
FRAME_SECONDS: Final = FRAME_MS / 1000
LATE_SECONDS: Final = 0.1
LATEST_SECONDS: Final = 0.6
"""pjmedia makes up for late ticks of up to 0.5 s (clock_thread.c, MAX_JUMP_MSEC), then jumps."""
LOOK_AHEAD: Final = 25
"""Ticks, half a second: who is late for longer has not been held up but was on hold."""

Tick = tuple[float, bytes, bytes]
"""`time.monotonic()`, and 20 ms of 16-bit mono PCM each: the caller's and the agent's."""


class Tap:
    """A bounded queue with one writer (media thread) and one reader (any other thread).

    `put` is one atomic append; beyond `limit_ms` the oldest pair goes, its time becomes silence.
    """

    def __init__(self, clock_rate: int, limit_ms: int = 10_000) -> None:
        self.clock_rate = clock_rate
        self.began_at: float | None = None
        """`time.monotonic()` at which the first tick was due; the more ticks, the surer."""
        self.source: Callable[[], list[Tick]] | None = None
        """Where pairs come from that nobody puts: a port without Python keeps its own."""
        self._pairs: deque[Tick] = deque(maxlen=limit_ms // FRAME_MS)
        self._frame_bytes = clock_rate * FRAME_MS // 1000 * BYTES_A_SAMPLE
        self._frames = 0

    @property
    def took_ms(self) -> int:
        """Milliseconds that were taken so far."""
        return self._frames * FRAME_MS

    def put(self, caller: bytes, agent: bytes) -> None:
        """20 ms of 16-bit mono PCM of each side. Media thread."""
        self._pairs.append((monotonic(), caller, agent))

    def take(self) -> bytes:
        """All since the last call: 16-bit stereo PCM, caller left, agent right. Reader's thread."""
        ticks = self._waiting()
        left: list[bytes] = []
        right: list[bytes] = []
        for number, (_, caller, agent) in enumerate(ticks):
            silence = bytes(self._missing(ticks, number) * self._frame_bytes)
            left += (silence, caller)
            right += (silence, agent)
        return _interleave(b"".join(left), b"".join(right)) if left else b""

    def _waiting(self) -> list[Tick]:
        if self.source is not None:
            return self.source()
        pairs = self._pairs
        taken = []
        for _ in range(len(pairs)):  # not until empty: the writer must not keep us here
            try:
                taken.append(pairs.popleft())
            except IndexError:  # the bound dropped one meanwhile
                break
        return taken

    def _missing(self, ticks: list[Tick], number: int) -> int:
        """Count one of these ticks; how many never came before it."""
        place = self._frames * FRAME_SECONDS
        first = ticks[number][0] - place
        if self.began_at is None or first < self.began_at:
            self.began_at = first  # a tick may come late, never early
        missing = 0
        if first - self.began_at > LATE_SECONDS:
            # Late, and made up for by those behind it; or as late as they are, and some never came.
            ahead = ticks[number : number + LOOK_AHEAD]
            behind = min(at - step * FRAME_SECONDS for step, (at, _, _) in enumerate(ahead))
            behind -= place + self.began_at
            limit = LATE_SECONDS if len(ahead) == LOOK_AHEAD else LATEST_SECONDS
            missing = round(behind / FRAME_SECONDS) if behind > limit else 0
        self._frames += missing + 1
        return missing


def _interleave(left: bytes, right: bytes) -> bytes:
    frames = np.empty((len(left) // BYTES_A_SAMPLE, CHANNELS), dtype="<i2")
    frames[:, 0] = np.frombuffer(left, dtype="<i2")
    frames[:, 1] = np.frombuffer(right, dtype="<i2")
    return frames.tobytes()
