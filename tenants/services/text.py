"""Texts from outside, made fit for storing."""

from __future__ import annotations

from typing import Final

TEXT_LIMIT: Final = 100_000


def plain(text: str, limit: int = TEXT_LIMIT) -> str:
    """Without NUL characters, which PostgreSQL refuses, and no longer than its column."""
    return text.replace("\x00", "")[:limit]
