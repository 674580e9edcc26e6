"""A WebSocket client that takes a shortcut for plain messages (RFC 6455 section 5.2).

A call has some twenty messages a second, each one unfragmented frame. Those are cut out of the
stream and built right here, without a coroutine, a lock or a queue a message; that is most of what
`websockets` costs a call (bench/). All else (handshake, TLS, proxies, ping, close, fragments,
whatever is wrong with a frame) is the library's, frame by frame.
"""

from __future__ import annotations

import asyncio
import struct
from collections import deque
from secrets import token_bytes
from typing import Any, Final

from websockets.asyncio.client import ClientConnection
from websockets.frames import DATA_OPCODES, Frame, apply_mask  # type: ignore[attr-defined]
from websockets.protocol import CONNECTING, OPEN, Event

MAX_FRAME_BYTES: Final = 16 * 1024 * 1024
"""A server's event; the largest are audio deltas of some ten thousand bytes."""
QUEUED_FRAMES: Final = 256
"""Messages that wait for the reader before the network is told to wait."""

_FIN: Final = 0x80
_MASKED: Final = 0x80
_TEXT: Final = _FIN | 0x1
_PLAIN: Final = (_TEXT, _FIN | 0x2)
"""A whole message, text or binary."""
_HEAD_END: Final = b"\r\n\r\n"
_LENGTH_16: Final = 126
_LENGTH_64: Final = 127


class Connection(ClientConnection):
    """`receive` and `send_text` in place of `recv` and `send`; one reader."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._messages: deque[bytes] = deque()
        self._reader: asyncio.Future[None] | None = None
        self._is_paused = False
        self._buffer = bytearray()
        self._needed = 0
        """Bytes until the next frame is whole; 0: not known."""
        self._pieces: list[bytes] = []
        """Of a fragmented message."""
        self._is_fragmented = False
        self._is_lost = False

    # --- our side --------------------------------------------------------------------------------

    async def receive(self) -> bytes:
        """The next message, text or binary. Raises ConnectionClosed when no more comes."""
        messages = self._messages
        while not messages:
            if self._is_lost:
                raise self.close_exc
            self._reader = self.loop.create_future()
            await self._reader
        if self._is_paused and len(messages) <= QUEUED_FRAMES // 4:
            self._is_paused = False
            self.transport.resume_reading()
        return messages.popleft()

    def send_text(self, data: bytes) -> None:
        """Raises ConnectionClosed; while the connection is being closed nothing is sent."""
        if self.protocol.state is not OPEN:
            if self._is_lost:
                raise self.close_exc
            return
        length, mask = len(data), token_bytes(4)
        if length < _LENGTH_16:
            head = struct.pack("!BB", _TEXT, _MASKED | length)
        elif length < 1 << 16:
            head = struct.pack("!BBH", _TEXT, _MASKED | _LENGTH_16, length)
        else:
            head = struct.pack("!BBQ", _TEXT, _MASKED | _LENGTH_64, length)
        self.transport.write(b"".join((head, mask, apply_mask(data, mask))))

    # --- the transport's side --------------------------------------------------------------------

    def data_received(self, data: bytes) -> None:
        if self.protocol.state is OPEN:
            self._cut(data)
        elif self.protocol.state is CONNECTING:
            self._shake_hands(data)
        else:
            self._hand_over(data)

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        self._is_lost = True
        self._wake()

    def process_event(self, event: Event) -> None:
        """What the library made of the frames that it was given."""
        if not isinstance(event, Frame) or event.opcode not in DATA_OPCODES:
            super().process_event(event)
            return
        self._pieces.append(bytes(event.data))
        if event.fin:
            self._deliver(b"".join(self._pieces))
            self._pieces.clear()

    # --- inside ----------------------------------------------------------------------------------

    def _shake_hands(self, data: bytes) -> None:
        """The library gets the answer's head alone: what follows it may be frames."""
        self._buffer += data
        end = self._buffer.find(_HEAD_END)
        if end < 0 and len(self._buffer) < MAX_FRAME_BYTES:
            return
        end = len(self._buffer) if end < 0 else end + len(_HEAD_END)
        head, rest = bytes(self._buffer[:end]), bytes(self._buffer[end:])
        self._buffer.clear()
        super().data_received(head)
        if rest:
            self.data_received(rest) if self.protocol.state is OPEN else self._hand_over(rest)

    def eof_received(self) -> None:
        self._hand_over(b"")
        super().eof_received()

    def _hand_over(self, data: bytes) -> None:
        """The connection fails or ends: the library gets all that is left."""
        data = bytes(self._buffer) + data
        self._buffer.clear()
        if data:
            super().data_received(data)

    def _cut(self, data: bytes) -> None:
        if self._buffer:
            self._buffer += data
            if len(self._buffer) < self._needed:
                return
            data = bytes(self._buffer)
            self._buffer.clear()
        at = 0
        while at < len(data):
            start, end = _bounds(data, at)
            if end - start > MAX_FRAME_BYTES or self.protocol.state is not OPEN:
                self._hand_over(data[at:])
                return
            if end > len(data) or not start:
                self._needed = end - at
                self._buffer += data[at:]
                return
            head = data[at]
            is_plain = head in _PLAIN and data[at + 1] < _MASKED
            if is_plain and not self._is_fragmented:
                self._deliver(data[start:end])
            else:
                self._note_fragment(head)
                super().data_received(data[at:end])
            at = end

    def _note_fragment(self, head: int) -> None:
        if head & 0x0F < 0x8:  # not a control frame
            self._is_fragmented = not head & _FIN

    def _deliver(self, message: bytes) -> None:
        self._messages.append(message)
        if len(self._messages) > QUEUED_FRAMES and not self._is_paused:
            self._is_paused = True
            self.transport.pause_reading()
        self._wake()

    def _wake(self) -> None:
        reader, self._reader = self._reader, None
        if reader is not None and not reader.done():
            reader.set_result(None)


def _bounds(data: bytes, at: int) -> tuple[int, int]:
    """Of the payload of the frame at `at`; start 0 where its head is not whole.

    A masked frame, which no server may send, is as long as its head says and the library's concern.
    """
    left = len(data) - at
    if left < 2:
        return 0, at + 2
    length = data[at + 1] & 0x7F
    start = at + 2 + (4 if data[at + 1] & _MASKED else 0)
    if length < _LENGTH_16:
        return start, start + length
    size = 2 if length == _LENGTH_16 else 8
    if left < 2 + size:
        return 0, at + 2 + size
    length = int.from_bytes(data[at + 2 : at + 2 + size], "big")
    return start + size, start + size + length
