"""The recogniser's answer."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Heard:
    text: str
    """English words, lower case, without punctuation; empty where nothing was understood."""
    sure: bool
    """A sentence of the session's grammar; else what the free model makes of it."""
