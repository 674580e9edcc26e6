"""A realtime session over a WebSocket, for every dialect of the OpenAI family.

`core.py` decides what is said; here frames are moved, deadlines kept and endings explained. The
reader of `events()` is the only one that receives, so nothing piles up that nobody reads.
"""

from __future__ import annotations

import asyncio
from binascii import b2a_base64
from collections import deque
from collections.abc import AsyncIterator
from typing import Any, Final

import msgspec
import structlog
from websockets.exceptions import ConnectionClosed

from media_worker.audio.formats import bytes_per_ms
from media_worker.contract import AudioFormat, Greeting, ProblemKind, ProviderAccess, VadMode
from media_worker.realtime import connection, wire
from media_worker.realtime.connection import Deadlines
from media_worker.realtime.core import SessionCore
from media_worker.realtime.failures import Scrubber, failure, from_close, from_error
from media_worker.realtime.session import (
    Capabilities,
    Ended,
    Heard,
    SessionError,
    SessionEvent,
    SessionInfo,
)
from media_worker.realtime.shape import APPEND_HEAD, APPEND_TAIL, Shape

log = structlog.get_logger(__name__)

MALFORMED_LIMIT: Final = 20
"""Frames that cannot be read: so many are ignored and counted, then the session ends."""
BACKLOG_MS: Final = 5000
"""Caller's audio that may wait in the socket; beyond it the provider is not listening."""
LEAST_TURN_MS: Final = 100
"""A shorter buffer cannot be committed (REALTIME.md section 1.3)."""


