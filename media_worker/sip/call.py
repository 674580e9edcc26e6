"""One pjsua2 call: its callbacks, its media, its end. All of it belongs to the pjsip thread."""

from __future__ import annotations

import logging
from collections import deque
from itertools import count
from time import monotonic
from typing import Any, Final, Protocol

import pjsua2 as pj

from media_worker.audio.tap import Tap
from media_worker.conversation.leg import LineQuality
from media_worker.sip.config import ANY_ADDRESS, SipError
from media_worker.sip.engine import Engine, guarded, reason_of
from media_worker.sip.message import is_sip_uri, one_line
from media_worker.sip.port import CallAudio, Port
from media_worker.sip.quality import Stream, line_quality, read_stream
from media_worker.sip.sdp import narrowed

logger = logging.getLogger(__name__)

PORT_LINGER_SECONDS: Final = 1.0
"""A port is let go of so long after its call: the bridge takes it out on its own tick."""
MEDIA_CHECK_SECONDS: Final = 2.0
MEDIA_LOST_REASON: Final = "media lost"
"""Beginning of the reason with which a call without RTP ends."""


class CallEvents(Protocol):
    """What a call tells its owner, on the pjsip thread."""

    def on_progress(self, status: int, reason: str) -> None: ...

    def on_answered(self, codec: str) -> None:
        """Confirmed, and its media known. Once."""
        ...

    def on_held(self, held: bool) -> None: ...

    def on_dtmf(self, digit: str) -> None: ...

    def on_delay(self, delay_ms: float) -> None:
        """How long a packet waits in the jitter buffer; every few seconds."""
        ...

    def on_ended(self, status: int, reason: str, quality: LineQuality | None) -> None:
        """The call is gone. Once, always. `quality` is None where there was no media."""
        ...

    def on_transfer_status(self, status: int, reason: str, final: bool) -> None: ...

    def on_transfer_request(self, uri: str) -> PjCall | None:
        """A REFER came; the new call that follows it, or None to refuse."""
        ...


