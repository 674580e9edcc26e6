"""Text to speech at a provider: OpenAI's `POST /v1/audio/speech`, which others offer too.

The address is that of the account's realtime API: wss://host/v1/realtime gives
https://host/v1/audio/speech, Azure's wss://host/openai/... gives https://host/openai/v1/audio/speech
(a deployment named as MODEL). What is asked for is raw PCM: 24 kHz, 16 bit, mono.
"""

from __future__ import annotations

import io
import json
import time
import wave
from typing import Any, Final
from urllib.parse import urlsplit, urlunsplit

import httpx
import numpy as np
from django.utils.translation import gettext_noop

from media_worker.contract import ProviderAccess
from tenants.services import outside

MODEL: Final = "gpt-4o-mini-tts"
RATE: Final = 24000
TIMEOUT: Final = httpx.Timeout(30.0, connect=5.0)
WHOLE_SECONDS: Final = 60.0
MAX_BYTES: Final = 12 * 1024 * 1024
"""Four minutes; the longest text takes less than two."""
MAX_DETAIL: Final = 300
"""Characters of a provider's own words that are passed on."""
QUIET: Final = 0.03
"""Of the loudest sample; what is softer is no word yet."""
LEAD_MS: Final = 20
TAIL_MS: Final = 150
_OTHER_SOUND: Final = (b"ID3", b"\xff\xfb", b"\xff\xf3", b"OggS", b"fLaC")
"""Beginnings of MP3, Ogg and FLAC: played as PCM they would be noise."""

NO_API: Final = gettext_noop("The provider has no speech API at this address.")
NO_MODEL: Final = gettext_noop("The provider does not offer the speech model.")
KEY_REFUSED: Final = gettext_noop("The provider refused the key.")
NO_CREDIT: Final = gettext_noop("The account has no credit left.")
RATE_LIMIT: Final = gettext_noop("The provider limits the rate; it will be tried again.")
NO_VOICE: Final = gettext_noop("The provider's speech API does not know this voice.")
REFUSED: Final = gettext_noop("The provider refused to speak this text.")
UNREACHABLE: Final = gettext_noop("The provider could not be reached.")
TOO_SLOW: Final = gettext_noop("The provider did not answer in time.")
FAILED: Final = gettext_noop("The provider failed.")
NO_SOUND: Final = gettext_noop("What the provider sent is no sound.")


class SpeechError(Exception):
    """There is no speech. `reason` is one of the sentences above, `detail` what the provider said;
    neither holds the key."""

    def __init__(self, reason: str, detail: str = "") -> None:
        super().__init__(reason)
        self.reason = reason
        self.detail = detail


def speech_url(realtime_url: str) -> str:
    """Where the speech API is. Raises SpeechError where nothing is known of it."""
    parts = urlsplit(realtime_url)
    path = parts.path.rstrip("/")
    if not path.endswith("/realtime"):
        raise SpeechError(NO_API)
    scheme = "https" if parts.scheme == "wss" else "http"
    if path == "/openai/realtime":  # Azure's preview; its query is for the realtime API alone
        return urlunsplit((scheme, parts.netloc, "/openai/v1/audio/speech", "", ""))
    base = path.removesuffix("/realtime")
    return urlunsplit((scheme, parts.netloc, f"{base}/audio/speech", parts.query, ""))


def speak(provider: ProviderAccess, *, text: str, language: str, voice: str, speed: float) -> bytes:
    """The text as a WAV file: 16 bit, mono. Raises SpeechError."""
    headers = (
        {"api-key": provider.api_key}
        if provider.auth == "api-key"
        else {"Authorization": f"Bearer {provider.api_key}"}
    )
    body = {
        "model": MODEL,
        "input": text,
        # A voice that somebody had made is named by its id.
        "voice": {"id": voice} if voice.startswith("voice_") else voice,
        "instructions": f'Speak in the language "{language}", friendly, as on the telephone.',
        "response_format": "pcm",
        "speed": speed,
    }
    url = speech_url(provider.url)
    extensions: dict[str, str] = {}
    if provider.networks is not None:
        url, host, extensions = _allowed(url)
        headers |= host
    status, kind, answer = _post(url, headers, body, extensions)
    if status != httpx.codes.OK:
        raise _refusal(status, answer, provider.api_key)
    return _wav(kind, answer)


def _allowed(url: str) -> tuple[str, dict[str, str], dict[str, str]]:
    try:
        return outside.pinned(url)
    except outside.NotAllowed as error:
        raise SpeechError(UNREACHABLE, str(error)) from None


