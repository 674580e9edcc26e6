"""A session that cannot be opened says why: refused by event, close or HTTP, or not reached."""

from __future__ import annotations

import asyncio
import json
import socket
import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from media_worker.contract import Dialect, ProblemKind
from media_worker.realtime.failures import Scrubber, from_connect
from tests.media_worker.realtime import plans
from tests.media_worker.realtime.stub import Line, Stub, greet, refused

BOTH = pytest.mark.parametrize("dialect", list(Dialect))


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
        error = await refused(stub, deadlines=plans.NO_ECHO)
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
        error = await refused(stub, deadlines=plans.NO_ECHO)
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
        async with asyncio.timeout(30):
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
    async with Stub(greet, refusal=(status, {}, document)) as stub:
        error = await refused(stub)
    assert (error.kind, error.retryable) == (kind, retryable)
    assert f"HTTP {status}" in error.message


async def test_a_redirect_is_not_followed_because_the_key_is_not_for_others() -> None:
    async with Stub(greet) as elsewhere:
        refusal = (307, {"Location": elsewhere.url}, b"")
        async with Stub(greet, refusal=refusal) as stub:
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
    async with Stub(greet) as stub:
        error = await refused(stub, url=url.format(port=_free_port()) or " ")
    assert error.kind is ProblemKind.UNREACHABLE
    assert words in error.message
    assert "secret" not in error.message


def test_a_name_without_an_address() -> None:
    unknown = socket.gaierror(socket.EAI_NONAME, "Name or service not known")
    error = from_connect(unknown, "voice.example.com:443", Scrubber("", ""))
    assert (error.kind, error.retryable) == (ProblemKind.UNREACHABLE, True)
    assert error.message == "The name in voice.example.com:443 cannot be resolved."


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
async def test_a_tenants_address_does_not_lead_into_our_network(host: str) -> None:
    async with Stub(greet) as stub:
        inside = stub.url.replace("127.0.0.1", host)
        error = await refused(stub, url=inside, account={"networks": ("10.0.0.0/8",)})
    assert error.kind is ProblemKind.UNREACHABLE
    assert f"{host} leads to" in error.message
    assert "no public address" in error.message
    assert stub.requests == []


async def test_what_is_looked_up_is_what_is_connected_to(monkeypatch: pytest.MonkeyPatch) -> None:
    """A name that answers anew each time is asked once; Host still says the name."""
    asked: list[str] = []

    async def look_up(_loop: Any, host: str, port: int, **_: Any) -> list[Any]:
        asked.append(host)
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", port))]

    async with Stub(greet) as stub:
        with monkeypatch.context() as patch:
            patch.setattr(type(asyncio.get_running_loop()), "getaddrinfo", look_up)
            named = stub.url.replace("127.0.0.1", "voice.example")
            account = {"networks": ("127.0.0.0/8",)}
            session = stub.session(url=named, account=account)
            await session.open(guarded=True)
        await session.close()
    assert asked[0] == "voice.example"
    assert set(asked[1:]) <= {"127.0.0.1"}
    assert stub.requests[0].headers["Host"] == named.split("/")[2]


async def test_no_answer_to_the_handshake() -> None:
    server = await asyncio.start_server(lambda *_: None, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with server, Stub(greet) as stub:
        error = await refused(stub, url=f"ws://127.0.0.1:{port}/", deadlines=plans.NO_HANDSHAKE)
    assert (error.kind, error.retryable) == (ProblemKind.UNREACHABLE, True)
    assert "in time" in error.message


async def test_something_else_answers() -> None:
    async def talk(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 mail.example.com ESMTP\r\n")
        writer.close()

    server = await asyncio.start_server(talk, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with server, Stub(greet) as stub:
        plain = await refused(stub, url=f"ws://127.0.0.1:{port}/")
        tls = await refused(stub, url=f"wss://127.0.0.1:{port}/")
    assert plain.kind is ProblemKind.UNREACHABLE
    assert "WebSocket" in plain.message
    assert tls.kind is ProblemKind.UNREACHABLE
    assert "TLS" in tls.message


async def test_a_certificate_that_nobody_trusts(tmp_path: Path) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(self_signed(tmp_path))
    async with Stub(greet, ssl=context) as stub:
        error = await refused(stub, url=stub.url.replace("ws:", "wss:"))
    assert error.kind is ProblemKind.UNREACHABLE
    assert "certificate" in error.message
    assert "not trusted" in error.message


def self_signed(folder: Path) -> Path:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .sign(key, hashes.SHA256())
    )
    path = folder / "server.pem"
    pem = serialization.Encoding.PEM
    private = key.private_bytes(
        pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    path.write_bytes(private + certificate.public_bytes(pem))
    return path


@pytest.mark.parametrize("key", ["sk-1\r\nX-Evil: 1", "sk-ключ", "sk-\x00"])
async def test_a_key_that_would_break_the_header(key: str) -> None:
    async with Stub(greet) as stub:
        error = await refused(stub, account={"api_key": key})
    assert error.kind is ProblemKind.KEY_REFUSED
    assert stub.requests == []
