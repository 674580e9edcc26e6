"""A realtime provider for load: speaks the GA protocol of media_worker/realtime, hears nothing.

`echo`: what it is sent comes back at once as the audio of one endless response, without being
decoded, so that both directions carry audio all the time and every delay can be measured. Only what
waited for the session to open does not: it comes in a burst, and would stay as delay.
`answers`: it takes turns as a real provider does: the caller's speech is announced, and an answer
follows in a burst, faster than real time. `speaker`: it answers when it is asked to
(`response.create`), and else says nothing. `monologue`: it begins to speak as soon as it is open.

It runs in a process of its own (`Provider`), is told what to do over a pipe, and gives back what it
has written down: when each chunk of audio came (CLOCK_MONOTONIC) and the chunk.
"""

from __future__ import annotations

import asyncio
import base64
import multiprocessing
import multiprocessing.connection
import os
import time
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import parse_qs, urlsplit

import msgspec
import numpy as np
import uvloop
from picows import WSFrame, WSListener, WSMsgType, WSTransport, WSUpgradeRequest, ws_create_server

from bench.front import open_front
from bench.host import go_first

APPEND_HEAD: Final = b'{"type":"input_audio_buffer.append","audio":"'
"""As the product and the floor write it; anything else is decoded."""
APPEND_TAIL: Final = b'"}'
DELTA_MS: Final = 200
"""Audio in one delta of an answer."""
BURST_FACTOR: Final = 8
"""An answer is sent so many times faster than it is spoken."""
TURN_SECONDS: Final = 8.0
"""In `answers`: from one answer to the next."""

Chunk = tuple[float, bytes]
"""Arrival, base64 of the audio."""


@dataclass
class Orders:
    """What the provider is told; each replaces the one before."""

    mode: str = "echo"
    open_seconds: float = 0.0
    """It takes so long to open a session."""
    answer: bytes = b""
    """Audio of an answer, in the session's format."""
    answer_byte_rate: int = 8000
    speech: bytes = b""
    """What its speech API says: PCM 24 kHz, 16 bit, mono."""
    tracked: frozenset[int] = frozenset()
    """Calls whose audio is written down."""


@dataclass
class Account:
    """What is given back."""

    sessions: int = 0
    open_sessions: int = 0
    chunks: dict[int, list[Chunk]] = field(default_factory=dict)
    """What came, by call. In `echo`, what was sent at the same moment."""
    first_deltas: dict[int, list[float]] = field(default_factory=dict)
    """When the first audio of each answer was sent, by call."""
    received_bytes: int = 0
    cpu_percent: float = 0.0
    lag_p99_ms: float = 0.0
    """How late its own event loop was."""


def seconds_of(encoded: bytes, audio: dict[str, Any]) -> float:
    """Length of a piece of audio in a session's input format."""
    input_format = (audio.get("input") or {}).get("format") or {}
    bytes_per_second = 48000 if input_format.get("type", "audio/pcm") == "audio/pcm" else 8000
    return len(encoded) * 3 / 4 / bytes_per_second


