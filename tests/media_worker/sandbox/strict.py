"""Is a server event exactly what the types of the `openai` package allow? Extra keys forbidden."""

from collections.abc import Iterator
from typing import Any

from openai.types.beta.realtime import RealtimeServerEvent as BetaEvent
from openai.types.realtime import RealtimeServerEvent as GaEvent
from pydantic import BaseModel, TypeAdapter

_GA = TypeAdapter(GaEvent)
_BETA = TypeAdapter(BetaEvent)
_UNTYPED = {".session.id", ".session.object", ".session.expires_at"}
"""Sent by the real API in session.created and session.updated, but not in those events' types."""


def validate(frame: str | bytes, *, beta: bool) -> None:
    """Raises pydantic.ValidationError or AssertionError for what is not of the API."""
    model = (_BETA if beta else _GA).validate_json(frame, strict=True)
    extra = sorted(set(_extras(model)) - _UNTYPED)
    assert not extra, f"{model.type}: keys that the API does not know: {extra}"


def _extras(value: Any, path: str = "") -> Iterator[str]:
    if isinstance(value, BaseModel):
        for name in value.model_extra or {}:
            yield f"{path}.{name}"
        for name, part in value:
            yield from _extras(part, f"{path}.{name}")
    elif isinstance(value, list):
        for part in value:
            yield from _extras(part, f"{path}[]")
