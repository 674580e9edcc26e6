"""A browser as a conversation sees it (conversation.leg.Leg). Belongs to the worker's loop."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from typing import Any, Final

import structlog

from media_worker.audio.capture import FrameSource
from media_worker.audio.playout import Playout
from media_worker.audio.tap import Tap
from media_worker.contract import AudioFormat
from media_worker.conversation.leg import (
    LegAnswered,
    LegDtmf,
    LegEnded,
    LegEvent,
    LineQuality,
    TransferOutcome,
)
from media_worker.webrtc.media import Media
from media_worker.webrtc.peer import JITTER_BUFFER_MS, Peer

log = structlog.get_logger(__name__)

NOT_FOUND: Final = 480
"""SIP's word for a browser that never connected, or is gone."""
NO_TRANSFER: Final = TransferOutcome(
    succeeded=False, sip_status=405, reason="A call from a browser cannot be transferred."
)

Run = Callable[[Coroutine[Any, Any, Any]], Any]
"""Runs work on the loop of the room; awaitable on the worker's."""


class WebRtcLeg:
    """`peer` gets the leg's ends to tell it what happens; `run` runs what the room has to do."""

    def __init__(self, media: Media, clock_rate: int, run: Run) -> None:
        self.clock_rate = clock_rate
        self.capture: FrameSource = media.capture
        self.capture_delay_ms = float(JITTER_BUFFER_MS)
        self.playout = Playout(clock_rate, media.outlet)
        self.peer: Peer
        self._media = media
        self._run = run
        self._loop = asyncio.get_running_loop()
        self._events: asyncio.Queue[LegEvent] = asyncio.Queue()
        self._connected: asyncio.Future[str] = self._loop.create_future()
        self._has_ended = False
        self._hung_up = False

    # --- Leg -------------------------------------------------------------------------------------

    async def answer(self, audio_format: AudioFormat | None = None) -> None:
        """The browser was answered before; what is said waits until it is connected."""
        codec = await self._connected
        if codec:
            self._events.put_nowait(LegAnswered(codec))

    async def events(self) -> AsyncIterator[LegEvent]:
        while True:
            event = await self._events.get()
            yield event
            if isinstance(event, LegEnded):
                return

    async def transfer(self, uri: str, *, timeout_seconds: float) -> TransferOutcome:
        return NO_TRANSFER

    async def record(self, tap: Tap) -> None:
        self._media.tap = tap

    async def quality(self) -> LineQuality | None:
        quality: LineQuality | None = await self._run(self.peer.quality())
        return quality

    async def hang_up(self, status: int = 0) -> None:
        self._hung_up = True
        self._note_end(False, "")
        await self._run(self.peer.close())

    async def leave(self) -> None:
        """The person has gone, perhaps before there was a connection."""
        self._note_end(True, "")
        await self._run(self.peer.close())

    def press(self, digit: str) -> None:
        """A key of the pad on the page."""
        self._events.put_nowait(LegDtmf(digit))

    # --- from the room's thread ------------------------------------------------------------------

    def on_connected(self, codec: str) -> None:
        self._loop.call_soon_threadsafe(self._note_connected, codec)

    def on_over(self, by_caller: bool, reason: str) -> None:
        self._loop.call_soon_threadsafe(self._note_end, by_caller, reason)

    # --- inside ----------------------------------------------------------------------------------

    def _note_connected(self, codec: str) -> None:
        if not self._connected.done():
            self._connected.set_result(codec)

    def _note_end(self, by_caller: bool, reason: str) -> None:
        if self._has_ended:
            return
        self._has_ended = True
        self._note_connected("")
        status = 200 if by_caller or self._hung_up else NOT_FOUND
        self._events.put_nowait(LegEnded(by_caller, status, reason))
