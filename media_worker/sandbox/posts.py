"""POST on the port of the WebSocket server, which reads requests without a body only.

A connection whose first bytes are `POST ` is answered here, once, and closed; h11 reads and writes
the HTTP. All other connections stay with `websockets`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from http import HTTPStatus
from typing import Any, Final

import h11
from websockets.asyncio.server import ServerConnection

MAX_BODY_BYTES: Final = 1024 * 1024
_POST: Final = b"POST "


class Reply:
    def __init__(self, status: HTTPStatus, content_type: str, body: bytes) -> None:
        self.status = status
        self.content_type = content_type
        self.body = body


class Post:
    """A request with its whole body; `headers` by lower-case name."""

    def __init__(self, target: str, headers: dict[str, str], body: bytes) -> None:
        self.target = target
        self.headers = headers
        self.body = body


Answer = Callable[[Post], Awaitable[Reply]]


class Connection(ServerConnection):
    """See `answering`."""

    answer: Answer

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._first: bytes | None = b""
        """What has come while it is not known yet what it will be."""
        self._http: h11.Connection | None = None
        self._request: h11.Request | None = None
        self._body = bytearray()
        self._answering: asyncio.Task[None] | None = None

    def data_received(self, data: bytes) -> None:
        if self._first is not None:
            data, self._first = self._first + data, None
            if data.startswith(_POST):
                self._http = h11.Connection(h11.SERVER)
            elif _POST.startswith(data):
                self._first = data
                return
        if self._http is None:
            super().data_received(data)
        else:
            self._http.receive_data(data)
            self._read(self._http)

    def _read(self, http: h11.Connection) -> None:
        try:
            while not self._is_whole(http.next_event()):
                pass
        except h11.RemoteProtocolError:
            self.transport.abort()

    def _is_whole(self, event: Any) -> bool:
        """Take an event of the request; whether there is nothing more to read now."""
        match event:
            case h11.Request():
                self._request = event
            case h11.Data():
                self._body += event.data
                if len(self._body) > MAX_BODY_BYTES:
                    self.transport.abort()
            case h11.EndOfMessage():
                self._answering = asyncio.create_task(self._reply(), name="post")
                return True
            case _:
                return True
        return False

    async def _reply(self) -> None:
        request, http = self._request, self._http
        assert request is not None  # noqa: S101 - whole by now
        assert http is not None  # noqa: S101
        headers = {
            name.decode().lower(): value.decode("latin-1") for name, value in request.headers
        }
        reply = await self.answer(Post(request.target.decode(), headers, bytes(self._body)))
        head = h11.Response(
            status_code=reply.status.value,
            reason=reply.status.phrase.encode(),
            headers=[
                ("Content-Type", reply.content_type),
                ("Content-Length", str(len(reply.body))),
                ("Connection", "close"),
            ],
        )
        parts = (head, h11.Data(data=reply.body), h11.EndOfMessage())
        self.transport.write(b"".join(http.send(part) or b"" for part in parts))
        self.transport.close()


def answering(answer: Answer) -> type[Connection]:
    """The connections of a server whose POSTs get this answer, which never raises."""
    return type("AnsweringConnection", (Connection,), {"answer": staticmethod(answer)})
