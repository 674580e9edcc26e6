"""The telephone side of one SIP call, as a conversation sees it (conversation.leg.Leg)."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from typing import Final

from media_worker.audio.capture import FrameSource
from media_worker.audio.outlet import FRAME_MS
from media_worker.audio.playout import Playout
from media_worker.audio.tap import Tap
from media_worker.contract import AudioFormat
from media_worker.conversation.leg import (
    LegAnswered,
    LegDtmf,
    LegEnded,
    LegEvent,
    LegHeld,
    LineQuality,
    TransferOutcome,
)
from media_worker.sip.call import MEDIA_LOST_REASON, CallRoom, PjCall
from media_worker.sip.config import SipError
from media_worker.sip.port import CallAudio, PythonAudio
from media_worker.sip.ring import RingAudio, rings
from media_worker.sip.transfer import Transfer

logger = logging.getLogger(__name__)

_SAME_CODEC: Final = {AudioFormat.PCMU: "PCMU", AudioFormat.PCMA: "PCMA"}
"""RTP codec that carries the very octets of a format."""
UNAVAILABLE: Final = 480
"""Final response when a call is given up before its answer and no status was asked for."""


class SipLeg:
    """One side of it: methods on the event loop, `on_*` on the pjsip thread.

    While the caller holds the call, capture gets nothing and playout stands still.
    """

    def __init__(self, room: CallRoom) -> None:
        engine = room.engine
        self.clock_rate = engine.config.clock_rate
        self.audio: CallAudio = (
            PythonAudio(engine.copy, self.clock_rate)
            if rings() is None
            else RingAudio(self.clock_rate)
        )
        self.capture: FrameSource = self.audio.capture
        self.playout = Playout(self.clock_rate, self.audio.outlet)
        self.capture_delay_ms = 2.0 * FRAME_MS  # until it has been measured
        self._room = room
        self._engine = engine
        self._key = 0
        self._events: asyncio.Queue[LegEvent] = asyncio.Queue()
        self._transfer: Transfer | None = None
        self._ended = False
        self._hung_up = False
        self._quality: LineQuality | None = None

    # --- event loop's side (Leg) -----------------------------------------------------------------

    async def answer(self, audio_format: AudioFormat | None = None) -> None:
        """200 OK. Nothing happens when the caller has given up meanwhile: LegEnded says so."""
        try:
            codec = _SAME_CODEC.get(audio_format, "") if audio_format else ""
            await self._engine.run(lambda: self._respond_ok(codec))
        except SipError as error:
            logger.info("not answered: %s", error)

    async def events(self) -> AsyncIterator[LegEvent]:
        """What happens, until LegEnded. One reader."""
        while True:
            event = await self._events.get()
            yield event
            if isinstance(event, LegEnded):
                return

    async def transfer(self, uri: str, *, timeout_seconds: float) -> TransferOutcome:
        """Blind transfer (RFC 3515): never raises, the outcome says what came of it."""
        if self._ended:
            return Transfer.refused(481, "The call is over.")
        if self._transfer is not None:
            return Transfer.refused(491, "Another transfer of this call is under way.")
        transfer = self._transfer = Transfer()
        try:
            await self._engine.run(lambda: self._refer(uri))
        except SipError as error:
            transfer.failed(400, str(error))
        try:
            return await transfer.outcome(timeout_seconds)
        finally:
            self._transfer = None

    async def record(self, tap: Tap) -> None:
        try:
            await self._engine.run(lambda: self._record(tap))
        except SipError as error:
            logger.info("not recorded: %s", error)

    async def quality(self) -> LineQuality | None:
        if self._ended:
            return self._quality
        try:
            return await self._engine.run(self._measure)
        except SipError as error:
            logger.info("not measured: %s", error)
            return None

    async def hang_up(self, status: int = 0) -> None:
        """BYE, or `status` as the final response where the call was not answered."""
        await self.refuse(status, {}, "")

    async def refuse(self, status: int, headers: dict[str, str], reason: str) -> None:
        if self._ended:
            return
        self._hung_up = True
        try:
            await self._engine.run(lambda: self._end(status or UNAVAILABLE, headers, reason))
        except SipError as error:
            logger.info("not hung up: %s", error)

    # --- pjsip thread's side (CallEvents) --------------------------------------------------------

    def attach(self, call: PjCall) -> None:
        self._key = call.key

    def on_progress(self, status: int, reason: str) -> None:
        """Of no interest to an incoming call."""

    def on_answered(self, codec: str) -> None:
        self._engine.to_loop(self._events.put_nowait, LegAnswered(codec))

    def on_held(self, held: bool) -> None:
        self._engine.to_loop(self._events.put_nowait, LegHeld(held))

    def on_dtmf(self, digit: str) -> None:
        self._engine.to_loop(self._events.put_nowait, LegDtmf(digit))

    def on_delay(self, delay_ms: float) -> None:
        self.capture_delay_ms = delay_ms

    def on_ended(self, status: int, reason: str, quality: LineQuality | None) -> None:
        self._quality = quality  # now: a question on this thread may come before the loop's turn
        self._engine.to_loop(self._note_end, status, reason)

    def on_transfer_status(self, status: int, reason: str, final: bool) -> None:
        self._engine.to_loop(self._note_transfer, status, reason, final)

    def on_transfer_request(self, uri: str) -> PjCall | None:
        """Callers do not transfer the agent."""
        return None

    # --- the rest --------------------------------------------------------------------------------

    def _respond_ok(self, codec: str) -> None:
        call = self._room.get(self._key)
        if call is not None:
            call.accept(codec)

    def _record(self, tap: Tap) -> None:
        call = self._room.get(self._key)
        if call is not None:
            call.record(tap)

    def _measure(self) -> LineQuality | None:
        call = self._room.get(self._key)
        return self._quality if call is None else call.quality()

    def _refer(self, uri: str) -> None:
        call = self._room.get(self._key)
        if call is None:
            raise SipError("The call is over.")
        call.refer(uri)

    def _end(self, status: int, headers: dict[str, str], reason: str) -> None:
        call = self._room.get(self._key)
        if call is not None:
            call.end(status, reason, headers)

    def _note_transfer(self, status: int, reason: str, final: bool) -> None:
        if self._transfer is not None:
            self._transfer.note(status, reason, final)

    def _note_end(self, status: int, reason: str) -> None:
        self._ended = True
        if self._transfer is not None:
            self._transfer.call_ended()
        by_caller = not self._hung_up and not reason.startswith(MEDIA_LOST_REASON)
        self._events.put_nowait(LegEnded(by_caller, status, reason))
