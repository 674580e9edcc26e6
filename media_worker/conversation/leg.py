"""What a conversation knows of the telephone: a leg that gives and takes audio, and can be ended.

The SIP room and the WebRTC room each provide one. All methods belong to the event loop's thread.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Protocol

import msgspec

from media_worker.audio.capture import FrameSource
from media_worker.audio.playout import Playout
from media_worker.audio.tap import Tap
from media_worker.contract import AudioFormat


class LegAnswered(msgspec.Struct, frozen=True):
    codec: str
    """e.g. `PCMU/8000`"""


class LegDtmf(msgspec.Struct, frozen=True):
    """A key of the telephone (RFC 4733 section 3.2)."""

    digit: str


class LegHeld(msgspec.Struct, frozen=True):
    """The other side put the call on hold (`True`) or took it back."""

    held: bool


class LegEnded(msgspec.Struct, frozen=True):
    """Always the last event. `by_caller` is False where we ended it ourselves."""

    by_caller: bool
    sip_status: int
    reason: str


LegEvent = LegAnswered | LegDtmf | LegHeld | LegEnded


class TransferOutcome(msgspec.Struct, frozen=True, kw_only=True):
    """What came of a REFER (RFC 3515 section 2.4.5: the last NOTIFY's status)."""

    succeeded: bool
    sip_status: int
    """Final status of the transfer target, of the REFER itself if refused, 408 if nothing came."""
    reason: str


class LineQuality(msgspec.Struct, frozen=True, kw_only=True):
    """What the network did to a call (RFC 3550 section 6.4.1). Received and lost: the caller's."""

    packets_received: int
    packets_lost: int
    packets_discarded: int
    """Received, but not played: too late, or too many at once."""
    packets_sent: int
    remote_lost: int | None
    """Of those sent, as the other side reports it; None: it does not."""
    jitter_ms: float
    jitter_max_ms: float
    round_trip_ms: float
    """0: not known."""
    delay_ms: float
    """Mean time that the caller's sound waits in the jitter buffer."""
    mos: float | None = None
    """Estimated mean opinion score, 1 to 4.5; None: too little was received."""


class Leg(Protocol):
    """The telephone side of one call."""

    clock_rate: int
    """Hz of the PCM in capture and playout."""
    capture: FrameSource
    """Caller's audio, filled by the media thread."""
    capture_delay_ms: float
    """How long, about, a packet waits in the jitter buffer before its audio is in `capture`."""
    playout: Playout
    """Agent's audio, emptied by the media thread."""

    async def answer(self, audio_format: AudioFormat | None = None) -> None:
        """200 OK; media begins. LegAnswered follows in `events`.

        Where the caller leaves the choice, the codec is one that carries `audio_format` as it is.
        """
        ...

    def events(self) -> AsyncIterator[LegEvent]:
        """What happens, until LegEnded. One reader."""
        ...

    async def transfer(self, uri: str, *, timeout_seconds: float) -> TransferOutcome:
        """Blind transfer: REFER, then observe its NOTIFYs. The call is not ended here."""
        ...

    async def record(self, tap: Tap) -> None:
        """Have `tap` get what goes each way, from the first frame on when asked before `answer`."""
        ...

    async def quality(self) -> LineQuality | None:
        """Of the call so far, or of all of it when it is over; None before there was any media."""
        ...

    async def hang_up(self, status: int = 0) -> None:
        """BYE, or a final response where the call was not answered."""
        ...
