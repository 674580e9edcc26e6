"""The shortcut for plain messages, against a server that sends bytes as it likes."""

from __future__ import annotations

import asyncio
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosedError, ConnectionClosedOK
from websockets.frames import apply_mask
from websockets.utils import accept_key

from media_worker.realtime import websocket
from media_worker.realtime.websocket import Connection

TEXT, BINARY, CLOSE, PING, PONG = 1, 2, 8, 9, 10


def frame(payload: bytes, opcode: int = TEXT, *, fin: bool = True, masked: bool = False) -> bytes:
    first, mask_bit = (0x80 if fin else 0) | opcode, 0x80 if masked else 0
    size = len(payload)
    if size < 126:
        head = struct.pack("!BB", first, mask_bit | size)
    elif size < 65536:
        head = struct.pack("!BBH", first, mask_bit | 126, size)
    else:
        head = struct.pack("!BBQ", first, mask_bit | 127, size)
    return head + (b"\1\2\3\4" + apply_mask(payload, b"\1\2\3\4") if masked else payload)


class Server:
    """One connection, handled by hand."""

    def __init__(self, first: bytes = b"") -> None:
        self.first = first
        """Sent in one piece with the answer to the handshake."""
        self.connected = asyncio.Event()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer
        request = (await reader.readuntil(b"\r\n\r\n")).decode()
        key = next(
            line.split(": ")[1]
            for line in request.split("\r\n")
            if line.lower().startswith("sec-websocket-key")
        )
        head = (
            "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            f"Sec-WebSocket-Accept: {accept_key(key)}\r\n\r\n"
        )
        writer.write(head.encode() + self.first)
        self.connected.set()

    async def next_frame(self) -> tuple[int, bytes]:
        """First octet and unmasked payload."""
        first, second = await self.reader.readexactly(2)
        size = second & 0x7F
        if size == 126:
            (size,) = struct.unpack("!H", await self.reader.readexactly(2))
        elif size == 127:
            (size,) = struct.unpack("!Q", await self.reader.readexactly(8))
        assert second & 0x80, "a client must mask"
        mask = await self.reader.readexactly(4)
        return first, apply_mask(await self.reader.readexactly(size), mask)


@asynccontextmanager
async def joined(first: bytes = b"") -> AsyncIterator[tuple[Connection, Server]]:
    server = Server(first)
    listener = await asyncio.start_server(server.serve, "127.0.0.1", 0)
    port = listener.sockets[0].getsockname()[1]
    options = {"compression": None, "ping_interval": None, "create_connection": Connection}
    client = await connect(f"ws://127.0.0.1:{port}", **options)
    await server.connected.wait()
    yield client, server
    client.transport.abort()
    server.writer.close()
    listener.close()


@pytest.mark.parametrize("size", [0, 1, 125, 126, 65535, 65536, 300_000])
async def test_messages_of_every_size_come_whole_both_ways(size: int):
    async with joined() as (client, server):
        payload = bytes(range(256)) * (size // 256 + 1)
        server.writer.write(frame(payload[:size]) + frame(b"next", BINARY))
        assert await client.receive() == payload[:size]
        assert await client.receive() == b"next"
        client.send_text(payload[:size])
        assert await server.next_frame() == (0x81, payload[:size])


async def test_frames_right_behind_the_handshake_are_not_lost():
    async with joined(frame(b"early") + frame(b"half")[:3]) as (client, server):
        assert await client.receive() == b"early"
        server.writer.write(frame(b"half")[3:])
        assert await client.receive() == b"half"


async def test_a_stream_may_be_cut_anywhere():
    stream = frame(b"one") + frame(b"x" * 200) + frame(b"", PING) + frame(b"three")
    async with joined() as (client, server):
        for octet in stream:
            client.data_received(bytes([octet]))
        assert [await client.receive() for _ in range(3)] == [b"one", b"x" * 200, b"three"]
        assert (await server.next_frame())[0] == 0x80 | PONG


async def test_fragments_are_put_together_in_order_around_a_ping():
    pieces = (
        frame(b"before"),
        frame(b"a", fin=False),
        frame(b"hello", PING),
        frame(b"b", 0, fin=False),
        frame(b"c", 0),
        frame(b"after"),
    )
    async with joined() as (client, server):
        server.writer.write(b"".join(pieces))
        assert [await client.receive() for _ in range(3)] == [b"before", b"abc", b"after"]
        assert await server.next_frame() == (0x80 | PONG, b"hello")


@pytest.mark.parametrize(
    ("stream", "code"),
    [
        (frame(b"masked", masked=True), 1002),
        (frame(b"", 3), 1002),
        (b"\xc1\x00", 1002),  # a reserved bit
        (frame(b"a", fin=False) + frame(b"b"), 1002),  # a message inside another
        (frame(b"", 0), 1002),  # nothing to continue
        (struct.pack("!BBQ", 0x81, 127, websocket.MAX_FRAME_BYTES + 1), 1009),
        (struct.pack("!BBQ", 0x81, 127, 1 << 63), 1009),
    ],
)
async def test_what_no_server_may_send_closes_the_connection(stream: bytes, code: int):
    async with joined() as (client, server):
        server.writer.write(frame(b"fine") + stream)
        assert await client.receive() == b"fine"
        first, payload = await server.next_frame()
        assert first == 0x80 | CLOSE
        assert struct.unpack("!H", payload[:2]) == (code,)
        server.writer.close()
        with pytest.raises(ConnectionClosedError):
            await client.receive()


async def test_what_came_before_a_close_is_read_before_its_reason():
    async with joined() as (client, server):
        server.writer.write(frame(b"last") + frame(struct.pack("!H", 1001) + b"bye", CLOSE))
        assert (await server.next_frame())[0] == 0x80 | CLOSE
        server.writer.close()
        await client.wait_closed()
        assert await client.receive() == b"last"
        with pytest.raises(ConnectionClosedOK) as closed:
            await client.receive()
        assert (closed.value.rcvd.code, closed.value.rcvd.reason) == (1001, "bye")
        with pytest.raises(ConnectionClosedOK):
            client.send_text(b"too late")


async def test_a_connection_that_breaks_inside_a_frame_ends_the_reader():
    async with joined() as (client, server):
        reading = asyncio.ensure_future(client.receive())
        server.writer.write(frame(b"x" * 500)[:300])
        await server.writer.drain()
        server.writer.transport.abort()
        with pytest.raises(ConnectionClosedError):
            await reading


async def test_a_reader_that_does_not_read_holds_the_server_back(monkeypatch):
    monkeypatch.setattr(websocket, "QUEUED_FRAMES", 20)
    async with joined() as (client, server):
        messages = [b"%d" % number + b"x" * 20_000 for number in range(2000)]
        server.writer.transport.set_write_buffer_limits(high=0)

        async def send() -> None:
            for message in messages:
                server.writer.write(frame(message))
                await server.writer.drain()

        sending = asyncio.create_task(send())
        await asyncio.wait({sending}, timeout=0.3)
        assert not sending.done()
        assert [await client.receive() for _ in messages] == messages
        await sending


async def test_close_is_answered_while_messages_still_come():
    async with joined() as (client, server):
        closing = asyncio.create_task(client.close())
        assert (await server.next_frame())[0] == 0x80 | CLOSE
        client.send_text(b"not sent any more")
        server.writer.write(frame(b"late") + frame(struct.pack("!H", 1000), CLOSE))
        server.writer.close()
        await closing
        assert await client.receive() == b"late"
        with pytest.raises(ConnectionClosedOK):
            await client.receive()
