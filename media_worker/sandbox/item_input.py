"""Items that a client creates: checked, and made ours."""

from __future__ import annotations

import base64
import binascii
from typing import Any

from media_worker.contract import AudioFormat
from media_worker.sandbox.checks import (
    Check,
    an_object,
    invalid,
    list_of,
    nullable,
    object_of,
    one_of,
    tagged,
    text,
)
from media_worker.sandbox.hearing import InputBuffer
from media_worker.sandbox.ids import new_id
from media_worker.sandbox.items import Item

_COMMON: dict[str, Check] = {
    "id": text,
    "type": text,
    "object": one_of("realtime.item"),
    "status": one_of("completed", "incomplete", "in_progress"),
}
_text_part = object_of({"type": text, "text": text}, required=("text",))
_audio_part = object_of({"type": text, "audio": text, "transcript": nullable(text)})


def _content(item: dict[str, Any], assistant_text: str) -> None:
    kinds: dict[str, dict[str, Check]] = {
        "system": {"input_text": _text_part},
        "user": {"input_text": _text_part, "input_audio": _audio_part},
        "assistant": {assistant_text: _text_part},
    }
    list_of(tagged("type", kinds[item["role"]]))(item["content"], "item.content")


def item_from(body: Any, assistant_text: str, fmt: AudioFormat | None) -> tuple[Item, bytes]:
    """The item, and its audio as PCM16 at 8 kHz that is still to be recognised.

    `assistant_text` is the dialect's content type for our words; `fmt` that of audio in the item,
    None where audio is left alone. Raises ClientError.
    """
    an_object(body, "item")
    tagged(
        "type",
        {
            "message": object_of(
                {
                    **_COMMON,
                    "role": one_of("system", "user", "assistant"),
                    "content": list_of(an_object),
                },
                required=("role", "content"),
            ),
            "function_call": object_of(
                {**_COMMON, "call_id": text, "name": text, "arguments": text},
                required=("name", "arguments"),
            ),
            "function_call_output": object_of(
                {**_COMMON, "call_id": text, "output": text}, required=("call_id", "output")
            ),
        },
    )(body, "item")
    item = Item(
        body.get("id") or new_id("item"),
        body["type"],
        role=body.get("role", ""),
        call_id=body.get("call_id", ""),
        name=body.get("name", ""),
        arguments=body.get("arguments", ""),
        output=body.get("output", ""),
    )
    if len(item.id) > 32 or len(item.call_id) > 32:
        invalid("item.id", "Invalid id: string too long. Expected at most 32 characters.")
    if item.kind != "message":
        return item, b""
    _content(body, assistant_text)
    item.content = [_part(part) for part in body["content"]]
    pcm = b"".join(_audio(part, fmt) for part in body["content"]) if fmt is not None else b""
    item.audio_ms = len(pcm) / 16
    return item, pcm


def _part(part: dict[str, Any]) -> dict[str, Any]:
    if part["type"] == "input_audio":
        return {"type": "input_audio", "transcript": part.get("transcript")}
    kind = "input_text" if part["type"] == "input_text" else "output_text"
    return {"type": kind, "text": part["text"]}


def _audio(part: dict[str, Any], fmt: AudioFormat) -> bytes:
    """Audio of a part that comes without its words."""
    if part.get("transcript") or "audio" not in part:
        return b""
    try:
        data = base64.b64decode(part["audio"], validate=True)
    except (binascii.Error, ValueError):
        invalid("item.content.audio", "Invalid 'audio'. Expected base64-encoded audio bytes.")
    buffer = InputBuffer(fmt)
    buffer.append(data)
    return buffer.take(0, buffer.clock_ms)
