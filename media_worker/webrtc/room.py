"""The room itself: its thread, its loop, and the legs that it makes of browsers' offers."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Coroutine
from typing import Any, Final, TypeVar
from urllib.parse import unquote

import msgspec
from aiortc import RTCIceServer

from media_worker.webrtc.addresses import listen_on
from media_worker.webrtc.leg import WebRtcLeg
from media_worker.webrtc.media import Media
from media_worker.webrtc.peer import Peer, PeerError

__all__ = ["PeerError", "Room", "RoomConfig"]

T = TypeVar("T")
CLOSE_SECONDS: Final = 5.0


class RoomConfig(msgspec.Struct, frozen=True, kw_only=True):
    clock_rate: int
    """Hz of the PCM that the worker works with."""
    address: str = ""
    """That browsers are told; empty: those that this machine has."""
    ice_servers: tuple[str, ...] = ()
    """STUN and TURN (RFC 7064, 7065), with `user:password@` before a TURN server's host."""


class Room:
    """Make one, `start` it, and `close` it when its calls are over."""

    def __init__(self, config: RoomConfig) -> None:
        self._config = config
        self._servers = [ice_server(url) for url in config.ice_servers]
        self._loop = asyncio.SelectorEventLoop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="webrtc", daemon=True)

    def start(self) -> None:
        listen_on(self._config.address)
        self._thread.start()

    async def answer(self, offer: str) -> tuple[WebRtcLeg, str]:
        """A leg for this offer, and the SDP that answers it. Raises PeerError."""
        rate = self._config.clock_rate
        media = Media(rate)
        leg = WebRtcLeg(media, rate, self.run)
        answer = await self.run(self._meet(leg, media, offer))
        return leg, answer

    async def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Have the room's loop do this, and wait for it."""
        return await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(work, self._loop))

    async def close(self) -> None:
        await self.run(_end_all())
        self._loop.call_soon_threadsafe(self._loop.stop)
        await asyncio.to_thread(self._thread.join, CLOSE_SECONDS)

    async def _meet(self, leg: WebRtcLeg, media: Media, offer: str) -> str:
        leg.peer = Peer(
            media,
            clock_rate=self._config.clock_rate,
            servers=self._servers,
            address=self._config.address,
            on_connected=leg.on_connected,
            on_over=leg.on_over,
        )
        try:
            return await leg.peer.answer(offer)
        except PeerError:
            await leg.peer.close()
            raise


def ice_server(url: str) -> RTCIceServer:
    """Of a STUN or TURN URL; a TURN server's name and password stand before its host."""
    scheme, _, rest = url.partition(":")
    login, at, host = rest.rpartition("@")
    if not at:
        return RTCIceServer(urls=url)
    user, _, password = login.partition(":")
    return RTCIceServer(
        urls=f"{scheme}:{host}", username=unquote(user), credential=unquote(password)
    )


async def _end_all() -> None:
    """Cancel what still runs on this loop."""
    tasks = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
    for task in tasks:
        task.cancel()
    await asyncio.wait(tasks, timeout=CLOSE_SECONDS) if tasks else None
