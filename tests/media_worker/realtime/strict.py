"""Is a client event exactly what the types of the `openai` package allow? Extra keys forbidden.

Checked twice: against the TypedDicts of the sender's side (no nulls where the API wants none) and
against the models (a null that only those allow: the beta shape's `turn_detection`).
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from openai.types.beta.realtime import RealtimeClientEvent as BetaEvent
from openai.types.beta.realtime import RealtimeClientEventParam as BetaEventParam
from openai.types.realtime import RealtimeClientEvent as GaEvent
from openai.types.realtime import RealtimeClientEventParam as GaEventParam
from pydantic import BaseModel, ConfigDict, TypeAdapter

from media_worker.contract import Dialect

_PARAMS: dict[Dialect, TypeAdapter[Any]] = {
    Dialect.OPENAI: TypeAdapter(GaEventParam, config=ConfigDict(extra="forbid")),
    Dialect.OPENAI_BETA: TypeAdapter(BetaEventParam, config=ConfigDict(extra="forbid")),
}
_MODELS: dict[Dialect, TypeAdapter[Any]] = {
    Dialect.OPENAI: TypeAdapter(GaEvent),
    Dialect.OPENAI_BETA: TypeAdapter(BetaEvent),
}


def validate(frame: str | bytes, dialect: Dialect) -> dict[str, Any]:
    """The event. Raises pydantic.ValidationError or AssertionError for what is not of the API."""
    model = _MODELS[dialect].validate_json(frame, strict=True)
    extra = sorted(_extras(model))
    assert not extra, f"keys that the API does not know: {extra}"
    event: dict[str, Any] = json.loads(frame)
    _exhaust(_PARAMS[dialect].validate_json(json.dumps(_without_typed_null(event)), strict=True))
    return event


def _extras(value: Any, path: str = "") -> Iterator[str]:
    if isinstance(value, BaseModel):
        for name in value.model_extra or {}:
            yield f"{path}.{name}"
        for name, part in value:
            yield from _extras(part, f"{path}.{name}")
    elif isinstance(value, list):
        for part in value:
            yield from _extras(part, f"{path}[]")


def _without_typed_null(event: dict[str, Any]) -> dict[str, Any]:
    session = event.get("session", {})
    if session.get("turn_detection", ...) is None:
        kept = {name: value for name, value in session.items() if name != "turn_detection"}
        return {**event, "session": kept}
    return event


def _exhaust(value: Any) -> None:
    """Iterables are validated when they are walked."""
    if isinstance(value, dict):
        for part in value.values():
            _exhaust(part)
    elif hasattr(value, "__iter__") and not isinstance(value, str):
        for part in value:
            _exhaust(part)
