"""`POST /v1/audio/speech` as OpenAI has it: text in, speech out (openai.types.audio.speech_*).

`model`, `input` and `voice` are required; `response_format` is wav or pcm here (24 kHz, 16 bit,
mono), `speed` has an effect up to 1.5. There is one voice for all names; the language is taken from
`instructions`, where a client may name it: `... in the language "de" ...`, else it is English.
"""

from __future__ import annotations

import asyncio
import json
import re
import struct
from http import HTTPStatus
from typing import Any, Final
from urllib.parse import parse_qs, urlsplit

from media_worker.contract import AudioFormat
from media_worker.sandbox.checks import (
    Check,
    an_object,
    invalid,
    missing,
    number,
    object_of,
    one_of,
    text,
    unknown,
)
from media_worker.sandbox.errors import ClientError, error_detail
from media_worker.sandbox.keys import key_problem
from media_worker.sandbox.misbehaviour import Misbehaviour, MisbehaviourError
from media_worker.sandbox.posts import Post, Reply
from media_worker.sandbox.voice import Voice
from media_worker.speech import SpeechError

PATH_END: Final = "/audio/speech"
VOICES: Final = (
    "alloy", "ash", "ballad", "coral", "echo", "fable", "onyx", "nova", "sage", "shimmer",
    "verse", "marin", "cedar",
)  # fmt: skip
MAX_CHARACTERS: Final = 4096
RATE: Final = 24000
FASTEST: Final = 1.5
_LANGUAGE: Final = re.compile(r'in the language "([^"]+)"')
_UNKNOWN_SIZE: Final = 0xFFFFFFFF
"""The real API streams its WAV, so that the header is written before the length is known."""


def _voice(value: Any, path: str) -> None:
    if isinstance(value, dict):
        object_of({"id": text}, required=("id",))(value, path)
    else:
        one_of(*VOICES)(value, path)


def _input(value: Any, path: str) -> None:
    text(value, path)
    if not value:
        invalid(path, "Invalid 'input': empty string. Expected at least 1 character.")
    if len(value) > MAX_CHARACTERS:
        invalid(path, f"Invalid 'input': string too long. At most {MAX_CHARACTERS} characters.")


_REQUIRED: Final = ("model", "input", "voice")
_FIELDS: Final[dict[str, Check]] = {
    "model": text,
    "input": _input,
    "voice": _voice,
    "instructions": text,
    "response_format": one_of("mp3", "opus", "aac", "flac", "wav", "pcm"),
    "speed": number(0.25, 4.0),
    "stream_format": one_of("sse", "audio"),
}


class SpeechApi:
    def __init__(self, voice: Voice) -> None:
        self._speaker = voice
        self.requests: list[dict[str, Any]] = []
        """Bodies of the requests that were answered, oldest first; the last 100."""

    async def answer(self, post: Post) -> Reply:
        parts = urlsplit(post.target)
        try:
            wanted = parse_qs(parts.query).get("misbehave", [""])[0]
            misbehaviour = Misbehaviour.parse(wanted)
        except MisbehaviourError as problem:
            return refusal(HTTPStatus.BAD_REQUEST, "invalid_value", str(problem))
        if not parts.path.endswith(PATH_END) or "no_speech_api" in misbehaviour:
            return refusal(HTTPStatus.NOT_FOUND, "not_found", f"Invalid URL ({parts.path})")
        return self._refused(post, misbehaviour) or await self._speak(post, misbehaviour)

    def _refused(self, post: Post, misbehaviour: Misbehaviour) -> Reply | None:
        authorization = post.headers.get("authorization", "")
        key = authorization[7:] if authorization.lower().startswith("bearer ") else ""
        refused = key_problem(key or post.headers.get("api-key", ""), misbehaviour)
        if refused:
            code, message = refused
            return refusal(HTTPStatus.UNAUTHORIZED, code, message)
        if "quota" in misbehaviour:
            message = "You exceeded your current quota, please check your plan and billing details."
            code = "insufficient_quota"
            return refusal(HTTPStatus.TOO_MANY_REQUESTS, code, message, type_=code)
        if "rate_limit" in misbehaviour:
            message = "Rate limit reached for this model. Please try again in 6s."
            code = "rate_limit_exceeded"
            return refusal(HTTPStatus.TOO_MANY_REQUESTS, code, message, type_="requests")
        return None

    async def _speak(self, post: Post, misbehaviour: Misbehaviour) -> Reply:
        try:
            body = _parsed(post.body)
            await asyncio.sleep(misbehaviour.seconds("slow"))
            pcm = await self._pcm(body)
        except ClientError as problem:
            return refusal(
                HTTPStatus.BAD_REQUEST, problem.code, problem.message, param=problem.param
            )
        self.requests[:] = [*self.requests[-99:], body]
        if "garbage" in misbehaviour:
            return Reply(HTTPStatus.OK, "text/html", b"<html>Welcome to the hotel's Wi-Fi</html>")
        if body["response_format"] == "wav":
            return Reply(HTTPStatus.OK, "audio/wav", _wav_header() + pcm)
        return Reply(HTTPStatus.OK, "audio/pcm", pcm)

    async def _pcm(self, body: dict[str, Any]) -> bytes:
        named = _LANGUAGE.search(body.get("instructions", ""))
        language = named.group(1) if named else "en"
        speed = min(FASTEST, body.get("speed", 1.0))
        spoken = self._speaker.speak(body["input"], language, speed, AudioFormat.PCM_24K)
        try:
            return b"".join([chunk.audio async for chunk in spoken])
        except SpeechError as problem:
            raise ClientError(str(problem), code="invalid_value", param="input") from None


def refusal(
    status: HTTPStatus,
    code: str,
    message: str,
    *,
    type_: str = "invalid_request_error",
    param: str | None = None,
) -> Reply:
    error = error_detail(message, code=code, type_=type_, param=param)
    del error["event_id"]
    return Reply(status, "application/json", json.dumps({"error": error}).encode())


def _parsed(data: bytes) -> dict[str, Any]:
    """A request's body, checked. Raises ClientError."""
    try:
        body = json.loads(data)
    except ValueError:
        message = "We could not parse the JSON body of your request."
        raise ClientError(message, code="invalid_json") from None
    an_object(body, "body")
    for name in _REQUIRED:
        if name not in body:
            missing(name)
    for name, value in body.items():
        if name not in _FIELDS:
            unknown(name)
        _FIELDS[name](value, name)
    body.setdefault("response_format", "mp3")
    if body["response_format"] not in ("wav", "pcm"):
        invalid("response_format", "This sandbox speaks wav and pcm only.")
    if body.get("stream_format", "audio") != "audio":
        invalid("stream_format", "This sandbox does not speak in events.")
    return dict(body)


def _wav_header() -> bytes:
    chunk = struct.pack("<4sIHHIIHH", b"fmt ", 16, 1, 1, RATE, RATE * 2, 2, 16)
    data = struct.pack("<4sI", b"data", _UNKNOWN_SIZE)
    return struct.pack("<4sI4s", b"RIFF", _UNKNOWN_SIZE, b"WAVE") + chunk + data
