"""One connection to a browser. All of it belongs to the loop of the room."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from contextlib import suppress
from time import monotonic
from typing import Any, Final

import structlog
from aiortc import (
    MediaStreamTrack,
    RTCConfiguration,
    RTCIceServer,
    RTCPeerConnection,
    RTCRtpSender,
    RTCSessionDescription,
)
from aiortc.rtcrtpparameters import RTCRtpCodecCapability
from aiortc.stats import (
    RTCInboundRtpStreamStats,
    RTCOutboundRtpStreamStats,
    RTCRemoteInboundRtpStreamStats,
)

from media_worker.audio.emodel import mean_opinion_score
from media_worker.audio.outlet import FRAME_MS
from media_worker.conversation.leg import LineQuality
from media_worker.webrtc.addresses import told
from media_worker.webrtc.media import Media

log = structlog.get_logger(__name__)

MOST_OFFER: Final = 64 * 1024
CONNECT_SECONDS: Final = 30.0
"""ICE and DTLS, from our answer on; the person may be asked for the microphone meanwhile."""
GATHER_SECONDS: Final = 5.0
SILENT_SECONDS: Final = 10.0
"""A browser sends all the time, silence too: after so long without a packet it is gone."""
JITTER_BUFFER_MS: Final = 4 * FRAME_MS
"""aiortc keeps so much of a browser's sound before it is handed on."""
PREFERENCES: Final = {8000: ("PCMU", "PCMA"), 16000: ("G722", "PCMU", "PCMA")}
"""By the worker's clock rate: no resampling where it can be helped."""
LEAST_PACKETS: Final = 50
NOT_UNDERSTOOD: Final = "What the browser offered could not be understood."

Over = Callable[[bool, str], None]


class PeerError(Exception):
    """There can be no call with this offer; says why in plain words."""


