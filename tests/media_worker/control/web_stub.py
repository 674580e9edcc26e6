"""A small web side that speaks the contract over real HTTP and WebSocket on loopback."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress

import msgspec
from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response

from media_worker.contract import (
    LINK_PATH,
    Ack,
    AdmissionRequest,
    BrowserCallAnswer,
    CommandDone,
    Events,
    Frame,
    Heartbeat,
    Hello,
    ListenAudio,
    ListenEnded,
    Record,
    Rejected,
    Welcome,
    decode_admission_request,
    decode_up,
    encode,
)

Answer = tuple[int, bytes]
RIGHT = "the-right-one"


class HttpStub:
    """POST requests answered by `answers`, one after the other; the last one for ever."""

    def __init__(self, *answers: Answer | Callable[[AdmissionRequest], Answer] | None) -> None:
        self.answers = list(answers)
        self.requests: list[tuple[str, dict[str, str], bytes]] = []
        self.on_put: Callable[[str, bytes], int] = lambda _path, _body: 404
        """Path with its query, and the body; the status."""
        self.on_plan: Callable[[str], Answer] = lambda _call_id: (404, b"{}")
        """The plan of a call that was begun in a browser."""
        self._server: asyncio.Server | None = None
        self.port = 0

    async def __aenter__(self) -> HttpStub:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._server is not None
        self._server.close()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def bodies(self) -> list[AdmissionRequest]:
        return [decode_admission_request(body) for _, _, body in self.requests]

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode()
                first, *lines = head.split("\r\n")
                headers = {
                    name.lower(): value for name, _, value in (x.partition(": ") for x in lines)
                }
                body = await reader.readexactly(int(headers.get("content-length", "0")))
                if first.startswith("PUT"):
                    status = self.on_put(first.split()[1], body)
                    writer.write(f"HTTP/1.1 {status} X\r\nContent-Length: 0\r\n\r\n".encode())
                    continue
                path = first.split()[1]
                if path.endswith("/plan"):
                    self._write(writer, *self.on_plan(path.split("/")[-2]))
                    continue
                self.requests.append((path, headers, body))
                answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
                if answer is None:  # hang up without a word
                    break
                status, text = (
                    answer(decode_admission_request(body)) if callable(answer) else answer
                )
                self._write(writer, status, text)
        writer.close()

    def _write(self, writer: asyncio.StreamWriter, status: int, text: bytes) -> None:
        writer.write(
            f"HTTP/1.1 {status} X\r\nContent-Type: application/json\r\n"
            f"Content-Length: {len(text)}\r\n\r\n".encode()
            + text
        )


class LinkStub:
    """The web side's end of the worker link; stores records as the real one does."""

    def __init__(self, *, token: str = RIGHT, port: int = 0) -> None:
        self.token = token
        self.port = port
        self.hellos: list[Hello] = []
        self.heartbeats: list[Heartbeat] = []
        self.done: list[CommandDone] = []
        self.heard: list[ListenAudio] = []
        self.listened: list[str] = []
        """Whose listening the worker has ended."""
        self.draining = False
        """What Welcome says."""
        self.answers: dict[str, BrowserCallAnswer] = {}
        """By call; the last one of each."""
        self.stored: dict[tuple[str, int], Record] = {}
        self.seen: list[Record] = []
        """All that came, in order, also again and not acknowledged."""
        self.acknowledged: dict[str, int] = {}
        self.refused = 0
        self.close_codes: list[int | None] = []
        self.acknowledges = True
        self.unreadable: Callable[[Record], bool] = lambda record: False
        self.garbage: list[str | bytes] = []
        self._changed = asyncio.Condition()
        self._socket: ServerConnection | None = None

    async def __aenter__(self) -> LinkStub:
        self._server = await serve(
            self._serve, "127.0.0.1", self.port, process_request=self._check_token
        )
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        await self._server.wait_closed()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def received(self) -> int:
        return len(self.seen)

    @property
    def records(self) -> list[Record]:
        return list(self.stored.values())

    async def until(self, condition: Callable[[], bool]) -> None:
        async with self._changed:
            await asyncio.wait_for(self._changed.wait_for(condition), 60)

    async def send(self, frame: Frame) -> None:
        assert self._socket is not None
        await self._socket.send(encode(frame).decode())

    async def drop(self) -> None:
        """Cut the connection without a closing handshake."""
        assert self._socket is not None
        self._socket.transport.abort()

    async def close(self, code: int) -> None:
        assert self._socket is not None
        await self._socket.close(code)

    async def _check_token(self, socket: ServerConnection, request: Request) -> Response | None:
        if request.headers.get("Authorization") == f"Bearer {self.token}":
            return None
        async with self._changed:
            self.refused += 1
            self._changed.notify_all()
        return socket.respond(401, "token refused")

    async def _serve(self, socket: ServerConnection) -> None:
        assert socket.request is not None
        assert socket.request.path == LINK_PATH
        with suppress(ConnectionClosed):
            async for data in socket:
                assert isinstance(data, str), "frames of the link are text"
                await self._take(socket, decode_up(data))
        async with self._changed:
            self.close_codes.append(socket.close_code)
            self._changed.notify_all()

    async def _take(self, socket: ServerConnection, frame: Frame) -> None:
        async with self._changed:
            match frame:
                case Hello():
                    self.hellos.append(frame)
                    self._socket = socket
                    known = self.acknowledged.get(frame.stream, 0)
                    for data in self.garbage:
                        await socket.send(data)
                    await self._send(
                        socket, Welcome(worker="stub", acknowledged=known, draining=self.draining)
                    )
                case Heartbeat():
                    self.heartbeats.append(frame)
                case CommandDone():
                    self.done.append(frame)
                case ListenAudio():
                    self.heard.append(frame)
                case ListenEnded():
                    self.listened.append(frame.listen_id)
                case BrowserCallAnswer(call_id=call_id):
                    self.answers[call_id] = frame
                case Events(stream=stream, records=records):
                    await self._store(socket, stream, records)
            self._changed.notify_all()

    async def _store(
        self, socket: ServerConnection, stream: str, records: tuple[Record, ...]
    ) -> None:
        self.seen += records
        if not self.acknowledges:
            return
        if any(self.unreadable(record) for record in records):
            await self._send(socket, Rejected(detail="A record makes no sense."))
            return
        for record in records:
            self.stored.setdefault((stream, record.seq), record)
        self.acknowledged[stream] = records[-1].seq
        await self._send(socket, Ack(stream=stream, seq=records[-1].seq))

    async def _send(self, socket: ServerConnection, frame: Frame) -> None:
        await socket.send(msgspec.json.encode(frame).decode())


class WebStub:
    """Both on one port, as a worker expects them: GET is the link, all else is plain HTTP."""

    def __init__(
        self, *answers: Answer | Callable[[AdmissionRequest], Answer] | None, port: int = 0
    ) -> None:
        self.http = HttpStub(*answers)
        self.link = LinkStub()
        self.port = port
        self._pumps: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> WebStub:
        await self.http.__aenter__()
        await self.link.__aenter__()
        self._server = await asyncio.start_server(self._connect, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        for pump in self._pumps:
            pump.cancel()
        await asyncio.gather(*self._pumps, return_exceptions=True)
        await self.link.__aexit__()
        await self.http.__aexit__()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def _connect(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.read(3)
        inner = self.link.port if head == b"GET" else self.http.port
        inner_reader, inner_writer = await asyncio.open_connection("127.0.0.1", inner)
        inner_writer.write(head)
        for source, sink in ((reader, inner_writer), (inner_reader, writer)):
            task = asyncio.create_task(_pump(source, sink))
            self._pumps.add(task)
            task.add_done_callback(self._pumps.discard)


async def _pump(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
    with suppress(ConnectionError):
        while data := await source.read(65536):
            sink.write(data)
            await sink.drain()
    sink.close()