class _Session(WSListener):
    """One caller's session. Its call is named by `call=` in the address."""

    def __init__(self, provider: _Provider, call: int) -> None:
        super().__init__()
        self.call = call
        self.echoes = False
        self._is_flowing = False
        """What waited for this session to open has come."""
        self._latest_at = 0.0
        self._provider = provider
        self._transport: WSTransport
        self._answers = 0
        self._head = b""
        self._format: Any = None
        self._timers: list[asyncio.TimerHandle] = []

    def on_ws_connected(self, transport: WSTransport) -> None:
        self._transport = transport
        self._provider.sessions.add(self)
        self._provider.account.sessions += 1

    def on_ws_disconnected(self, transport: WSTransport) -> None:
        self._provider.sessions.discard(self)
        for timer in self._timers:
            timer.cancel()

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        kind = frame.msg_type
        if kind == WSMsgType.TEXT:
            self._on_text(frame.get_payload_as_bytes())
        elif kind == WSMsgType.PING:
            transport.send_pong(frame.get_payload_as_bytes())
        elif kind == WSMsgType.CLOSE:
            transport.send_close(frame.get_close_code(), frame.get_close_message())
            transport.disconnect()

    def _on_text(self, data: bytes) -> None:
        if data.startswith(APPEND_HEAD):
            self._on_audio(data[len(APPEND_HEAD) : -len(APPEND_TAIL)])
            return
        event = msgspec.json.decode(data)
        match event.get("type"):
            case "input_audio_buffer.append":
                self._on_audio(event["audio"].encode())
            case "session.update":
                self._on_update(event["session"])
            case "response.create" if self._provider.orders.mode in ("speaker", "answers"):
                self._answer()

    def _on_audio(self, encoded: bytes) -> None:
        at = time.monotonic()
        if self.echoes:
            self._echo(encoded, at)
        provider = self._provider
        provider.account.received_bytes += len(encoded)
        if self.call in provider.orders.tracked:
            provider.account.chunks.setdefault(self.call, []).append((at, encoded))

    def _echo(self, encoded: bytes, at: float) -> None:
        if self._is_flowing:
            self._transport.send(WSMsgType.TEXT, b"".join((self._head, encoded, b'"}')))
            return
        waited, self._latest_at = at - self._latest_at, at
        self._is_flowing = 0.5 < waited / seconds_of(encoded, self._format) < 1.5

    # --- the protocol ----------------------------------------------------------------------------

    def _on_update(self, session: dict[str, Any]) -> None:
        audio = session.get("audio") or {}
        if self._format is None:
            self._format = audio
            self._later(self._provider.orders.open_seconds, self._open, session)
        else:
            self._tell("session.updated", session=session)

    def _open(self, session: dict[str, Any]) -> None:
        session = {**session, "id": f"sess_{self.call}_{id(self):x}"}
        self._tell("session.created", session=session)
        self._tell("session.updated", session=session)
        mode = self._provider.orders.mode
        if mode == "echo":
            self._begin_response()
            self.echoes = True
        elif mode == "monologue":
            self._answer()
        elif mode == "answers":
            first = TURN_SECONDS * (0.1 + 0.9 * (self.call * 0.618 % 1))  # spread over all calls
            self._later(first, self._take_turn)

    def _tell(self, event_type: str, **fields: Any) -> None:
        event = {"type": event_type, "event_id": "event_1", **fields}
        self._transport.send(WSMsgType.TEXT, msgspec.json.encode(event))

    def _begin_response(self) -> tuple[str, str]:
        self._answers += 1
        response_id, item_id = f"resp_{self._answers}", f"item_{self._answers}"
        item = {"id": item_id, "type": "message", "role": "assistant", "content": []}
        place = {"response_id": response_id, "output_index": 0}
        self._tell("response.created", response={"id": response_id, "status": "in_progress"})
        self._tell("response.output_item.added", **place, item=item)
        self._tell("conversation.item.added", previous_item_id=None, item=item)
        self._head = (
            b'{"type":"response.output_audio.delta","event_id":"event_1","response_id":"%b",'
            b'"item_id":"%b","output_index":0,"content_index":0,"delta":"'
            % (response_id.encode(), item_id.encode())
        )
        return response_id, item_id

    # --- turns -----------------------------------------------------------------------------------

    def _take_turn(self) -> None:
        """The caller has just stopped, says the provider, and here is the answer."""
        item = f"caller_{self._answers}"
        self._tell("input_audio_buffer.speech_started", item_id=item, audio_start_ms=0)
        self._tell("input_audio_buffer.speech_stopped", item_id=item, audio_end_ms=0)
        self._tell("input_audio_buffer.committed", item_id=item, previous_item_id=None)
        self._later(0.2, self._answer)
        self._later(TURN_SECONDS, self._take_turn)

    def _answer(self) -> None:
        orders = self._provider.orders
        response_id, item_id = self._begin_response()
        size = orders.answer_byte_rate * DELTA_MS // 1000
        pieces = [orders.answer[at : at + size] for at in range(0, len(orders.answer), size)]
        firsts = self._provider.account.first_deltas.setdefault(self.call, [])
        firsts.append(time.monotonic())
        for number, piece in enumerate(pieces):
            self._later(number * DELTA_MS / 1000 / BURST_FACTOR, self._say, self._head, piece)
        spoken = len(pieces) * DELTA_MS / 1000 / BURST_FACTOR
        self._later(spoken, self._finish, response_id, item_id)

    def _say(self, head: bytes, piece: bytes) -> None:
        encoded = base64.b64encode(piece)
        self._transport.send(WSMsgType.TEXT, b"".join((head, encoded, b'"}')))

    def _finish(self, response_id: str, item_id: str) -> None:
        place = {"response_id": response_id, "item_id": item_id}
        self._tell("response.output_audio.done", **place, output_index=0, content_index=0)
        self._tell("response.done", response={"id": response_id, "status": "completed"})

    def _later(self, seconds: float, action: Any, *args: Any) -> None:
        if seconds <= 0:
            action(*args)
            return
        loop = asyncio.get_running_loop()
        self._timers = [timer for timer in self._timers if timer.when() > loop.time()]
        self._timers.append(loop.call_later(seconds, action, *args))