class Peer:
    """`on_connected` is told the codec, `on_over` whether the browser ended it and else why."""

    def __init__(
        self,
        media: Media,
        *,
        clock_rate: int,
        servers: list[RTCIceServer],
        address: str,
        on_connected: Callable[[str], None],
        on_over: Over,
    ) -> None:
        self._media = media
        self._clock_rate = clock_rate
        self._address = address
        self._on_connected = on_connected
        self._on_over = on_over
        # An empty list too: aiortc's own default is a server of somebody else's.
        self._connection = RTCPeerConnection(RTCConfiguration(iceServers=servers))
        self._codec = ""
        self._tasks: list[asyncio.Task[None]] = []
        self._is_connected = False
        self._is_over = False
        self._quality: LineQuality | None = None

    async def answer(self, offer: str) -> str:
        """The SDP that answers this offer, with all our addresses in it. Raises PeerError."""
        if len(offer) > MOST_OFFER or [line[:7] for line in _media_lines(offer)] != ["m=audio"]:
            raise PeerError("A call from a browser must offer one audio stream, and nothing else.")
        connection = self._connection
        connection.on("track", self._on_track)
        connection.on("connectionstatechange", self._on_state)
        try:
            transceiver = connection.addTransceiver(self._media.track, direction="sendrecv")
            transceiver.setCodecPreferences(_codecs(self._clock_rate))
            await connection.setRemoteDescription(RTCSessionDescription(sdp=offer, type="offer"))
            async with asyncio.timeout(GATHER_SECONDS):
                await connection.setLocalDescription(await connection.createAnswer())
        except TimeoutError:
            raise PeerError("No way to this worker was found in time.") from None
        except Exception as error:  # whatever a parser says of what came from outside
            log.warning("webrtc.offer_refused", error=f"{type(error).__name__}: {error}")
            raise PeerError(NOT_UNDERSTOOD) from None
        self._codec = transceiver._codecs[0].name  # the one that both know; nothing public says it
        self._media.track.is_pcmu = self._codec == "PCMU" and self._clock_rate == 8000
        self._spawn(self._give_up_waiting())
        return told(connection.localDescription.sdp, self._address)

    async def quality(self) -> LineQuality | None:
        """Of the call so far, or of all of it when it is over."""
        if self._is_over:
            return self._quality
        return self._measured(list((await self._connection.getStats()).values()))

    async def close(self) -> None:
        """End the connection; safe to call twice."""
        if not self._is_over:
            with suppress(Exception):
                self._quality = await self.quality()
        self._is_over = True
        for task in self._tasks:
            if task is not asyncio.current_task():
                task.cancel()
        await self._connection.close()

    # --- what happens ----------------------------------------------------------------------------

    def _on_track(self, track: MediaStreamTrack) -> None:
        self._spawn(self._media.receive(track))

    async def _on_state(self) -> None:
        match self._connection.connectionState:
            case "connected" if not self._is_connected:
                self._is_connected = True
                self._on_connected(f"{self._codec}/8000")
                self._spawn(self._media.pump())
                self._spawn(self._watch())
            case "failed":
                await self._end(by_caller=False, reason="The browser could not be reached.")
            case "closed":
                await self._end(by_caller=True, reason="")

    async def _end(self, *, by_caller: bool, reason: str) -> None:
        if self._is_over:
            return
        with suppress(Exception):
            self._quality = await self.quality()
        self._is_over = True
        self._on_over(by_caller, reason)
        await self.close()

    async def _give_up_waiting(self) -> None:
        await asyncio.sleep(CONNECT_SECONDS)
        if self._connection.connectionState != "connected":
            await self._end(by_caller=False, reason="The browser did not connect.")

    async def _watch(self) -> None:
        """Aiortc says that a network is gone only after half a minute."""
        seen, since = self._media.received, monotonic()
        while True:
            await asyncio.sleep(SILENT_SECONDS / 10)
            if self._media.received != seen:
                seen, since = self._media.received, monotonic()
            elif monotonic() - since > SILENT_SECONDS:
                reason = f"Nothing came from the browser for {SILENT_SECONDS:.0f} seconds."
                await self._end(by_caller=False, reason=reason)
                return

    def _measured(self, stats: list[object]) -> LineQuality | None:
        came = next((one for one in stats if isinstance(one, RTCInboundRtpStreamStats)), None)
        sent = next((one for one in stats if isinstance(one, RTCOutboundRtpStreamStats)), None)
        if came is None or sent is None:
            return None
        theirs = [one for one in stats if isinstance(one, RTCRemoteInboundRtpStreamStats)]
        remote = theirs[-1] if theirs else None
        jitter_ms = came.jitter / 8  # every codec here counts 8000 a second (RFC 3551)
        round_trip_ms = (remote.roundTripTime or 0.0) * 1000 if remote else 0.0
        packets = came.packetsReceived + came.packetsLost
        unheard = came.packetsLost + self._media.discarded
        enough = came.packetsReceived >= LEAST_PACKETS
        return LineQuality(
            packets_received=came.packetsReceived,
            packets_lost=max(0, came.packetsLost),
            packets_discarded=self._media.discarded,
            packets_sent=sent.packetsSent,
            remote_lost=max(0, remote.packetsLost) if remote else None,
            jitter_ms=jitter_ms,
            jitter_max_ms=jitter_ms,
            round_trip_ms=round_trip_ms,
            delay_ms=JITTER_BUFFER_MS,
            mos=mean_opinion_score(
                self._codec,
                loss=max(0, unheard) / max(1, packets),
                one_way_ms=round_trip_ms / 2 + JITTER_BUFFER_MS + FRAME_MS,
            )
            if enough
            else None,
        )

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        self._tasks.append(asyncio.create_task(work))


def _media_lines(sdp: str) -> list[str]:
    return [line for line in sdp.splitlines() if line.startswith("m=")]


def _codecs(clock_rate: int) -> list[RTCRtpCodecCapability]:
    known = {codec.name: codec for codec in RTCRtpSender.getCapabilities("audio").codecs}
    return [known[name] for name in PREFERENCES[clock_rate]]
