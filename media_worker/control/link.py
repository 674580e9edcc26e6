"""The worker link: one WebSocket to the web side; events go up, commands come down.

Events leave the outbox in order, at most `WINDOW` batches ahead of what is acknowledged, and are
deleted when their Ack comes. A link that breaks is made again, and what was not acknowledged is
sent again; the web side knows a record by `(stream, seq)`. Frames from the web side that make no
sense are counted and ignored.

A record that the web side answers with Rejected would block those after it for ever. So after a
Rejected the link goes on carefully, one record at a time; one that is rejected again is set aside
in the outbox file, where it is not lost.
"""

from __future__ import annotations

import asyncio
import random
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from time import monotonic
from typing import Final

import msgspec
import structlog
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidStatus
from websockets.frames import CloseCode

from media_worker.contract import (
    HEARTBEAT_SECONDS,
    LINK_PATH,
    MAX_FRAME_BYTES,
    Ack,
    Command,
    CommandDone,
    DownFrame,
    Frame,
    Heartbeat,
    Hello,
    ListenAudio,
    Rejected,
    Welcome,
    decode_down,
    encode,
)
from media_worker.control.outbox import Outbox

log = structlog.get_logger(__name__)

WINDOW: Final = 4
"""Batches on their way at once."""
BATCH_RECORDS: Final = 200
BATCH_BYTES: Final = MAX_FRAME_BYTES // 2
CAREFUL_RECORDS: Final = BATCH_RECORDS
"""How many records go one at a time after a Rejected: as many as the largest batch held."""
MOST_SET_ASIDE: Final = 10
"""In a row; a web side that takes none of so many takes nothing at all, and we wait for it."""
WELCOME_SECONDS: Final = 10.0
MOST_PIECES: Final = 40
"""Of a second for four who listen; older ones are of no use to them."""
AUDIO_BACKLOG: Final = 16 * 1024
"""Bytes that the network has not taken: as long as there are more, sound waits, and gets old."""
ACK_SECONDS: Final = 30.0
"""A batch not acknowledged for so long: the web side cannot store; try over a new link."""
FIRST_DELAY_SECONDS: Final = 0.5
LONGEST_DELAY_SECONDS: Final = 20.0
REFUSED_DELAY_SECONDS: Final = 60.0
"""Between attempts while the token is refused: somebody has to put that right first."""
CLOSE_TOKEN_REFUSED: Final = 4401
"""The token was good at the handshake and is not any more."""
CLOSE_REPLACED: Final = 4409
"""A newer link with the same token has taken this one's place."""


class LinkError(Exception):
    """The other end does not keep to the contract, or not in time; the link is made anew."""


class _Batch(msgspec.Struct, frozen=True, tag_field="frame", tag="events"):
    """contract.Events with the records as they lie in the outbox, not decoded on the way."""

    stream: str
    records: list[msgspec.Raw]


class _Sent(msgspec.Struct):
    """A batch on its way."""

    last_seq: int
    at: float