class _Provider:
    """The process's own side."""

    LAG_PERIOD: Final = 0.05

    def __init__(self, pipe: multiprocessing.connection.Connection) -> None:
        self.orders = Orders()
        self.account = Account()
        self.sessions: set[_Session] = set()
        self._pipe = pipe
        self._over = asyncio.Event()
        self._lags: list[float] = []
        self._since = (time.monotonic(), time.process_time())

    async def run(self) -> None:
        loop = asyncio.get_running_loop()
        server = await ws_create_server(self._accept, "127.0.0.1", 0)
        loop.add_reader(self._pipe.fileno(), self._obey)
        os.set_blocking(self._pipe.fileno(), True)  # libuv takes it away; an answer may be large
        loop.call_later(self.LAG_PERIOD, self._watch, loop.time() + self.LAG_PERIOD)
        port = server.sockets[0].getsockname()[1]
        front = await open_front(port, lambda: self.orders.speech)
        self._pipe.send((port, front.sockets[0].getsockname()[1]))
        await self._over.wait()
        server.close()
        front.close()

    def _accept(self, request: WSUpgradeRequest) -> _Session:
        query = parse_qs(urlsplit(request.path.decode()).query)
        return _Session(self, int(query.get("call", ["-1"])[0]))

    def _obey(self) -> None:
        try:
            order = self._pipe.recv()
        except EOFError:
            order = None
        if isinstance(order, Orders):
            self.orders = order
            self._pipe.send(None)
        elif order == "read":
            self._pipe.send(self._read())
        else:
            self._over.set()

    def _read(self) -> Account:
        """What was written down since the last time."""
        account, self.account = self.account, Account()
        wall, cpu = time.monotonic(), time.process_time()
        account.open_sessions = len(self.sessions)
        account.cpu_percent = (cpu - self._since[1]) / max(1e-6, wall - self._since[0]) * 100
        if self._lags:
            account.lag_p99_ms = float(np.percentile(self._lags, 99)) * 1000
        self._lags, self._since = [], (wall, cpu)
        return account

    def _watch(self, due: float) -> None:
        loop = asyncio.get_running_loop()
        self._lags.append(loop.time() - due)
        loop.call_later(self.LAG_PERIOD, self._watch, loop.time() + self.LAG_PERIOD)


def _main(pipe: multiprocessing.connection.Connection) -> None:
    go_first()
    uvloop.run(_Provider(pipe).run())


class Provider:
    """The provider's process, from outside. `obey` and `read` take a few milliseconds."""

    def __init__(self) -> None:
        context = multiprocessing.get_context("spawn")
        self._pipe, theirs = context.Pipe()
        self._process = context.Process(target=_main, args=(theirs,), daemon=True)
        self._process.start()
        theirs.close()
        self.port, self.front_port = self._pipe.recv()

    def url(self, call: int) -> str:
        return f"ws://127.0.0.1:{self.port}/v1/realtime?call={call}"

    def front_url(self, call: int) -> str:
        """The same provider, with its speech API at the same address."""
        return f"ws://127.0.0.1:{self.front_port}/v1/realtime?call={call}"

    def obey(self, orders: Orders) -> None:
        self._pipe.send(orders)
        self._pipe.recv()

    def read(self) -> Account:
        self._pipe.send("read")
        account: Account = self._pipe.recv()
        return account

    def close(self) -> None:
        self._pipe.send(None)
        self._process.join(5)
        if self._process.is_alive():
            self._process.kill()
