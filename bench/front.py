"""The provider's other door: `POST /v1/audio/speech` beside its realtime API, on one port.

The WebSocket server of the load takes nothing but upgrades. Where greetings are rendered both APIs
must have one address, so this door answers the POST itself and passes everything else on, byte by
byte. Only the greeting is measured through it.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
from collections.abc import Callable
from typing import Final

_LENGTH: Final = re.compile(rb"^content-length: *(\d+)", re.IGNORECASE | re.MULTILINE)
_PIECE: Final = 65536


async def open_front(realtime_port: int, speech: Callable[[], bytes]) -> asyncio.Server:
    """`speech` gives what is said, whatever the text: PCM 24 kHz, 16 bit, mono."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            head = await reader.readuntil(b"\r\n\r\n")
            if head.startswith(b"POST"):
                found = _LENGTH.search(head)
                await reader.readexactly(int(found[1]) if found else 0)
                await _answer(writer, speech())
            else:
                await _pass_on(head, reader, writer, realtime_port)
        writer.close()

    return await asyncio.start_server(serve, "127.0.0.1", 0)


async def _answer(writer: asyncio.StreamWriter, pcm: bytes) -> None:
    lines = [
        "HTTP/1.1 200 OK",
        "Content-Type: audio/pcm",
        f"Content-Length: {len(pcm)}",
        "Connection: close",
        "",
        "",
    ]
    writer.write("\r\n".join(lines).encode() + pcm)
    await writer.drain()


async def _pass_on(
    head: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, port: int
) -> None:
    far_reader, far_writer = await asyncio.open_connection("127.0.0.1", port)
    far_writer.write(head)
    await asyncio.gather(_pump(reader, far_writer), _pump(far_reader, writer))


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while piece := await reader.read(_PIECE):
            writer.write(piece)
            await writer.drain()
    writer.close()
