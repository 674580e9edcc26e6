"""Opening a session at a real socket: address, headers, first update, echo, and all refusals."""

from __future__ import annotations

import asyncio
import json
import socket
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from media_worker.contract import AudioFormat, Dialect, ProblemKind
from media_worker.realtime.connection import with_model
from media_worker.realtime.failures import Scrubber, from_connect
from media_worker.realtime.session import SessionError, SessionInfo, SpeechStopped
from tests.media_worker.realtime import plans
from tests.media_worker.realtime.stub import Line, Reader, Stub

BOTH = pytest.mark.parametrize("dialect", list(Dialect))


async def refused(stub: Stub, **changes: Any) -> SessionError:
    """Opens in vain; says why. What failed is over: nothing more can be sent."""
    session = stub.session(**changes)
    with pytest.raises(SessionError) as raised:
        await session.open(guarded=True)
    with pytest.raises(SessionError):
        await session.send_audio(b"\xff" * 160)
    await session.close()
    assert plans.KEY not in str(raised.value)
    return raised.value


# --- the usual way -------------------------------------------------------------------------------


@BOTH
async def test_a_session_opens_with_one_full_update(dialect: Dialect) -> None:
    updates: list[dict[str, Any]] = []

    async def script(line: Line) -> None:
        updates.append(await line.greet())
        await line.closed()

    async with Stub(script, dialect=dialect) as stub:
        session = stub.session()
        info = await session.open(guarded=True)
        await session.close()
    assert info == session.info
    assert info == SessionInfo(
        session_id="sess_1",
        model="served-model",
        input_format=AudioFormat.PCMU,
        output_format=AudioFormat.PCMU,
    )
    (update,) = updates
    detection = (
        update["session"]["audio"]["input"] if dialect is Dialect.OPENAI else update["session"]
    )["turn_detection"]
    assert (detection["create_response"], detection["interrupt_response"]) == (False, False)
    assert update["session"]["instructions"] == plans.PROMPT


@BOTH
async def test_key_model_and_dialect_are_in_the_request(dialect: Dialect) -> None:
    async with Stub(lambda line: _greet(line), dialect=dialect) as stub:
        session = stub.session(url=f"{stub.url}?misbehave=slow:2&model=other")
        await session.open(guarded=True)
        await session.close()
    (request,) = stub.requests
    query = parse_qs(urlsplit(request.path).query)
    assert query == {"misbehave": ["slow:2"], "model": ["gpt-realtime-2.1"]}
    assert request.headers["Authorization"] == f"Bearer {plans.KEY}"
    assert ("OpenAI-Beta" in request.headers) == (dialect is Dialect.OPENAI_BETA)
    assert "Sec-WebSocket-Extensions" not in request.headers


async def test_azure_wants_the_key_in_its_own_header() -> None:
    async with Stub(lambda line: _greet(line)) as stub:
        session = stub.session(account={"auth": "api-key"})
        await session.open(guarded=True)
        await session.close()
    (request,) = stub.requests
    assert request.headers["api-key"] == plans.KEY
    assert "Authorization" not in request.headers


async def _greet(line: Line) -> None:
    await line.greet()
    await line.closed()


@pytest.mark.parametrize(
    ("url", "whole"),
    [
        ("wss://api.openai.com/v1/realtime", "wss://api.openai.com/v1/realtime?model=m%2F1"),
        ("wss://h/x?a=1&b=", "wss://h/x?a=1&b=&model=m%2F1"),
        ("wss://h/x?model=old&a=1", "wss://h/x?a=1&model=m%2F1"),
        (
            "wss://r.openai.azure.com/openai/realtime?api-version=2025-04-01-preview&deployment=d",
            "wss://r.openai.azure.com/openai/realtime?api-version=2025-04-01-preview&deployment=d",
        ),
    ],
)
def test_addresses(url: str, whole: str) -> None:
    assert with_model(url, "m/1") == whole


async def test_no_session_created_is_no_fault() -> None:
    async def script(line: Line) -> None:
        update = await line.expect("session.update")
        await line.send("session.updated", session=update["session"])
        await line.closed()

    async with Stub(script) as stub:
        session = stub.session()
        info = await session.open(guarded=True)
        await session.close()
    assert (info.session_id, info.model) == ("", "gpt-realtime-2.1")


