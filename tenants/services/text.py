"""Texts from outside, made fit for storing."""

from __future__ import annotations

from typing import Any, Final

TEXT_LIMIT: Final = 100_000


def plain(text: str, limit: int = TEXT_LIMIT) -> str:
    """Without NUL characters, which PostgreSQL refuses, and no longer than its column."""
    return text.replace("\x00", "")[:limit]


def plain_json(value: Any) -> Any:
    """JSON from outside, with each of its texts and names made plain."""
    if isinstance(value, str):
        return plain(value)
    if isinstance(value, dict):
        return {plain(str(key)): plain_json(item) for key, item in value.items()}
    if isinstance(value, list):
        return [plain_json(item) for item in value]
    return value
