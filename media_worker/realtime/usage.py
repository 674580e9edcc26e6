"""Token counts of a response (REALTIME.md section 1.8)."""

from __future__ import annotations

from typing import Annotated

import msgspec

from media_worker.contract import UsageKind, UsageReported

_Count = Annotated[int, msgspec.Meta(ge=0)] | None


class _Cached(msgspec.Struct):
    text_tokens: _Count = None
    audio_tokens: _Count = None


class _Input(msgspec.Struct):
    text_tokens: _Count = None
    audio_tokens: _Count = None
    cached_tokens: _Count = None
    cached_tokens_details: _Cached | None = None


class _Output(msgspec.Struct):
    text_tokens: _Count = None
    audio_tokens: _Count = None


class _Usage(msgspec.Struct):
    input_tokens: _Count = None
    output_tokens: _Count = None
    input_token_details: _Input | None = None
    output_token_details: _Output | None = None


class _TranscriptionInput(msgspec.Struct):
    text: _Count = msgspec.field(default=None, name="text_tokens")
    audio: _Count = msgspec.field(default=None, name="audio_tokens")


class _TranscriptionUsage(msgspec.Struct):
    """Tokens or seconds, as the model is paid for (REALTIME.md section 1.4)."""

    input_tokens: _Count = None
    output_tokens: _Count = None
    input_token_details: _TranscriptionInput | None = None
    seconds: Annotated[float, msgspec.Meta(ge=0)] | None = None


def usage_reported(raw: msgspec.Raw, model: str) -> UsageReported | None:
    """The counts as the provider gave them; cached tokens are a part of the input tokens.

    None where the provider gave none. Where it gave totals alone, they count as text: which part
    was speech is not known. Raises msgspec.ValidationError for what is no usage.
    """
    usage = msgspec.json.decode(raw, type=_Usage | None)
    if usage is None:
        return None
    given = usage.input_token_details or _Input(text_tokens=usage.input_tokens)
    made = usage.output_token_details or _Output(text_tokens=usage.output_tokens)
    cached_text, cached_audio = _cached(given)
    return UsageReported(
        model=model,
        input_text_tokens=given.text_tokens or 0,
        input_audio_tokens=given.audio_tokens or 0,
        cached_text_tokens=cached_text,
        cached_audio_tokens=cached_audio,
        output_text_tokens=made.text_tokens or 0,
        output_audio_tokens=made.audio_tokens or 0,
    )


def transcription_usage(raw: msgspec.Raw, model: str) -> UsageReported | None:
    """What understanding a turn of the caller cost; None where the provider does not say.

    Raises msgspec.ValidationError for what is no usage.
    """
    usage = msgspec.json.decode(raw, type=_TranscriptionUsage | None)
    if usage is None:
        return None
    given = usage.input_token_details or _TranscriptionInput(audio=usage.input_tokens)
    return UsageReported(
        kind=UsageKind.TRANSCRIPTION,
        model=model,
        input_text_tokens=given.text or 0,
        input_audio_tokens=given.audio or 0,
        output_text_tokens=usage.output_tokens or 0,
        seconds=usage.seconds or 0.0,
    )


def _cached(given: _Input) -> tuple[int, int]:
    """Cached text and audio tokens; the beta shape gives one number, and prompts come first."""
    if given.cached_tokens_details is not None:
        details = given.cached_tokens_details
        return details.text_tokens or 0, details.audio_tokens or 0
    cached = given.cached_tokens or 0
    text = min(cached, given.text_tokens or 0)
    return text, min(cached - text, given.audio_tokens or 0)