async def test_events_in_odd_order_are_kept_for_the_reader() -> None:
    async def script(line: Line) -> None:
        await line.send("rate_limits.updated", rate_limits=[])
        await line.send("input_audio_buffer.speech_started", item_id="u1", audio_start_ms=5)
        await line.raw("?")
        await line.greet()
        await line.send("input_audio_buffer.speech_stopped", item_id="u1", audio_end_ms=9)
        await line.closed()

    async with Stub(script) as stub:
        session = stub.session()
        await session.open(guarded=True)
        reader = Reader(session)
        await reader.until(SpeechStopped)
        await session.close()
    assert [type(event).__name__ for event in reader.seen] == ["SpeechStarted", "SpeechStopped"]
    assert session.malformed == 1


# --- the echo ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("dialect", "asked", "echo", "formats"),
    [
        (
            Dialect.OPENAI,
            AudioFormat.PCMU,
            {
                "audio": {
                    "input": {"format": {"type": "audio/pcm", "rate": 24000}},
                    "output": {"format": {"type": "audio/pcma"}},
                }
            },
            (AudioFormat.PCM_24K, AudioFormat.PCMA),
        ),
        (
            Dialect.OPENAI_BETA,
            AudioFormat.PCMU,
            {"input_audio_format": "pcm16", "output_audio_format": "g711_ulaw"},
            (AudioFormat.PCM_24K, AudioFormat.PCMU),
        ),
        (Dialect.OPENAI_BETA, AudioFormat.PCM_16K, {}, (AudioFormat.PCM_16K, AudioFormat.PCM_24K)),
        (Dialect.OPENAI, AudioFormat.PCMA, {"audio": None}, (AudioFormat.PCMA, AudioFormat.PCMA)),
    ],
)
async def test_the_echo_says_what_is_spoken(
    dialect: Dialect, asked: AudioFormat, echo: dict[str, Any], formats: tuple[AudioFormat, ...]
) -> None:
    async def script(line: Line) -> None:
        await line.greet(**echo)
        await line.closed()

    async with Stub(script, dialect=dialect) as stub:
        session = stub.session(audio_format=asked)
        info = await session.open(guarded=True)
        await session.close()
    assert (info.input_format, info.output_format) == formats


async def test_an_echo_that_we_cannot_speak() -> None:
    async def script(line: Line) -> None:
        await line.greet(audio={"output": {"format": {"type": "audio/pcm", "rate": 48000}}})
        await line.closed()

    async with Stub(script) as stub:
        error = await refused(stub)
    assert error.kind is ProblemKind.WRONG_AUDIO
    assert "48000" in error.message


async def test_a_format_that_the_dialect_does_not_know_is_refused_before_anything_is_sent() -> None:
    async with Stub(lambda line: _greet(line)) as stub:
        error = await refused(stub, audio_format=AudioFormat.PCM_16K)
    assert error.kind is ProblemKind.SETTINGS_REFUSED
    assert stub.requests == []


# --- refused with an event -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("error", "close", "kind", "retryable"),
    [
        (
            {"code": "invalid_value", "message": "Bad voice"},
            1000,
            ProblemKind.SETTINGS_REFUSED,
            False,
        ),
        ({"code": None, "type": "?"}, 1000, ProblemKind.SETTINGS_REFUSED, False),
        ({"code": "beta_api_shape_disabled"}, 4000, ProblemKind.DIALECT_REFUSED, False),
        ({"code": "invalid_api_key"}, 3000, ProblemKind.KEY_REFUSED, False),
        ({"code": "account_deactivated"}, 3000, ProblemKind.KEY_REFUSED, False),
        ({"code": "model_not_found"}, 4000, ProblemKind.MODEL_REFUSED, False),
        (
            {"code": "model_load_error", "type": "server_error"},
            1000,
            ProblemKind.MODEL_REFUSED,
            False,
        ),
        ({"code": "insufficient_quota"}, 1000, ProblemKind.QUOTA, False),
        ({"code": "rate_limit_exceeded"}, 1000, ProblemKind.RATE_LIMIT, True),
        ({"code": None, "type": "server_error"}, 1011, ProblemKind.SILENT, True),
    ],
)
@BOTH
async def test_an_error_instead_of_the_echo(
    dialect: Dialect, error: dict[str, Any], close: int, kind: ProblemKind, retryable: bool
) -> None:
    async def script(line: Line) -> None:
        await line.expect("session.update")
        await line.error(**error)
        await line.websocket.close(close)

    async with Stub(script, dialect=dialect) as stub:
        refusal = await refused(stub)
    assert (refusal.kind, refusal.retryable) == (kind, retryable)
    assert refusal.code == (error["code"] or error["type"])


