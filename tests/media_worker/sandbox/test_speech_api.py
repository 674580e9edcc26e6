"""Text in, speech out: the speech API beside the realtime one, asked by OpenAI's own types."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import httpx
import numpy as np
import pytest
from openai.types.audio import SpeechCreateParams
from pydantic import ConfigDict, TypeAdapter, ValidationError

from media_worker.audio.formats import Decoder
from media_worker.contract import AudioFormat
from media_worker.sandbox import SandboxServer
from media_worker.sandbox.recognition import Recogniser
from media_worker.sandbox.recognition.grammar import grammar_of
from media_worker.speech import render

GREETING = "Hello, this is the clinic. How can I help you?"
KEY = {"Authorization": "Bearer sandbox-test"}


class _Strict(SpeechCreateParams):
    __pydantic_config__ = ConfigDict(extra="forbid")


_BODY = TypeAdapter(_Strict)


def body(**members: Any) -> dict[str, Any]:
    """A request that the types of the `openai` package allow."""
    made = {
        "model": "gpt-4o-mini-tts",
        "voice": "marin",
        "input": GREETING,
        "response_format": "pcm",
        **members,
    }
    _BODY.validate_python(made)
    return made


@pytest.fixture
async def http(server: SandboxServer) -> AsyncIterator[httpx.AsyncClient]:
    base = f"http://127.0.0.1:{server.port}"
    async with httpx.AsyncClient(base_url=base, headers=KEY, timeout=60) as client:
        yield client


async def speak(http: httpx.AsyncClient, path: str = "/v1/audio/speech", **members: Any):
    return await http.post(path, json=body(**members))


def error_of(response: httpx.Response) -> dict[str, Any]:
    error = response.json()["error"]
    assert set(error) == {"type", "code", "message", "param"}
    return error


async def test_it_speaks_what_it_is_given(http: httpx.AsyncClient, server: SandboxServer) -> None:
    response = await speak(http, instructions="Be friendly.")
    assert (response.status_code, response.headers["content-type"]) == (200, "audio/pcm")
    expected = b"".join(
        render(sentence, "en", 24000) for sentence in ("Hello, this is the clinic.",)
    )
    assert response.content.startswith(expected), "the first sentence, at 24 kHz"
    assert [request["input"] for request in server.speech_requests] == [GREETING]


async def test_what_it_says_can_be_understood(
    http: httpx.AsyncClient, recogniser: Recogniser
) -> None:
    words = "what are your opening hours"
    spoken = (await speak(http, input=words)).content
    pcm = Decoder(AudioFormat.PCM_24K, 8000).decode(spoken)
    assert (await recogniser.hear(pcm, grammar_of([]))).text == words


async def test_wav_has_the_header_of_a_stream(http: httpx.AsyncClient) -> None:
    wav = (await speak(http, response_format="wav")).content
    pcm = (await speak(http)).content
    assert wav[:4] + wav[8:16] == b"RIFFWAVEfmt "
    assert wav[36:44] == b"data\xff\xff\xff\xff", "its length was not known when it began"
    assert wav[44:] == pcm


async def test_the_language_is_what_the_instructions_name(http: httpx.AsyncClient) -> None:
    words = "Guten Tag, hier ist die Klinik."
    german = await speak(http, input=words, instructions='Speak in the language "de", please.')
    english = await speak(http, input=words)
    assert german.status_code == 200
    lengths = [len(german.content), len(render(words, "de", 24000))]
    assert abs(lengths[0] - lengths[1]) < 24000 * 2 // 10, "as espeak-ng says it"
    assert german.content != english.content


async def test_speed_makes_it_shorter(http: httpx.AsyncClient) -> None:
    normal, fast = await speak(http), await speak(http, speed=1.5)
    assert len(fast.content) < 0.8 * len(normal.content)
    assert np.abs(np.frombuffer(fast.content, "<i2")).max() > 3000


@pytest.mark.parametrize(
    ("members", "code", "param"),
    [
        ({"voice": "robot"}, "invalid_value", "voice"),
        ({"input": ""}, "invalid_value", "input"),
        ({"input": "..."}, "invalid_value", "input"),
        ({"input": "a" * 4097}, "invalid_value", "input"),
        ({"speed": 9}, "invalid_value", "speed"),
        ({"response_format": "mp3"}, "invalid_value", "response_format"),
        ({"stream_format": "sse"}, "invalid_value", "stream_format"),
        ({"instructions": 'Speak in the language "tlh".'}, "invalid_value", "input"),
    ],
)
async def test_what_it_cannot_say_is_refused(
    http: httpx.AsyncClient, members: dict[str, Any], code: str, param: str
) -> None:
    response = await speak(http, **members)
    error = error_of(response)
    assert (response.status_code, error["code"], error["param"]) == (400, code, param)
    assert error["type"] == "invalid_request_error"


async def test_members_that_the_api_does_not_know_are_refused(http: httpx.AsyncClient) -> None:
    strange = {**body(), "loudness": 11}
    with pytest.raises(ValidationError, match="loudness"):
        _BODY.validate_python(strange)
    response = await http.post("/v1/audio/speech", json=strange)
    assert (response.status_code, error_of(response)["code"]) == (400, "unknown_parameter")
    missing = await http.post("/v1/audio/speech", json={"model": "tts-1", "input": "hi"})
    assert (missing.status_code, error_of(missing)["param"]) == (400, "voice")
    nonsense = await http.post("/v1/audio/speech", content=b"{")
    assert (nonsense.status_code, error_of(nonsense)["code"]) == (400, "invalid_json")


async def test_a_voice_may_be_an_id(http: httpx.AsyncClient) -> None:
    assert (await speak(http, voice={"id": "voice_1234"})).status_code == 200


async def test_keys(http: httpx.AsyncClient) -> None:
    azure = await http.post(
        "/openai/v1/audio/speech",
        json=body(),
        headers={"api-key": "sandbox-azure", "Authorization": ""},
    )
    assert azure.status_code == 200
    missing = await http.post("/v1/audio/speech", json=body(), headers={"Authorization": ""})
    assert (missing.status_code, error_of(missing)["code"]) == (401, "missing_api_key")
    wrong = {"Authorization": "Bearer sk-a-very-secret-key"}
    refused = await http.post("/v1/audio/speech", json=body(), headers=wrong)
    assert (refused.status_code, error_of(refused)["code"]) == (401, "invalid_api_key")
    assert "secret" not in refused.text


@pytest.mark.parametrize(
    ("misbehave", "status", "code"),
    [
        ("refuse_key", 401, "invalid_api_key"),
        ("quota", 429, "insufficient_quota"),
        ("rate_limit", 429, "rate_limit_exceeded"),
        ("no_speech_api", 404, "not_found"),
        ("dance", 400, "invalid_value"),
    ],
)
async def test_misbehaviour(
    http: httpx.AsyncClient, misbehave: str, status: int, code: str
) -> None:
    response = await speak(http, f"/v1/audio/speech?misbehave={misbehave}")
    assert (response.status_code, error_of(response)["code"]) == (status, code)


async def test_garbage_is_no_sound(http: httpx.AsyncClient) -> None:
    response = await speak(http, "/v1/audio/speech?misbehave=garbage")
    assert response.status_code == 200
    assert response.headers["content-type"] == "text/html"


async def test_other_posts_are_refused_and_broken_ones_dropped(
    http: httpx.AsyncClient, server: SandboxServer
) -> None:
    assert (await http.post("/v1/images", json={})).status_code == 404
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    writer.write(b"POST nonsense\r\n\r\n")
    assert await reader.read() == b""
    writer.close()
    huge = httpx.Request("POST", f"{http.base_url}/v1/audio/speech", content=b"x" * (3 << 20))
    with pytest.raises(httpx.TransportError):
        await http.send(huge)
    assert (await http.get("/healthz")).status_code == 200


async def test_a_request_that_comes_in_small_pieces(server: SandboxServer) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    head = b"POST /v1/images HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}"
    for start in range(0, len(head), 3):
        writer.write(head[start : start + 3])
        await writer.drain()
        await asyncio.sleep(0)
    assert (await reader.read()).startswith(b"HTTP/1.1 404 Not Found\r\n")
    writer.close()
