"""The caller's audio on its way from the leg to the provider."""

from __future__ import annotations

from typing import Final

from media_worker.audio.capture import FrameSource
from media_worker.audio.formats import Encoder
from media_worker.conversation.ticker import TICK_MS
from media_worker.realtime.session import RealtimeSession, SessionError

LIMIT_MS: Final = 2000
"""What waits while a session is slow or being replaced; older audio is dropped."""
LISTENING_MS: Final = 40
"""Our own VAD hears the caller so often, also where the provider gets larger chunks."""


def pace_ms(chunk_ms: int, *, listens: bool) -> int:
    """How often a call is looked at: each chunk, or a part of it so that our VAD is quick."""
    if not listens:
        return chunk_ms
    return next(ms for ms in (LISTENING_MS, TICK_MS) if chunk_ms % ms == 0)


class Uplink:
    """At each tick `pull` takes what came in; `send` sends a chunk when that much is there."""

    def __init__(self, capture: FrameSource, clock_rate: int, chunk_ms: int, every_ms: int) -> None:
        self.held = False
        """The other side is on hold: nothing is sent."""
        self.dropped_ms = 0
        self._capture = capture
        self._clock_rate = clock_rate
        self._bytes_per_ms = clock_rate * 2 / 1000
        self._limit = int(LIMIT_MS * self._bytes_per_ms)
        # a frame may come a little later than its tick: half a tick less is a chunk too
        self._chunk = int((chunk_ms - every_ms / 2) * self._bytes_per_ms)
        self._waiting = bytearray()
        self._session: RealtimeSession | None = None
        self._encoder: Encoder
        self._sent = 0
        self._had_session = False

    def pull(self) -> bytes:
        """Take what the caller said since the last tick; returns it, as PCM of the leg."""
        pcm = self._capture.take()
        if self.held or not pcm:
            return b""
        self._waiting += pcm
        surplus = len(self._waiting) - self._limit
        if surplus > 0:
            del self._waiting[:surplus]
            self.dropped_ms += int(surplus / self._bytes_per_ms) if self._had_session else 0
        return pcm

    def send(self) -> None:
        """Send what waits, if it is a chunk and there is a session."""
        session = self._session
        if session is None or len(self._waiting) < self._chunk:
            return
        pcm = bytes(self._waiting)
        self._waiting.clear()
        self._sent += len(pcm)
        try:
            session.send_audio(self._encoder.encode(pcm))
        except SessionError:
            self._session = None  # its last event says why

    def open(self, session: RealtimeSession) -> None:
        """Send to this session from now on. What came before the first one is not sent."""
        self._encoder = Encoder(session.info.input_format, self._clock_rate)
        self._sent = 0
        if not self._had_session:
            self._waiting.clear()
            self._had_session = True
        self._session = session

    def close(self) -> None:
        """The session is over; what comes now waits for the next."""
        self._session = None

    def moment(self, audio_ms: float, now: float) -> float:
        """When a place on the session's audio clock was spoken; seconds, never after `now`."""
        return now - max(0.0, self._sent / self._bytes_per_ms - audio_ms) / 1000