class Link:
    """Holds the link while `run` runs. `hello` and `heartbeat` say how the worker is right now.

    `on_command` does what the web side asks; it gives back why not, or nothing when it is done.
    """

    def __init__(
        self,
        web_url: str,
        token: str,
        outbox: Outbox,
        *,
        hello: Callable[[], Hello],
        heartbeat: Callable[[], Heartbeat],
        on_command: Callable[[Command], Awaitable[str]],
        on_welcome: Callable[[Welcome], None] = lambda _: None,
        heartbeat_seconds: float = HEARTBEAT_SECONDS,
        first_delay_seconds: float = FIRST_DELAY_SECONDS,
    ) -> None:
        self._url = "ws" + web_url.removeprefix("http").rstrip("/") + LINK_PATH
        self._token = token
        self._outbox = outbox
        self._hello = hello
        self._heartbeat = heartbeat
        self._on_command = on_command
        self._on_welcome = on_welcome
        self._heartbeat_seconds = heartbeat_seconds
        self._first_delay = first_delay_seconds
        self._work = asyncio.Event()
        self._beat = asyncio.Event()
        self._sent: deque[_Sent] = deque()
        self._cursor = 0
        self._careful = 0
        self._set_aside = 0
        self._commands: dict[str, asyncio.Task[None]] = {}
        self._socket: ClientConnection | None = None
        self._audio: deque[ListenAudio] = deque(maxlen=MOST_PIECES)
        self._audio_came = asyncio.Event()
        self.connected = asyncio.Event()
        self.malformed_frames = 0
        outbox.on_commit(self._work.set)

    async def run(self) -> None:
        """Hold the link for ever; ends only by being cancelled."""
        delay = self._first_delay
        while True:
            try:
                async with self._connected() as socket:
                    delay = self._first_delay
                    await self._serve(socket)
            except (OSError, TimeoutError, InvalidHandshake, ConnectionClosed, LinkError) as error:
                delay = self._note_broken(error, delay)
            await asyncio.sleep(delay * random.uniform(0.5, 1.0))  # noqa: S311 - jitter
            delay = min(delay * 2, LONGEST_DELAY_SECONDS)

    def beat(self) -> None:
        """Send a heartbeat now: something in it has changed."""
        self._beat.set()

    async def tell(self, frame: Frame) -> bool:
        """Send it now, or not at all; whether it was sent."""
        if self._socket is None:
            return False
        try:
            await self._send(self._socket, frame)
        except ConnectionClosed:
            return False
        return True

    def hear(self, frame: ListenAudio) -> None:
        """Send it soon, if the socket takes it; where it does not, the oldest are lost."""
        self._audio.append(frame)
        self._audio_came.set()

    # --- one connection --------------------------------------------------------------------------

    @asynccontextmanager
    async def _connected(self) -> AsyncIterator[ClientConnection]:
        async with connect(
            self._url,
            additional_headers={"Authorization": f"Bearer {self._token}"},
            max_size=MAX_FRAME_BYTES,
            compression=None,
            proxy=None,
            open_timeout=WELCOME_SECONDS,
            close_timeout=2,
        ) as socket:
            await self._greet(socket)
            self._socket = socket
            self.connected.set()
            try:
                yield socket
            except asyncio.CancelledError:
                await socket.close(CloseCode.GOING_AWAY, "worker stopped")
                raise
            finally:
                self.connected.clear()
                self._socket = None

    async def _greet(self, socket: ClientConnection) -> None:
        await self._send(socket, self._hello())
        async with asyncio.timeout(WELCOME_SECONDS):
            while not isinstance(frame := await self._receive(socket), Welcome):
                if isinstance(frame, Rejected):
                    raise LinkError(f"The web side did not take our Hello: {frame.detail}")
        if frame.acknowledged > self._outbox.last_seq:
            log.error("link.outbox_is_older", acknowledged=frame.acknowledged)
            await self._outbox.start_new_stream()
            raise LinkError("The outbox file is older than what the web side has stored.")
        self._outbox.acknowledge(frame.acknowledged)
        self._cursor = frame.acknowledged
        self._sent.clear()
        self._work.set()
        log.info("link.up", worker=frame.worker, acknowledged=frame.acknowledged)
        self._on_welcome(frame)

    async def _serve(self, socket: ClientConnection) -> None:
        """Until the connection ends, which one of them says by an exception."""
        tasks = [
            asyncio.create_task(part(socket), name=f"link {part.__name__}")
            for part in (
                self._send_events,
                self._send_heartbeats,
                self._send_audio,
                self._follow,
            )
        ]
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _send_events(self, socket: ClientConnection) -> None:
        while True:
            await self._work.wait()
            self._work.clear()
            while len(self._sent) < (1 if self._careful else WINDOW):
                rows = await self._outbox.pending(
                    self._cursor, limit=1 if self._careful else BATCH_RECORDS, max_bytes=BATCH_BYTES
                )
                if not rows:
                    break
                self._cursor = rows[-1].seq
                self._sent.append(_Sent(self._cursor, monotonic()))
                records = [msgspec.Raw(row.body) for row in rows]
                await socket.send(encode(_Batch(self._outbox.stream, records)), text=True)

    async def _send_heartbeats(self, socket: ClientConnection) -> None:
        while True:
            # In careful going a Rejected must mean the record, so nothing else is on its way.
            if not (self._careful and self._sent):
                await self._send(socket, self._heartbeat())
            if self._sent and monotonic() - self._sent[0].at > ACK_SECONDS:
                raise LinkError("The web side does not acknowledge.")
            self._beat.clear()
            try:
                await asyncio.wait_for(self._beat.wait(), self._heartbeat_seconds)
            except TimeoutError:
                continue

    async def _send_audio(self, socket: ClientConnection) -> None:
        """Only into a socket that has room: what is listened to never delays an event."""
        self._audio.clear()
        while True:
            await self._audio_came.wait()
            self._audio_came.clear()
            while self._audio and socket.transport.get_write_buffer_size() < AUDIO_BACKLOG:
                await self._send(socket, self._audio.popleft())

    async def _follow(self, socket: ClientConnection) -> None:
        while True:
            match await self._receive(socket):
                case Ack(stream=stream, seq=seq):
                    self._acknowledge(stream, seq)
                case Rejected(detail=detail):
                    self._take_rejection(detail)
                case Welcome():
                    self.malformed_frames += 1
                case command:
                    self._start(command)

    def _acknowledge(self, stream: str, seq: int) -> None:
        if stream != self._outbox.stream or seq > self._cursor:
            self.malformed_frames += 1
            log.warning("link.strange_ack", seq=seq)
            return
        self._outbox.acknowledge(seq)
        self._set_aside = 0
        while self._sent and self._sent[0].last_seq <= seq:
            self._sent.popleft()
            self._careful = max(0, self._careful - 1)
        self._work.set()

    def _take_rejection(self, detail: str) -> None:
        """The web side could not read something of ours; see the module's head."""
        log.error("link.rejected", detail=detail, on_their_way=len(self._sent))
        if not self._sent:
            return
        if self._careful and self._set_aside < MOST_SET_ASIDE:
            self._set_aside += 1
            self._outbox.set_aside(self._sent.popleft().last_seq, detail)
            self._work.set()
            return
        self._careful = CAREFUL_RECORDS
        raise LinkError("The web side rejects our events; sending them again one by one.")

    def _start(self, command: Command) -> None:
        """Beside everything else; one that comes again while it is being done is the same one."""
        if command.command_id not in self._commands:
            task = asyncio.create_task(self._do(command), name="command")
            self._commands[command.command_id] = task

    async def _do(self, command: Command) -> None:
        try:
            detail = await self._on_command(command)
        except Exception:
            log.exception("link.command_failed")
            detail = "Something went wrong inside the media worker."
        finally:
            self._commands.pop(command.command_id, None)
        done = CommandDone(command_id=command.command_id, ok=not detail, detail=detail)
        if not await self.tell(done):
            log.info("link.command_unanswered")  # what happened on a call goes by the outbox

    async def _receive(self, socket: ClientConnection) -> DownFrame:
        """The next frame that makes sense."""
        while True:
            data = await socket.recv()
            try:
                frame: DownFrame = decode_down(data)
            except (msgspec.DecodeError, UnicodeDecodeError) as error:
                self.malformed_frames += 1
                log.warning("link.malformed_frame", error=str(error), count=self.malformed_frames)
            else:
                return frame

    async def _send(self, socket: ClientConnection, frame: Frame) -> None:
        await socket.send(encode(frame), text=True)

    def _note_broken(self, error: Exception, delay: float) -> float:
        """Log it for people; returns how long to wait, in seconds."""
        status = error.response.status_code if isinstance(error, InvalidStatus) else 0
        code = error.rcvd.code if isinstance(error, ConnectionClosed) and error.rcvd else 0
        if status in (401, 403) or code == CLOSE_TOKEN_REFUSED:
            log.error(
                "link.token_refused",
                status=status or code,
                remedy="Give this worker a token that the web side knows (PBXAI_WORKER_TOKEN).",
            )
            return REFUSED_DELAY_SECONDS
        if code == CLOSE_REPLACED:
            log.error(
                "link.replaced",
                remedy="Another worker uses the same token; give each worker its own.",
            )
            return LONGEST_DELAY_SECONDS
        log.warning("link.down", error=f"{type(error).__name__}: {error}", retry_seconds=delay)
        return delay