class RealtimeClient:
    """Implements `session.RealtimeSession`; every method may raise SessionError once it is over."""

    def __init__(
        self,
        provider: ProviderAccess,
        shape: Shape,
        *,
        deadlines: Deadlines | None = None,
    ) -> None:
        settings = shape.settings
        self.capabilities = Capabilities(
            formats=shape.formats, owns_turns=settings.vad_mode is not VadMode.LOCAL
        )
        self.malformed = 0
        self._provider = provider
        self._shape = shape
        self._deadlines = deadlines or Deadlines()
        self._scrub = Scrubber(provider.api_key, settings.instructions)
        asked = SessionInfo(
            session_id="",
            model=settings.model,
            input_format=shape.input_format,
            output_format=shape.output_format,
        )
        self._core = SessionCore(shape, asked, self._scrub)
        self._socket: connection.Socket | None = None
        self._ready: deque[SessionEvent] = deque()
        self._failure: SessionError | None = None
        self._is_closing = False
        self._uncommitted = 0
        """Bytes of the caller's audio since the last commit."""

    @property
    def info(self) -> SessionInfo:
        """What is spoken; `output_format` changes when the audio turns out to be another one."""
        return self._core.info

    # --- opening and closing -------------------------------------------------

    async def open(self, *, guarded: bool) -> SessionInfo:
        settings = self._shape.settings
        if settings.audio_format not in self.capabilities.formats:
            raise SessionError(
                ProblemKind.SETTINGS_REFUSED,
                f"The dialect {settings.dialect} does not know the audio format"
                f" {settings.audio_format}.",
            )
        self._socket = await connection.connect(
            self._provider,
            settings.model,
            self._shape.headers,
            deadlines=self._deadlines,
            scrub=self._scrub,
        )
        try:
            return await self._agree(guarded=guarded)
        except BaseException as error:
            self._failure = error if isinstance(error, SessionError) else None
            self._socket.abort()
            raise

    async def _agree(self, *, guarded: bool) -> SessionInfo:
        self._core.begin(guarded=guarded)
        self._flush()
        try:
            async with asyncio.timeout(self._deadlines.echo):
                return await self._echo()
        except TimeoutError:
            if self.malformed:
                raise failure(
                    ProblemKind.PROTOCOL, "The provider's answers cannot be read."
                ) from None
            raise failure(
                ProblemKind.SILENT, "The provider did not answer the session's settings in time."
            ) from None

    async def _echo(self) -> SessionInfo:
        """Wait for the server's echo of the first update. A `session.created` may come or not."""
        while True:
            event = await self._receive()
            match event:
                case wire.SessionCreated():
                    self._adopt(event.session, final=False)
                case wire.SessionUpdated():
                    self._adopt(event.session, final=True)
                    return self.info
                case wire.ErrorReported():
                    raise from_error(event.error, self._scrub, is_update=True)
                case None:
                    pass
                case _:
                    self._ready.extend(self._core.receive(event))

    def _adopt(self, session: wire.SessionBody, *, final: bool) -> None:
        asked = self.info
        input_format, output_format = asked.input_format, asked.output_format
        if final:
            input_echo, output_echo = session.formats
            input_format = self._known(input_echo, asked.input_format)
            output_format = self._known(output_echo, asked.output_format)
        self._core.opened(
            SessionInfo(
                session_id=session.id or asked.session_id,
                model=session.model or asked.model,
                input_format=input_format,
                output_format=output_format,
            )
        )

    def _known(self, echo: Any, asked: AudioFormat) -> AudioFormat:
        known = wire.audio_format(echo, asked)
        if known is None:
            message = f"The provider opened an audio format that we do not know: {echo}"
            raise failure(ProblemKind.WRONG_AUDIO, self._scrub(message))
        return known

    async def close(self) -> None:
        self._is_closing = True
        if self._socket is not None:
            await self._socket.close()

    # --- receiving -----------------------------------------------------------

    async def events(self) -> AsyncIterator[SessionEvent]:
        while True:
            while self._ready:
                yield self._ready.popleft()
            try:
                event = await self._receive()
                if event is not None:
                    self._ready.extend(self._core.receive(event))
                if self._core.ended is not None:
                    raise self._core.ended
                self._flush()
            except SessionError as error:
                if self._socket is not None:
                    self._socket.abort()
                for rest in self._ready:
                    yield rest
                self._ready.clear()
                self._failure = self._failure or error
                yield Ended(problem=None if self._is_closing else self._failure)
                return

    async def _receive(self) -> wire.ServerEvent | wire.IgnoredEvent | None:
        """The next event; None for a frame that could not be read. Raises SessionError."""
        socket = self._opened()
        try:
            frame = await socket.receive()
        except ConnectionClosed as closed:
            raise self._failure or from_close(closed, self._scrub) from None
        try:
            return wire.decode(frame)
        except wire.MalformedFrameError as reason:
            self.malformed += 1
            if self.malformed > MALFORMED_LIMIT:
                message = f"The provider sends what is no realtime protocol ({reason})."
                raise failure(ProblemKind.PROTOCOL, message) from None
            if self.malformed == 1:
                log.warning("malformed frame ignored", reason=str(reason), size=len(frame))
            return None

    # --- sending -------------------------------------------------------------

    def send_audio(self, data: bytes) -> None:
        if not data:
            return
        self._uncommitted += len(data)
        encoded = b2a_base64(data, newline=False)
        self._send(b"".join((APPEND_HEAD, encoded, APPEND_TAIL)))

    async def set_guard(self, guarded: bool) -> None:
        self._core.set_guard(guarded)
        self._flush()

    async def say(self, greeting: Greeting, asked_for: str = "") -> None:
        self._core.say(greeting, asked_for)
        self._flush()

    async def said(self, text: str) -> None:
        self._core.said(text)
        self._flush()

    async def send_text(self, text: str) -> None:
        self._core.send_text(text)
        self._flush()

    async def respond(self) -> None:
        self._core.respond()
        self._flush()

    async def commit_turn(self, *, respond: bool = True) -> None:
        """Nothing happens where there is not enough audio for a turn."""
        if self._uncommitted < LEAST_TURN_MS * bytes_per_ms(self.info.input_format):
            return
        self._uncommitted = 0
        self._core.commit_turn(respond=respond)
        self._flush()

    async def interrupt(self, heard: Heard | None) -> None:
        self._core.interrupt(heard)
        self._flush()

    async def tool_result(self, tool_call_id: str, output: str, *, respond: bool) -> None:
        self._core.tool_result(tool_call_id, output, respond=respond)
        self._flush()

    def _flush(self) -> None:
        outgoing = self._core.outgoing
        while outgoing:
            self._send(msgspec.json.encode(outgoing.pop(0)))

    def _send(self, frame: bytes) -> None:
        socket = self._opened()
        if socket.backlog > BACKLOG_MS * bytes_per_ms(self.info.input_format) * 4 // 3:
            self._failure = failure(
                ProblemKind.DROPPED, "The provider does not take the caller's audio.", "backlog"
            )
            socket.abort()
            raise self._failure
        try:
            socket.send(frame)
        except ConnectionClosed as closed:
            raise self._failure or from_close(closed, self._scrub) from None

    def _opened(self) -> connection.Socket:
        if self._failure is not None:
            raise self._failure
        if self._socket is None or self._is_closing:
            raise failure(ProblemKind.DROPPED, "The session is not open.")
        return self._socket