async def test_a_refused_update_is_a_refused_session_even_after_session_created() -> None:
    async def script(line: Line) -> None:
        await line.send("session.created", session={"id": "sess_1"})
        update = await line.expect("session.update")
        await line.error("unknown_parameter", "Unknown parameter", event_id=update["event_id"])
        await line.closed()

    async with Stub(script) as stub:
        error = await refused(stub)
    assert (error.kind, error.message) == (ProblemKind.SETTINGS_REFUSED, "Unknown parameter")


# --- closed instead of answered ------------------------------------------------------------------


@pytest.mark.parametrize(
    ("code", "reason", "kind"),
    [
        (4000, "invalid_request_error.beta_api_shape_disabled", ProblemKind.DIALECT_REFUSED),
        (3000, "invalid_request_error.invalid_api_key", ProblemKind.KEY_REFUSED),
        (4000, "", ProblemKind.DROPPED),
        (1001, "", ProblemKind.SESSION_EXPIRED),
        (1011, "internal error", ProblemKind.DROPPED),
        (1000, "", ProblemKind.DROPPED),
    ],
)
async def test_closed_at_once(code: int, reason: str, kind: ProblemKind) -> None:
    async def script(line: Line) -> None:
        await line.websocket.close(code, reason)

    async with Stub(script) as stub:
        error = await refused(stub)
    assert error.kind is kind
    assert str(code) in error.message


async def test_dropped_without_a_word() -> None:
    async def script(line: Line) -> None:
        line.websocket.transport.abort()

    async with Stub(script) as stub:
        error = await refused(stub)
    assert (error.kind, error.retryable) == (ProblemKind.DROPPED, True)


async def test_never_answered() -> None:
    async def script(line: Line) -> None:
        await line.send("session.created", session={"id": "sess_1"})
        await line.closed()

    async with Stub(script) as stub:
        error = await refused(stub, deadlines=plans.QUICK)
    assert (error.kind, error.retryable) == (ProblemKind.SILENT, True)


async def test_a_flood_of_rubbish() -> None:
    async def script(line: Line) -> None:
        for _ in range(100):
            await line.raw("<html>502 Bad Gateway</html>")
        await line.closed()

    async with Stub(script) as stub:
        error = await refused(stub)
    assert error.kind is ProblemKind.PROTOCOL


async def test_rubbish_and_then_nothing() -> None:
    async def script(line: Line) -> None:
        await line.raw("hello?")
        await line.closed()

    async with Stub(script) as stub:
        error = await refused(stub, deadlines=plans.QUICK)
    assert error.kind is ProblemKind.PROTOCOL


async def test_given_up_the_connection_is_closed() -> None:
    entered, left = asyncio.Event(), asyncio.Event()

    async def script(line: Line) -> None:
        await line.expect("session.update")
        entered.set()
        await line.closed()
        left.set()

    async with Stub(script) as stub:
        opening = asyncio.create_task(stub.session().open(guarded=True))
        await entered.wait()
        opening.cancel()
        async with asyncio.timeout(5):
            await left.wait()
        with pytest.raises(asyncio.CancelledError):
            await opening


# --- refused at HTTP -----------------------------------------------------------------------------


def body(code: str, message: str) -> bytes:
    return json.dumps({"error": {"code": code, "type": "x", "message": message}}).encode()