class PjCall(pj.Call):
    """A call and its audio port. `start` of an outgoing one is `makeCall`."""

    def __init__(
        self,
        room: CallRoom,
        events: CallEvents,
        *,
        audio: CallAudio,
        call_id: int = pj.PJSUA_INVALID_ID,
    ) -> None:
        super().__init__(room.account, call_id)
        self.key = room.add(self)
        self.events = events
        self._room = room
        self._engine = room.engine
        self._audio = audio
        self._port: Port | None = None
        self._tap: Tap | None = None
        self._confirmed = self._announced = self._media_known = False
        self._held: bool | None = None
        self._codec = self._codec_wanted = ""
        self._answer: tuple[str, str] | None = None
        """SDP that pjsua would answer with, and the offer."""
        self._ended = False
        self._lost_reason = ""
        self._audio_index = 0
        self._packets = -1
        self._packets_at = 0.0
        self._past_streams: list[Stream] = []
        self._has_stream = False

    # --- callbacks of pjsua2 ---------------------------------------------------------------------

    @guarded
    def onCallState(self, prm: Any) -> None:  # noqa: N802 - pjsua2's name
        info = self.getInfo()
        if info.state == pj.PJSIP_INV_STATE_DISCONNECTED:
            self._end(info.lastStatusCode, info.lastReason)
        elif info.state == pj.PJSIP_INV_STATE_CONFIRMED:
            self._confirmed = True
            self._announce()
        else:
            self.events.on_progress(info.lastStatusCode, info.lastReason)

    @property
    def confirmed(self) -> bool:
        return self._confirmed

    @guarded
    def onCallMediaState(self, prm: Any) -> None:  # noqa: N802 - pjsua2's name
        info = self.getInfo()
        medias = info.media  # belongs to info: both stay bound while it is read
        audio = [media for media in medias if media.type == pj.PJMEDIA_TYPE_AUDIO]
        if not audio or self._ended:
            return
        self._media_known = True
        active = next((m for m in audio if m.status == pj.PJSUA_CALL_MEDIA_ACTIVE), None)
        if active is not None:
            self._connect(active.index)
        elif self._port is not None:
            self._port.close()
        self._set_held(active is None)
        self._announce()

    @guarded
    def onCallSdpCreated(self, prm: Any) -> None:  # noqa: N802 - pjsua2's name
        offer = prm.remSdp.wholeSdp
        self._answer = (prm.sdp.wholeSdp, offer) if offer else None
        if offer and self._codec_wanted:
            prm.sdp.wholeSdp = narrowed(prm.sdp.wholeSdp, offer, self._codec_wanted)

    @guarded
    def onStreamDestroyed(self, prm: Any) -> None:  # noqa: N802 - pjsua2's name
        # before the end of a call and at each change of its media; the stream is still whole
        if self._has_stream and prm.streamIdx == self._audio_index:
            self._has_stream = False
            self._past_streams.append(self._read_stream())

    @guarded
    def onDtmfDigit(self, prm: Any) -> None:  # noqa: N802 - pjsua2's name
        if prm.digit:
            self.events.on_dtmf(prm.digit[0])

    @guarded
    def onCallTransferStatus(self, prm: Any) -> None:  # noqa: N802 - pjsua2's name
        final = prm.finalNotify or prm.statusCode >= 200
        prm.cont = not final
        self.events.on_transfer_status(prm.statusCode, prm.reason, final)

    @guarded
    def onCallTransferRequest(self, prm: Any) -> None:  # noqa: N802 - pjsua2's name
        new_call = self.events.on_transfer_request(prm.dstUri)
        if new_call is None:
            prm.statusCode = 603
        else:
            prm.newCall = new_call

    # --- steps -----------------------------------------------------------------------------------

    def respond(self, status: int, reason: str = "", headers: dict[str, str] | None = None) -> None:
        """Provisional or 2xx response."""
        self.answer(_parameters(status, reason, headers))

    def accept(self, codec: str) -> None:
        """200, with this codec alone where the peer offers it; empty: as the peer prefers."""
        prm = _parameters(200, "", None)
        self._codec_wanted = codec
        if codec and self._answer is not None:
            ours, offer = self._answer
            answer = narrowed(ours, offer, codec)
            if answer != ours:
                prm.sdp.wholeSdp = answer
        self.answer(prm)

    def end(self, status: int = 0, reason: str = "", headers: dict[str, str] | None = None) -> None:
        """BYE or CANCEL, or a final response where we have not answered. Harmless when over."""
        if not self._ended:
            self.hangup(_parameters(status, reason, headers))

    def dial(self, uri: str, headers: dict[str, str]) -> None:
        """INVITE."""
        self.makeCall(uri, _parameters(0, "", headers))

    def refer(self, uri: str) -> None:
        """REFER (RFC 3515); what comes of it goes to `on_transfer_status`."""
        if not is_sip_uri(uri) or self._engine.endpoint.utilVerifySipUri(uri):
            raise SipError(f"{uri!r} is not a SIP address.")
        self.xfer(uri, pj.CallOpParam(True))

    def record(self, tap: Tap) -> None:
        """From now on `tap` gets what goes each way."""
        self._tap = tap
        if self._port is not None:
            self._port.record(tap)

    def check_media(self) -> None:
        """Hang up when the peer has sent no RTP for too long; asked every few seconds."""
        limit = self._engine.config.media_timeout_seconds
        if self._ended or not (limit and self._announced) or self._held:
            self._packets = -1
            return
        stream, now = self._read_stream(), monotonic()
        self.events.on_delay(stream.delay)
        packets = stream.received
        if packets != self._packets:
            self._packets, self._packets_at = packets, now
        elif now - self._packets_at >= limit:
            self._lost_reason = f"{MEDIA_LOST_REASON}: no RTP for {limit:g} s"
            self.end()

    def quality(self) -> LineQuality | None:
        """Of the call so far."""
        running = [self._read_stream()] if self._has_stream else []
        return line_quality(self._past_streams + running)

    def _read_stream(self) -> Stream:
        return read_stream(self._codec, self.getStreamStat(self._audio_index))

    def abandon(self) -> None:
        """The library ends before the call does."""
        self._end(503, "The SIP endpoint stopped.")

    def _connect(self, index: int) -> None:
        """Bridge the call's stream and our port; again after each change of media."""
        self._audio_index = index
        port = self._port
        if port is None:
            port = self._port = self._audio.new_port(f"leg-{self.key}")
            if self._tap is not None:
                port.record(self._tap)
        stream = self.getStreamInfo(index)
        self._codec = f"{stream.codecName}/{_rtp_clock(stream.codecName, stream.codecClockRate)}"
        port.connect(self.getAudioMedia(index))
        port.open()
        self._has_stream = True

    def _set_held(self, held: bool) -> None:
        before, self._held = self._held, held
        if before != held and (held or before is not None):
            self.events.on_held(held)

    def _announce(self) -> None:
        if self._confirmed and self._media_known and not self._announced:
            self._announced = True
            self.events.on_answered(self._codec)

    def _end(self, status: int, reason: str) -> None:
        if self._ended:
            return
        self._ended = True
        port, self._port = self._port, None
        if port is not None:
            port.close()
            self._room.retire(port)
        # The last reference goes with this callback: pjsua may give the slot to the next call
        # before the library comes back to us, and a later destructor would hang that one up.
        self._room.remove(self)
        quality = line_quality(self._past_streams)
        self.events.on_ended(status, self._lost_reason or reason, quality)


