"""A realtime server on a loopback port that follows a script and is strict with what it gets."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import Awaitable, Callable
from typing import Any, Self

import pytest
from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.datastructures import Headers
from websockets.http11 import Request, Response

from media_worker.contract import Dialect, ToolSet
from media_worker.realtime.client import RealtimeClient
from media_worker.realtime.connection import Deadlines
from media_worker.realtime.dialects import new_session
from media_worker.realtime.session import Ended, SessionError, SessionEvent
from tests.media_worker.realtime import plans, strict

Script = Callable[["Line"], Awaitable[None]]


class Line:
    """The server's end of one connection. Audio appends are set aside in `audio`."""

    def __init__(self, websocket: ServerConnection, dialect: Dialect) -> None:
        self.websocket = websocket
        self.dialect = dialect
        self.audio: list[str] = []
        assert websocket.request is not None
        self.path = websocket.request.path
        self.headers = websocket.request.headers

    async def expect(self, kind: str) -> dict[str, Any]:
        """The next event that is not audio; it must be of this kind."""
        while True:
            event = strict.validate(await self.websocket.recv(decode=False), self.dialect)
            if event["type"] != "input_audio_buffer.append" or event["type"] == kind:
                assert event["type"] == kind, f"got {event}"
                return event
            self.audio.append(event["audio"])

    async def send(self, kind: str, **fields: Any) -> None:
        await self.raw(json.dumps({"type": kind, "event_id": "event_1", **fields}))

    async def raw(self, frame: str | bytes) -> None:
        await self.websocket.send(frame)

    async def error(self, code: str | None, message: str = "no", **fields: Any) -> None:
        kind = fields.pop("type", "invalid_request_error")
        await self.send("error", error={"type": kind, "code": code, "message": message, **fields})

    async def greet(self, **echo: Any) -> dict[str, Any]:
        """The usual opening; returns the first session.update."""
        await self.send("session.created", session={"id": "sess_1", "model": "served-model"})
        update = await self.expect("session.update")
        session = {**update["session"], "id": "sess_1", "model": "served-model", **echo}
        await self.send("session.updated", session=session)
        return update

    async def closed(self) -> None:
        await self.websocket.wait_closed()


class Stub:
    """`async with Stub(script) as stub`: leaving checks that the script had nothing to object."""

    def __init__(
        self,
        script: Script,
        *,
        dialect: Dialect = Dialect.OPENAI,
        refusal: tuple[int, dict[str, str], bytes] | None = None,
        receive_buffer: int = 0,
        **options: Any,
    ) -> None:
        self._script = script
        self._dialect = dialect
        self._refusal = refusal
        self._receive_buffer = receive_buffer
        self._options = options
        self._runs: list[asyncio.Future[None]] = []
        self._server: Server | None = None
        self.requests: list[Request] = []

    async def __aenter__(self) -> Self:
        listening = socket.create_server(("127.0.0.1", 0))
        # asyncio does so only for sockets that it makes itself; else deltas wait 40 ms for an ACK
        listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if self._receive_buffer:
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, self._receive_buffer)
        self._server = await serve(
            self._run, sock=listening, process_request=self._on_request, **self._options
        )
        port = listening.getsockname()[1]
        self.url = f"ws://127.0.0.1:{port}/v1/realtime"
        return self

    async def __aexit__(self, kind: type[BaseException] | None, *_: object) -> None:
        assert self._server is not None
        self._server.close(close_connections=True)
        await self._server.wait_closed()
        if kind is None:
            for run in self._runs:
                run.result()

    async def _run(self, websocket: ServerConnection) -> None:
        run = asyncio.get_running_loop().create_future()
        self._runs.append(run)
        try:
            await self._script(Line(websocket, self._dialect))
            run.set_result(None)
        except BaseException as error:
            run.set_exception(error)
            await websocket.close(1011)

    def _on_request(self, _: ServerConnection, request: Request) -> Response | None:
        self.requests.append(request)
        if self._refusal is None:
            return None
        status, headers, body = self._refusal
        return Response(status, "Refused", Headers(headers), body)

    def session(
        self,
        *,
        deadlines: Deadlines = plans.PATIENT,
        tools: ToolSet = plans.TOOLS,
        url: str = "",
        account: dict[str, Any] | None = None,
        **changes: Any,
    ) -> RealtimeClient:
        settings = plans.settings(dialect=self._dialect, **changes)
        access = plans.provider(url or self.url, **(account or {}))
        return new_session(access, settings, tools, language="en", deadlines=deadlines)


class Reader:
    """Reads a session's events as a conversation would, and keeps them."""

    def __init__(self, session: RealtimeClient) -> None:
        self._events = session.events()
        self.seen: list[SessionEvent] = []

    async def until(self, kind: type[SessionEvent]) -> Any:
        """The next event of this kind; those before it are in `seen`."""
        async with asyncio.timeout(30):
            async for event in self._events:
                self.seen.append(event)
                if isinstance(event, kind):
                    return event
        raise AssertionError(f"no {kind.__name__} among {self.seen}")

    async def ended(self) -> Ended:
        ended: Ended = await self.until(Ended)
        return ended

    def all(self, kind: type[SessionEvent]) -> list[Any]:
        return [event for event in self.seen if isinstance(event, kind)]


async def greet(line: Line) -> None:
    """A script: open the session, then nothing more."""
    await line.greet()
    await line.closed()


async def refused(stub: Stub, **changes: Any) -> SessionError:
    """Opens in vain; says why. What failed is over: nothing more can be sent."""
    session = stub.session(**changes)
    with pytest.raises(SessionError) as raised:
        await session.open(guarded=True)
    with pytest.raises(SessionError):
        session.send_audio(b"\xff" * 160)
    await session.close()
    assert plans.KEY not in str(raised.value)
    return raised.value
