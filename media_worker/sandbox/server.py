"""The sandbox provider: WebSocket sessions at any path that ends in /realtime, and what they did.

    ws://HOST:PORT/v1/realtime?model=gpt-realtime-2.1[&misbehave=slow:2,wrong_audio]
    POST /v1/audio/speech
    GET /sessions, /sessions/{id}, /healthz

Any key that begins with `sandbox` is accepted, as Bearer, as `api-key` or in the subprotocol.
"""

from __future__ import annotations

import asyncio
import json
import logging
from http import HTTPStatus
from typing import Any, Final, Self
from urllib.parse import parse_qs, urlsplit

from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.datastructures import Headers
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response

from media_worker.sandbox.dialects import BETA, GA, Dialect
from media_worker.sandbox.errors import error_detail
from media_worker.sandbox.keys import key_problem
from media_worker.sandbox.misbehaviour import Misbehaviour, MisbehaviourError
from media_worker.sandbox.posts import answering
from media_worker.sandbox.recognition import Recogniser
from media_worker.sandbox.records import Records, SessionRecord
from media_worker.sandbox.session import Session
from media_worker.sandbox.speech_api import SpeechApi
from media_worker.sandbox.voice import Voice

log = logging.getLogger(__name__)

MAX_FRAME_BYTES: Final = 24 * 1024 * 1024
"""An append of 15 MiB as base64, and a little more."""
MAX_QUEUED_FRAMES: Final = 4000
OPEN_SECONDS: Final = 120
"""For a handshake, and for a whole POST."""
PACE: Final = 4.0
"""Speech comes so many times faster than it is heard."""
SUBPROTOCOLS: Final = ("realtime", "openai-beta.realtime-v1")
_KEY_PROTOCOL: Final = "openai-insecure-api-key."


class SandboxServer:
    """`port` 0 takes a free one. Use as an async context manager, or start() and stop()."""

    def __init__(
        self,
        host: str = "127.0.0.1",
        port: int = 0,
        *,
        pace: float = PACE,
        recogniser: Recogniser | None = None,
    ) -> None:
        self._host = host
        self._port = port
        self._pace = pace
        self._own_recogniser = recogniser is None
        self._recogniser = recogniser or Recogniser()
        self._voice = Voice()
        self._speech = SpeechApi(self._voice)
        self._records = Records()
        self._server: Server | None = None

    async def start(self) -> None:
        """Raises OSError when the port is taken."""
        self._server = await serve(
            self._serve,
            self._host,
            self._port,
            process_request=self._process_request,
            select_subprotocol=_select_subprotocol,
            max_size=MAX_FRAME_BYTES,
            compression=None,
            open_timeout=OPEN_SECONDS,
            ping_timeout=60,
            create_connection=answering(self._speech.answer),
        )

    async def warm_up(self) -> None:
        """Load the models now rather than with the first words."""
        await asyncio.gather(self._recogniser.warm_up(), self._voice.warm_up())

    async def stop(self) -> None:
        if self._server is not None:
            self._server.close()
            await self._server.wait_closed()
            self._server = None
        self._voice.close()
        if self._own_recogniser:
            self._recogniser.close()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    @property
    def port(self) -> int:
        if self._server is None:
            raise RuntimeError("The sandbox is not started.")
        port: int = next(iter(self._server.sockets)).getsockname()[1]
        return port

    @property
    def url(self) -> str:
        """Without a model; `?model=` is added by the client."""
        return f"ws://{self._host}:{self.port}/v1/realtime"

    @property
    def speech_requests(self) -> list[dict[str, Any]]:
        """Bodies of the requests to the speech API that were answered, oldest first."""
        return self._speech.requests

    @property
    def sessions(self) -> list[SessionRecord]:
        """Newest last, at most 200."""
        return list(self._records)

    # --- HTTP ------------------------------------------------------------------------------------

    async def _process_request(
        self, connection: ServerConnection, request: Request
    ) -> Response | None:
        """Plain HTTP answers, refusals before the upgrade, or None for a session."""
        parts = urlsplit(request.path)
        if not parts.path.endswith("/realtime"):
            return self._page(parts.path)
        query = parse_qs(parts.query)
        try:
            misbehaviour = Misbehaviour.parse(_first(query, "misbehave"))
        except MisbehaviourError as problem:
            return _refusal(HTTPStatus.BAD_REQUEST, "invalid_value", str(problem))
        refused = key_problem(_key_of(request.headers), misbehaviour)
        if refused:
            return _refusal(HTTPStatus.UNAUTHORIZED, *refused)
        if not (_first(query, "model") or _first(query, "deployment")):
            return _refusal(
                HTTPStatus.BAD_REQUEST, "missing_model", "You must provide a model parameter."
            )
        await asyncio.sleep(misbehaviour.seconds("slow_open"))
        return None

    def _page(self, path: str) -> Response:
        if path == "/healthz":
            return _json(HTTPStatus.OK, {"ok": True, "sessions": len(self.sessions)})
        if path.rstrip("/") == "/sessions":
            newest_first = [record.summary() for record in reversed(self.sessions)]
            return _json(HTTPStatus.OK, newest_first)
        if path.startswith("/sessions/"):
            record = self._records.find(path.removeprefix("/sessions/").rstrip("/"))
            if record is not None:
                return _json(HTTPStatus.OK, record.whole())
        return _refusal(HTTPStatus.NOT_FOUND, "not_found", f"Invalid URL ({path})")

    # --- a session -------------------------------------------------------------------------------

    async def _serve(self, connection: ServerConnection) -> None:
        request = connection.request
        if request is None:
            return
        parts = urlsplit(request.path)
        query = parse_qs(parts.query)
        misbehaviour = Misbehaviour.parse(_first(query, "misbehave"))
        dialect = _dialect_of(parts.path, request.headers, connection.subprotocol)
        frames: asyncio.Queue[str | bytes] = asyncio.Queue()
        session = Session(
            dialect=dialect,
            model=_first(query, "model") or _first(query, "deployment"),
            misbehaviour=misbehaviour,
            send=frames.put_nowait,
            voice=self._voice,
            recogniser=self._recogniser,
            pace=self._pace,
        )
        self._records.add(session.record)
        sender = asyncio.create_task(_send_all(connection, frames))
        tasks = [sender]
        try:
            if await self._refused(connection, session, misbehaviour, dialect, frames):
                return
            session.begin()
            tasks += _timers(connection, session, misbehaviour, frames)
            async for frame in connection:
                session.receive(frame)
                if frames.qsize() > MAX_QUEUED_FRAMES:
                    await connection.close(1008, "The client does not read.")
        except ConnectionClosed:
            pass
        finally:
            session.end()
            session.record.close_code = connection.close_code
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _refused(
        self,
        connection: ServerConnection,
        session: Session,
        misbehaviour: Misbehaviour,
        dialect: Dialect,
        frames: asyncio.Queue[str | bytes],
    ) -> bool:
        """Whether the session ends before it begins: HTTP 101, one error, close."""
        if "beta_disabled" in misbehaviour and dialect is BETA:
            code, type_ = "beta_api_shape_disabled", "invalid_request_error"
            message = (
                "The Realtime Beta API is no longer supported. Please use /v1/realtime for the GA"
                " API."
            )
        elif "quota" in misbehaviour:
            code = type_ = "insufficient_quota"
            message = "You exceeded your current quota, please check your plan and billing details."
        else:
            return False
        session.fail(code, message, type_=type_)
        await frames.join()
        await connection.close(4000, f"{type_}.{code}")
        return True


