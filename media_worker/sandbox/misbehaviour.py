"""What a session was told to do wrong: `?misbehave=slow:3,wrong_audio` in its URL."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, Self

FLAGS: Final = frozenset(
    (
        "refuse_key",
        "beta_disabled",
        "quota",
        "rate_limit",
        "no_speech_api",
        "wrong_audio",
        "wrong_echo",
        "text_only",
        "silence",
        "reject_update",
        "garbage",
        "unknown_events",
    )
)
TIMED: Final = frozenset(("drop_after", "session_expired", "slow", "slow_open"))
GARBAGE: Final[tuple[str | bytes, ...]] = (
    '{"type": "response.output_audio.delta", "delta": ',
    "Internal Server Error",
    b"\x00\xff\xfe not text at all",
    "[]",
    "null",
    '{"no": "type"}',
    '{"type": 17}',
    '{"type": "response.output_audio.delta", "item_id": "item_1", "delta": "*** no base64 ***"}',
    '{"type": "response.done", "response": "done"}',
)
"""Frames that are not of the protocol."""


class MisbehaviourError(Exception):
    """Nobody knows how to misbehave like that; says what is known."""


class Misbehaviour:
    def __init__(self, wanted: dict[str, float]) -> None:
        self._wanted = wanted

    @classmethod
    def parse(cls, text: str) -> Self:
        """`name` or `name:seconds`, separated by commas."""
        return cls(dict(_parsed(text)))

    def __contains__(self, name: str) -> bool:
        return name in self._wanted

    def seconds(self, name: str) -> float:
        """0 where it is not wanted."""
        return self._wanted.get(name, 0.0)

    @property
    def names(self) -> list[str]:
        return sorted(self._wanted)


def _parsed(text: str) -> Iterator[tuple[str, float]]:
    for part in filter(None, (part.strip() for part in text.split(","))):
        name, _, value = part.partition(":")
        if name in FLAGS and not value:
            yield name, 1.0
            continue
        try:
            seconds = float(value)
        except ValueError:
            seconds = -1.0
        if name not in TIMED or not 0 <= seconds < 86400:
            known = ", ".join([*sorted(FLAGS), *(f"{timed}:SECONDS" for timed in sorted(TIMED))])
            raise MisbehaviourError(f"Cannot misbehave like {part!r}. Known: {known}.")
        yield name, seconds
