"""Opening a session at a real socket: address, headers, first update, its echo."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from media_worker.contract import AudioFormat, Dialect, ProblemKind
from media_worker.realtime.connection import with_model
from media_worker.realtime.session import SessionInfo, SpeechStopped
from tests.media_worker.realtime import plans
from tests.media_worker.realtime.stub import Line, Reader, Stub, greet, refused

BOTH = pytest.mark.parametrize("dialect", list(Dialect))


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
    async with Stub(greet, dialect=dialect) as stub:
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
    async with Stub(greet) as stub:
        session = stub.session(account={"auth": "api-key"})
        await session.open(guarded=True)
        await session.close()
    (request,) = stub.requests
    assert request.headers["api-key"] == plans.KEY
    assert "Authorization" not in request.headers


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
    async with Stub(greet) as stub:
        error = await refused(stub, audio_format=AudioFormat.PCM_16K)
    assert error.kind is ProblemKind.SETTINGS_REFUSED
    assert stub.requests == []