@pytest.mark.parametrize(
    ("status", "document", "kind", "retryable"),
    [
        (
            401,
            body("invalid_api_key", f"Incorrect API key: {plans.KEY}"),
            ProblemKind.KEY_REFUSED,
            False,
        ),
        (401, b"", ProblemKind.KEY_REFUSED, False),
        (403, b"<html>", ProblemKind.KEY_REFUSED, False),
        (403, body("model_not_found", "no access"), ProblemKind.MODEL_REFUSED, False),
        (404, b'{"error":"no such model"}', ProblemKind.MODEL_REFUSED, False),
        (404, body("DeploymentNotFound", "no"), ProblemKind.MODEL_REFUSED, False),
        (402, b"", ProblemKind.QUOTA, False),
        (429, body("insufficient_quota", "pay"), ProblemKind.QUOTA, False),
        (429, body("billing_hard_limit_reached", "pay"), ProblemKind.QUOTA, False),
        (429, b"slow down", ProblemKind.RATE_LIMIT, True),
        (400, b"", ProblemKind.DIALECT_REFUSED, False),
        (200, b"<html>Welcome</html>", ProblemKind.DIALECT_REFUSED, False),
        (500, b"", ProblemKind.UNREACHABLE, True),
        (503, b"[" * 100_000, ProblemKind.UNREACHABLE, True),
    ],
)
async def test_http_refusals(
    status: int, document: bytes, kind: ProblemKind, retryable: bool
) -> None:
    async with Stub(lambda line: _greet(line), refusal=(status, {}, document)) as stub:
        error = await refused(stub)
    assert (error.kind, error.retryable) == (kind, retryable)
    assert f"HTTP {status}" in error.message


async def test_a_redirect_is_not_followed_because_the_key_is_not_for_others() -> None:
    async with Stub(lambda line: _greet(line)) as elsewhere:
        refusal = (307, {"Location": elsewhere.url}, b"")
        async with Stub(lambda line: _greet(line), refusal=refusal) as stub:
            error = await refused(stub, account={"auth": "api-key"})
    assert error.kind is ProblemKind.DIALECT_REFUSED
    assert elsewhere.requests == []


# --- not reached ---------------------------------------------------------------------------------


def _free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port: int = taken.getsockname()[1]
        return port


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("ws://127.0.0.1:{port}/v1?key=secret", "refused"),
        ("https://127.0.0.1/v1", "not a ws:// or wss:// address"),
        ("ws://127.0.0.1:99999/v1", "cannot be reached"),
        ("ws://[::1/v1", "cannot be reached"),
        ("", "not a ws:// or wss:// address"),
    ],
)
async def test_not_reached(url: str, words: str) -> None:
    async with Stub(lambda line: _greet(line)) as stub:
        error = await refused(stub, url=url.format(port=_free_port()) or " ")
    assert error.kind is ProblemKind.UNREACHABLE
    assert words in error.message
    assert "secret" not in error.message


def test_a_name_without_an_address() -> None:
    unknown = socket.gaierror(socket.EAI_NONAME, "Name or service not known")
    error = from_connect(unknown, "voice.example.com:443", Scrubber("", ""))
    assert (error.kind, error.retryable) == (ProblemKind.UNREACHABLE, True)
    assert error.message == "The name in voice.example.com:443 cannot be resolved."


async def test_no_answer_to_the_handshake() -> None:
    server = await asyncio.start_server(lambda *_: None, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with server, Stub(lambda line: _greet(line)) as stub:
        error = await refused(stub, url=f"ws://127.0.0.1:{port}/", deadlines=plans.QUICK)
    assert (error.kind, error.retryable) == (ProblemKind.UNREACHABLE, True)
    assert "in time" in error.message


async def test_something_else_answers() -> None:
    async def talk(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 mail.example.com ESMTP\r\n")
        writer.close()

    server = await asyncio.start_server(talk, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with server, Stub(lambda line: _greet(line)) as stub:
        plain = await refused(stub, url=f"ws://127.0.0.1:{port}/")
        tls = await refused(stub, url=f"wss://127.0.0.1:{port}/")
    assert plain.kind is ProblemKind.UNREACHABLE
    assert "WebSocket" in plain.message
    assert tls.kind is ProblemKind.UNREACHABLE
    assert "TLS" in tls.message


@pytest.mark.parametrize("key", ["sk-1\r\nX-Evil: 1", "sk-ключ", "sk-\x00"])
async def test_a_key_that_would_break_the_header(key: str) -> None:
    async with Stub(lambda line: _greet(line)) as stub:
        error = await refused(stub, account={"api_key": key})
    assert error.kind is ProblemKind.KEY_REFUSED
    assert stub.requests == []
