"""Both directions of a browser's audio, moved at one pace: what the bridge is for a SIP call."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Final

from aiortc import MediaStreamTrack
from aiortc.mediastreams import MediaStreamError
from av import AudioFrame, AudioResampler

from media_worker.audio.capture import Capture
from media_worker.audio.outlet import FRAME_MS, FRAME_SECONDS, FrameQueue, frame_bytes
from media_worker.audio.tap import Tap
from media_worker.webrtc.track import AgentTrack

MOST_WAITING: Final = 8
KEPT_WAITING: Final = 3
"""Frames of the browser's that came in a bunch: when too many wait, so many are kept."""
MOST_BEHIND_SECONDS: Final = 0.06
"""So much of a stall is made up for; beyond it the time is lost: nothing goes out in a burst."""


class Media:
    """`capture`, `outlet` and `tap` are the worker's side of it, all else is the room's loop."""

    def __init__(self, clock_rate: int) -> None:
        self.capture = Capture(clock_rate)
        self.outlet = FrameQueue(clock_rate)
        self.tap: Tap | None = None
        self.track = AgentTrack(clock_rate)
        self.received = 0
        """Frames that came from the browser."""
        self.discarded = 0
        self._resampler = AudioResampler(
            format="s16", layout="mono", rate=clock_rate, frame_size=clock_rate * FRAME_MS // 1000
        )
        self._size = frame_bytes(clock_rate)
        self._silence = bytes(self._size)
        self._waiting: deque[bytes] = deque()

    async def receive(self, track: MediaStreamTrack) -> None:
        """Take what the browser sends, until it sends no more: aiortc's own queue has no bound."""
        while True:
            try:
                frame = await track.recv()
            except MediaStreamError:
                return
            if isinstance(frame, AudioFrame):
                self._take(frame)

    async def pump(self) -> None:
        """Move a frame each way every 20 ms, for ever."""
        loop = asyncio.get_running_loop()
        self.outlet.start_clock()
        due = loop.time()
        while True:
            due = max(due + FRAME_SECONDS, loop.time() - MOST_BEHIND_SECONDS)
            await asyncio.sleep(due - loop.time())
            self._move()

    def _take(self, frame: AudioFrame) -> None:
        for part in self._resampler.resample(frame):
            self.received += 1
            self._waiting.append(bytes(part.planes[0])[: self._size])
        if len(self._waiting) > MOST_WAITING:
            while len(self._waiting) > KEPT_WAITING:
                self._waiting.popleft()
                self.discarded += 1

    def _move(self) -> None:
        caller = self._waiting.popleft() if self._waiting else self._silence
        if len(caller) != self._size:
            caller = self._silence
        agent = self.outlet.next_frame()
        self.capture.put(caller)
        if self.tap is not None:
            self.tap.put(caller, agent)
        self.track.put(agent)
