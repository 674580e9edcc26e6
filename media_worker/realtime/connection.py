"""The WebSocket to a provider: address, headers, limits, keep-alive.

Nothing here reads what is in a frame. The library's own debug log would show the key and every
frame, so it gets a logger that never goes below INFO.
"""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import logging
import socket
from typing import Any, Final
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

import msgspec
from websockets.asyncio.client import ClientConnection
from websockets.asyncio.client import connect as websocket_connect
from websockets.exceptions import WebSocketException
from websockets.proxy import get_proxy
from websockets.uri import parse_uri

from media_worker.contract import ProblemKind, ProviderAccess, may_lead_to
from media_worker.realtime.failures import Scrubber, from_connect
from media_worker.realtime.session import SessionError
from media_worker.realtime.websocket import MAX_FRAME_BYTES, Connection

_WRITE_LIMIT: Final = 8 * 1024 * 1024
"""`send` never waits: the session looks at the backlog and gives up long before."""
_UNSENT_BYTES: Final = 65536
"""What the kernel may hold unsent, so that a backlog shows here and not hidden in the socket."""

_log = logging.getLogger("media_worker.realtime.websocket")
_log.setLevel(logging.INFO)


class Deadlines(msgspec.Struct, frozen=True, kw_only=True):
    """Seconds."""

    connect: float = 5.0
    echo: float = 5.0
    """From the first session.update to its echo."""
    close: float = 2.0
    ping: float = 20.0
    pong: float = 40.0
    """Longer than the library's: a busy loop must not cost a call (REALTIME.md section 5)."""


class _Connect(websocket_connect):
    def process_redirect(self, exc: Exception) -> Exception | str:
        """Follow none: the key is for the address that the tenant gave."""
        return exc


class Socket:
    """An open connection; `send` and `receive` raise websockets' ConnectionClosed."""

    def __init__(self, websocket: Connection) -> None:
        self._websocket = websocket
        _limit_unsent(websocket)

    @property
    def backlog(self) -> int:
        """Bytes that the network has not taken."""
        return self._websocket.transport.get_write_buffer_size()

    def send(self, frame: bytes) -> None:
        self._websocket.send_text(frame)

    async def receive(self) -> bytes:
        return await self._websocket.receive()

    async def close(self) -> None:
        await self._websocket.close()

    def abort(self) -> None:
        """Without a word, at once; harmless on a closed connection."""
        self._websocket.transport.abort()


async def connect(
    provider: ProviderAccess,
    model: str,
    headers: dict[str, str],
    *,
    deadlines: Deadlines,
    scrub: Scrubber,
) -> Socket:
    """Connect to the provider. Raises SessionError."""
    place = "The provider"
    headers = {**authorization(provider), **headers}
    try:
        url = with_model(provider.url, model)
        parts = urlsplit(url)
        place = parts.netloc.rpartition("@")[2] or place
        proxy = None if _is_loopback(parts.hostname) else get_proxy(parse_uri(url))
        # A proxy looks the name up itself: where it may lead is the proxy's to say.
        async with asyncio.timeout(deadlines.connect):
            target = {} if proxy else await _target(provider, url)
        websocket = await _Connect(
            url,
            additional_headers=headers,
            user_agent_header="pbxai",
            compression=None,
            proxy=proxy,
            open_timeout=deadlines.connect,
            close_timeout=deadlines.close,
            ping_interval=deadlines.ping,
            ping_timeout=deadlines.pong,
            max_size=MAX_FRAME_BYTES,
            create_connection=Connection,
            write_limit=_WRITE_LIMIT,
            logger=_log,
            **target,
        )
    except (OSError, WebSocketException, ValueError, ImportError) as error:
        raise from_connect(error, place, scrub) from None
    assert isinstance(websocket, Connection)  # noqa: S101 - it makes no other
    return Socket(websocket)


async def _target(provider: ProviderAccess, url: str) -> dict[str, Any]:
    """Where to connect to when a tenant typed the address: looked up once, and allowed.

    Raises OSError (unknown) and SessionError (not allowed).
    """
    if provider.networks is None:
        return {}
    address = parse_uri(url)
    loop = asyncio.get_running_loop()
    found = await loop.getaddrinfo(address.host, address.port, type=socket.SOCK_STREAM)
    hosts = [str(entry[4][0]) for entry in found]
    for host in hosts:
        if not may_lead_to(host, provider.networks):
            raise SessionError(
                ProblemKind.UNREACHABLE,
                f"{address.host} leads to {host}, which is no public address."
                " The operator can allow its network.",
            )
    return {"host": hosts[0], "port": address.port}


def with_model(url: str, model: str) -> str:
    """The provider's address with `model` in its query; Azure's `deployment` stands for it."""
    parts = urlsplit(url)
    query = parse_qsl(parts.query, keep_blank_values=True)
    if not model or any(name == "deployment" for name, _ in query):
        return url
    query = [(name, value) for name, value in query if name != "model"]
    return urlunsplit(parts._replace(query=urlencode([*query, ("model", model)]), fragment=""))


def authorization(provider: ProviderAccess) -> dict[str, str]:
    """The key's header. Raises SessionError for what cannot be a key: it would break the header."""
    key = provider.api_key.strip()
    if not (key.isascii() and key.isprintable()):
        raise SessionError(
            ProblemKind.KEY_REFUSED, "The key holds characters that no key has; store it again."
        )
    if not key:
        return {}
    return {"api-key": key} if provider.auth == "api-key" else {"Authorization": f"Bearer {key}"}


def _is_loopback(host: str | None) -> bool:
    """A provider on this machine is not reached through a proxy."""
    if host == "localhost":
        return True
    with contextlib.suppress(ValueError):
        return ipaddress.ip_address(host or "").is_loopback
    return False


def _limit_unsent(websocket: ClientConnection) -> None:
    raw = websocket.transport.get_extra_info("socket")
    if raw is None:
        return
    # a duplicate, because uvloop's stand-in for the socket refuses setsockopt
    with contextlib.suppress(OSError), socket.fromfd(raw.fileno(), raw.family, raw.type) as ours:
        ours.setsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT, _UNSENT_BYTES)