async def _send_all(connection: ServerConnection, frames: asyncio.Queue[str | bytes]) -> None:
    while True:
        frame = await frames.get()
        try:
            await connection.send(frame)
        except ConnectionClosed:
            return
        finally:
            frames.task_done()


def _timers(
    connection: ServerConnection,
    session: Session,
    misbehaviour: Misbehaviour,
    frames: asyncio.Queue[str | bytes],
) -> list[asyncio.Task[None]]:
    """Misbehaviours that come after a while."""
    tasks = []
    if "drop_after" in misbehaviour:
        seconds = misbehaviour.seconds("drop_after")
        tasks.append(asyncio.create_task(_drop(connection, seconds)))
    if "session_expired" in misbehaviour:
        seconds = misbehaviour.seconds("session_expired")
        tasks.append(asyncio.create_task(_expire(connection, session, frames, seconds)))
    return tasks


async def _drop(connection: ServerConnection, seconds: float) -> None:
    """As a network does it: no closing handshake, the client sees 1006."""
    await asyncio.sleep(seconds)
    connection.transport.abort()


async def _expire(
    connection: ServerConnection,
    session: Session,
    frames: asyncio.Queue[str | bytes],
    seconds: float,
) -> None:
    await asyncio.sleep(seconds)
    message = "Your session hit the maximum duration of 60 minutes."
    session.fail("session_expired", message)
    await frames.join()
    await connection.close(1001, message)


def _dialect_of(path: str, headers: Headers, subprotocol: str | None) -> Dialect:
    """Beta by header or subprotocol, or at the path of Azure's preview."""
    is_beta = (
        any("realtime=v1" in value for value in headers.get_all("OpenAI-Beta"))
        or subprotocol == "openai-beta.realtime-v1"
        or path == "/openai/realtime"
    )
    return BETA if is_beta else GA


def _select_subprotocol(connection: ServerConnection, offered: Any) -> Any:
    """The beta's own, else `realtime`; a key in the list is no protocol."""
    return next((name for name in reversed(SUBPROTOCOLS) if name in offered), None)


def _key_of(headers: Headers) -> str:
    authorization = headers.get("Authorization", "")
    if authorization.lower().startswith("bearer "):
        return authorization[7:].strip()
    if "api-key" in headers:
        return headers["api-key"].strip()
    for offered in headers.get("Sec-WebSocket-Protocol", "").split(","):
        if offered.strip().startswith(_KEY_PROTOCOL):
            return offered.strip().removeprefix(_KEY_PROTOCOL)
    return ""


def _first(query: dict[str, list[str]], name: str) -> str:
    return query.get(name, [""])[0]


def _json(status: HTTPStatus, body: Any) -> Response:
    data = json.dumps(body).encode()
    headers = Headers(
        [
            ("Content-Type", "application/json"),
            ("Content-Length", str(len(data))),
            ("Connection", "close"),
        ]
    )
    return Response(status.value, status.phrase, headers, data)


def _refusal(status: HTTPStatus, code: str, message: str) -> Response:
    error = error_detail(message, code=code)
    del error["event_id"]
    return _json(status, {"error": error})