def _post(
    url: str, headers: dict[str, str], body: dict[str, Any], extensions: dict[str, str]
) -> tuple[int, str, bytes]:
    """Status, content type and content; a redirect is an answer like any other."""
    deadline = time.monotonic() + WHOLE_SECONDS
    answer = bytearray()
    try:
        with (
            httpx.Client(timeout=TIMEOUT, follow_redirects=False, trust_env=False) as client,
            client.stream(
                "POST", url, headers=headers, json=body, extensions=extensions
            ) as response,
        ):
            for chunk in response.iter_bytes():
                answer += chunk
                if len(answer) > MAX_BYTES:
                    raise SpeechError(NO_SOUND, f"> {MAX_BYTES} bytes")
                if time.monotonic() > deadline:
                    raise SpeechError(TOO_SLOW)
            kind = response.headers.get("content-type", "").partition(";")[0].strip().lower()
            return response.status_code, kind, bytes(answer)
    except httpx.TimeoutException:
        raise SpeechError(TOO_SLOW) from None
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        # The class alone: the text of some of httpx's errors quotes the request.
        raise SpeechError(UNREACHABLE, type(error).__name__) from None


def _refusal(status: int, answer: bytes, key: str) -> SpeechError:
    error = _error_in(answer)
    code, param = str(error.get("code") or ""), str(error.get("param") or "")
    detail = str(error.get("message") or f"HTTP {status}").replace(key, "***")[:MAX_DETAIL]
    if code == "model_not_found" or (status == httpx.codes.BAD_REQUEST and param == "model"):
        return SpeechError(NO_MODEL, detail)
    if status in (httpx.codes.UNAUTHORIZED, httpx.codes.FORBIDDEN):
        return SpeechError(KEY_REFUSED, detail)
    if status == httpx.codes.TOO_MANY_REQUESTS:
        return SpeechError(NO_CREDIT if code == "insufficient_quota" else RATE_LIMIT, detail)
    if status in (httpx.codes.BAD_REQUEST, httpx.codes.UNPROCESSABLE_ENTITY):
        return SpeechError(NO_VOICE if param == "voice" else REFUSED, detail)
    if status < httpx.codes.INTERNAL_SERVER_ERROR:  # not found, not allowed, moved
        return SpeechError(NO_API, detail)
    return SpeechError(FAILED, detail)


def _error_in(answer: bytes) -> dict[str, Any]:
    """The `error` of OpenAI's shape; only that is ever shown."""
    try:
        document = json.loads(answer)
    except ValueError:
        return {}
    error = document.get("error") if isinstance(document, dict) else None
    return error if isinstance(error, dict) else {}


def _wav(kind: str, answer: bytes) -> bytes:
    is_sound = kind.startswith("audio/") or kind in ("application/octet-stream", "")
    if not is_sound or kind in ("audio/mpeg", "audio/mp3") or answer.startswith(_OTHER_SOUND):
        raise SpeechError(NO_SOUND, kind)
    rate, pcm = _unpacked(answer) if answer.startswith(b"RIFF") else (RATE, answer)
    pcm = _trimmed(pcm, rate)
    made = io.BytesIO()
    with wave.open(made, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes(pcm)
    return made.getvalue()


def _trimmed(pcm: bytes, rate: int) -> bytes:
    """Without the silence before and after the words: providers send up to half a second of it,
    which a caller who was just answered would wait through."""
    samples = np.frombuffer(pcm[: len(pcm) // 2 * 2], "<i2")
    loudness = np.abs(samples.astype(np.int32))
    peak = int(loudness.max(initial=0))
    loud = np.flatnonzero(loudness > max(1, peak * QUIET))
    if not loud.size:
        raise SpeechError(NO_SOUND)
    begin = max(0, int(loud[0]) - rate * LEAD_MS // 1000)
    end = int(loud[-1]) + 1 + rate * TAIL_MS // 1000
    return samples[begin:end].tobytes()


def _unpacked(answer: bytes) -> tuple[int, bytes]:
    """Rate and samples of a WAV that came though PCM was asked for; a stream's says no length."""
    fmt, data = answer.find(b"fmt "), answer.find(b"data")
    channels = int.from_bytes(answer[fmt + 10 : fmt + 12], "little")
    bits = int.from_bytes(answer[fmt + 22 : fmt + 24], "little")
    rate = int.from_bytes(answer[fmt + 12 : fmt + 16], "little")
    if min(fmt, data) < 0 or (channels, bits) != (1, 16) or not 8000 <= rate <= 48000:
        raise SpeechError(NO_SOUND, "WAV")
    return rate, answer[data + 8 :]


def duration_ms(wav: bytes) -> int:
    with wave.open(io.BytesIO(wav)) as file:
        frames, rate = file.getnframes(), file.getframerate()
    return int(frames * 1000 / rate)
