"""The caller's audio on its way from the leg to the provider."""

from __future__ import annotations

from collections import deque
from typing import Final

from media_worker.audio.capture import FrameSource
from media_worker.audio.formats import Encoder
from media_worker.conversation.gate import Gate
from media_worker.realtime.session import RealtimeSession, SessionError

LIMIT_MS: Final = 2000
"""What waits while a session is slow or being replaced; older audio is dropped."""
REMEMBERED_GAPS: Final = 64
"""Places on the audio clock that lie before so many gaps are not asked about any more."""


class Uplink:
    """Once a chunk `pull` takes what came in and `send` sends it.

    The session's audio clock counts what it was sent; what was not (hold, gate, overflow) is a gap
    in it that `moment` knows of.
    """

    def __init__(
        self,
        capture: FrameSource,
        clock_rate: int,
        chunk_ms: int,
        gate: Gate | None = None,
    ) -> None:
        self.held = False
        """The other side is on hold: nothing is sent."""
        self.keeps_early = False
        """What the caller says before there is a session waits for it: somebody greeted already."""
        self._dropped = 0
        self._gate = gate
        self._capture = capture
        self._clock_rate = clock_rate
        self._bytes_per_ms = clock_rate * 2 / 1000
        self._limit = int(LIMIT_MS * self._bytes_per_ms)
        # a frame may come a little later than its tick: half a chunk is one too
        self._least = int(chunk_ms / 2 * self._bytes_per_ms)
        self._waiting = bytearray()
        self._session: RealtimeSession | None = None
        self._encoder: Encoder
        self._had_session = False
        self._taken = self._passed = self._begun_at = self._not_sent = 0
        """Bytes: taken from the capture; of them, passed on to be sent; of these, before this
        session; kept back."""
        self._gaps: deque[tuple[int, int]] = deque([(0, 0)], maxlen=REMEMBERED_GAPS)
        """From this byte of those passed on, audio was taken at this byte of all."""

    @property
    def dropped_ms(self) -> int:
        """Milliseconds that nobody took in time: we from the leg, or a session from us."""
        return self._capture.dropped_ms + int(self._dropped / self._bytes_per_ms)

    @property
    def heard_ms(self) -> int:
        """Milliseconds of the caller's audio that came in."""
        return int(self._taken / self._bytes_per_ms)

    @property
    def not_sent_ms(self) -> int:
        """Of it, what was kept from the provider: the call was on hold, or nobody spoke."""
        kept = self._gate.kept_bytes if self._gate else 0
        return int((self._not_sent + kept) / self._bytes_per_ms)

    def pull(self) -> bytes:
        """Take what the caller said since the last tick; returns it, as PCM of the leg."""
        pcm = self._capture.take()
        if not pcm:
            return b""
        self._taken += len(pcm)
        if self.held:
            self._skip(len(pcm) + (self._gate.clear() if self._gate else 0))
            return b""
        if self._gate is None:
            self._pass(pcm)
        else:
            self._gate.feed(pcm)
        return pcm

    def send(self, *, is_open: bool = True) -> None:
        """Send what waits, if it is a chunk and there is a session. `is_open` is the gate's."""
        self._release(is_open=is_open)
        if len(self._waiting) >= self._least:
            self._ship()

    def flush(self) -> None:
        """Take and send all there is, however little: the caller's turn ends here."""
        self.pull()
        self._release(is_open=True)
        if self._waiting:
            self._ship()

    def _release(self, *, is_open: bool) -> None:
        if self._gate is not None:
            pcm, kept_back = self._gate.release(is_open=is_open)
            self._pass(pcm)
            self._skip(kept_back)

    def _ship(self) -> None:
        session = self._session
        if session is None:
            return
        pcm = bytes(self._waiting)
        self._waiting.clear()
        try:
            session.send_audio(self._encoder.encode(pcm))
        except SessionError:
            self._session = None  # its last event says why

    def open(self, session: RealtimeSession) -> None:
        """Send to this session from now on. What came before the first one is not sent, unless it
        was kept."""
        self._encoder = Encoder(session.info.input_format, self._clock_rate)
        if not (self._had_session or self.keeps_early):
            self._waiting.clear()
        self._had_session = True
        self._begun_at = self._passed - len(self._waiting)
        self._session = session

    def close(self) -> None:
        """The session is over; what comes now waits for the next."""
        self._session = None

    def moment(self, audio_ms: float, heard_until: float) -> float:
        """When a place on the session's audio clock was spoken; seconds, never after
        `heard_until`, which is when the last that was taken was."""
        at = self._begun_at + audio_ms * self._bytes_per_ms
        passed, taken = next((gap for gap in reversed(self._gaps) if gap[0] <= at), self._gaps[0])
        ago = self._taken - (taken + at - passed)
        return heard_until - max(0.0, ago / self._bytes_per_ms) / 1000

    def _pass(self, pcm: bytes) -> None:
        self._waiting += pcm
        self._passed += len(pcm)
        surplus = len(self._waiting) - self._limit
        if surplus > 0:
            del self._waiting[:surplus]
            self._begun_at += surplus
            self._dropped += surplus if self._had_session or self.keeps_early else 0

    def _skip(self, size: int) -> None:
        """So much that was taken is not passed on."""
        if not size:
            return
        self._not_sent += size
        place, taken = self._gaps[-1]
        if place == self._passed:
            self._gaps[-1] = (place, taken + size)
        else:
            self._gaps.append((self._passed, taken + self._passed - place + size))
