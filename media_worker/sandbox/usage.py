"""Token counts as the real API makes them (REALTIME.md section 1.8).

The caller's audio is a token per 100 ms, ours one per 50 ms, text about one per 4 characters. Every
response reads the whole context again; what an earlier response has read is cached.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable
from typing import Any

from media_worker.sandbox.items import Item


def text_tokens(text: str) -> int:
    return math.ceil(len(text) / 4)


def caller_audio_tokens(milliseconds: float) -> int:
    return math.ceil(milliseconds / 100)


def agent_audio_tokens(milliseconds: float) -> int:
    return math.ceil(milliseconds / 50)


class Meter:
    """Remembers what was read, so that the next response can have it cached."""

    def __init__(self) -> None:
        self._read: dict[str, tuple[int, int]] = {}

    def read(self, prompt: str, tools: Any, context: Iterable[Item]) -> dict[str, Any]:
        """Input side of a response's usage."""
        reading = {"prompt": (text_tokens(prompt) + text_tokens(json.dumps(tools)), 0)}
        reading |= {item.id: _tokens(item) for item in context}
        cached = [tokens for name, tokens in reading.items() if self._read.get(name) == tokens]
        self._read = reading
        text, audio = _sum(reading.values())
        cached_text, cached_audio = _sum(cached)
        return {
            "input_tokens": text + audio,
            "input_token_details": {
                "text_tokens": text,
                "audio_tokens": audio,
                "image_tokens": 0,
                "cached_tokens": cached_text + cached_audio,
                "cached_tokens_details": {
                    "text_tokens": cached_text,
                    "audio_tokens": cached_audio,
                    "image_tokens": 0,
                },
            },
        }


def with_output(usage: dict[str, Any], text: int, audio: int) -> dict[str, Any]:
    """The whole `usage` of a response."""
    return usage | {
        "output_tokens": text + audio,
        "output_token_details": {"text_tokens": text, "audio_tokens": audio},
        "total_tokens": usage["input_tokens"] + text + audio,
    }


def _tokens(item: Item) -> tuple[int, int]:
    """Text and audio tokens of an item as context."""
    if item.kind != "message":
        return text_tokens(item.name + item.arguments + item.output), 0
    if item.hearing is not None:
        return 0, caller_audio_tokens(item.audio_ms)
    if item.role == "assistant" and item.audio_ms:
        return 0, agent_audio_tokens(item.audio_ms)
    return text_tokens(item.text), 0


def _sum(counts: Iterable[tuple[int, int]]) -> tuple[int, int]:
    text = audio = 0
    for one_text, one_audio in counts:
        text, audio = text + one_text, audio + one_audio
    return text, audio