class CallRoom:
    """The calls of an endpoint and the account they belong to. On the pjsip thread only."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.account: Any = None
        self.calls: dict[int, PjCall] = {}
        self._retired: deque[Port] = deque()
        self._keys = count(1)

    def add(self, call: PjCall) -> int:
        key = next(self._keys)
        self.calls[key] = call
        return key

    def remove(self, call: PjCall) -> None:
        self.calls.pop(call.key, None)

    def retire(self, port: Port) -> None:
        """Let go of a port, once the bridge has had time to disconnect it."""
        self._retired.append(port)
        self.engine.later(PORT_LINGER_SECONDS, self._destroy_oldest)

    def _destroy_oldest(self) -> None:
        if self._retired:
            self._retired.popleft().destroy()

    def get(self, key: int) -> PjCall | None:
        return self.calls.get(key)

    def hang_up_all(self, reason: str) -> None:
        for call in list(self.calls.values()):
            try:
                call.end(0 if call.confirmed else 503, reason)
            except pj.Error as error:
                logger.warning("cannot hang up: %s", reason_of(error))

    def close(self) -> None:
        """Let go of everything; before the library ends."""
        for call in list(self.calls.values()):
            call.abandon()
        self.calls.clear()
        while self._retired:
            self._destroy_oldest()
        account, self.account = self.account, None
        if account is not None:
            account.shutdown()

    def watch_media(self) -> None:
        """Looks for lost media from now on, every few seconds."""
        for call in list(self.calls.values()):
            try:
                call.check_media()
            except pj.Error as error:
                logger.debug("no statistics: %s", reason_of(error))
        self.engine.later(MEDIA_CHECK_SECONDS, self.watch_media)


def account_settings(engine: Engine) -> Any:
    """The one account: takes calls for any user, registers nowhere."""
    config = engine.config
    settings = pj.AccountConfig()
    settings.idUri = f"sip:{config.user}@{config.public_address or config.address}"
    media = settings.mediaConfig
    media.transportConfig.port = config.rtp_port
    media.transportConfig.portRange = config.rtp_ports
    if config.address != ANY_ADDRESS:
        media.transportConfig.boundAddress = config.address
    media.transportConfig.publicAddress = config.public_address
    media.srtpUse = pj.PJMEDIA_SRTP_OPTIONAL if config.srtp else pj.PJMEDIA_SRTP_DISABLED
    media.srtpSecureSignaling = 0
    settings.natConfig.iceEnabled = False
    return settings


def _rtp_clock(name: str, clock_rate: int) -> int:
    """As announced, whatever the samples are: RFC 3551 section 4.5.2, RFC 7587 section 4.1."""
    return {"G722": 8000, "OPUS": 48000}.get(name.upper(), clock_rate)


def _parameters(status: int, reason: str, headers: dict[str, str] | None) -> Any:
    prm = pj.CallOpParam(True)
    prm.statusCode, prm.reason = status, one_line(reason)
    prm.opt.audioCount, prm.opt.videoCount = 1, 0
    for name, value in (headers or {}).items():
        header = pj.SipHeader()
        header.hName, header.hValue = one_line(name), one_line(value)
        prm.txOption.headers.append(header)
    return prm
