"""The caller's audio on its way from the leg to the provider."""

from __future__ import annotations

import asyncio
from typing import Final

from media_worker.audio.capture import FrameSource
from media_worker.audio.formats import Encoder
from media_worker.realtime.session import RealtimeSession, SessionError

LIMIT_MS: Final = 2000
"""What waits while a session is slow or being replaced; older audio is dropped."""


class Uplink:
    """Pulled once a tick; what it holds goes out as one chunk."""

    def __init__(self, capture: FrameSource, clock_rate: int) -> None:
        self.held = False
        """The other side is on hold: nothing is sent."""
        self.dropped_ms = 0
        self._capture = capture
        self._clock_rate = clock_rate
        self._bytes_per_ms = clock_rate * 2 / 1000
        self._limit = int(LIMIT_MS * self._bytes_per_ms)
        self._waiting = bytearray()
        self._ready = asyncio.Event()
        self._sent = 0
        self._has_run = False

    def pull(self) -> bytes:
        """Take what the caller said since the last tick; returns it, as PCM of the leg."""
        pcm = self._capture.take()
        if self.held or not pcm:
            return b""
        self._waiting += pcm
        surplus = len(self._waiting) - self._limit
        if surplus > 0:
            del self._waiting[:surplus]
            self.dropped_ms += int(surplus / self._bytes_per_ms) if self._has_run else 0
        self._ready.set()
        return pcm

    async def run(self, session: RealtimeSession) -> None:
        """Send to this session until it is over. What came before the first one is not sent."""
        encoder = Encoder(session.info.input_format, self._clock_rate)
        self._sent = 0
        if not self._has_run:
            self._waiting.clear()
            self._has_run = True
        while True:
            await self._ready.wait()
            self._ready.clear()
            pcm = bytes(self._waiting)
            self._waiting.clear()
            self._sent += len(pcm)
            try:
                await session.send_audio(encoder.encode(pcm))
            except SessionError:
                return  # the session's last event says why

    def moment(self, audio_ms: float, now: float) -> float:
        """When a place on the session's audio clock was spoken; seconds, never after `now`."""
        return now - max(0.0, self._sent / self._bytes_per_ms - audio_ms) / 1000
