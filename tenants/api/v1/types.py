"""What documents are made of."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Annotated, Any, Final
from uuid import UUID

from django.utils.dateparse import parse_datetime
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, WithJsonSchema

INSTANT: Final = re.compile(
    r"\d{4}-\d{2}-\d{2}[Tt]\d{2}:\d{2}:\d{2}(\.\d+)?([Zz]|[+-]\d{2}:\d{2})", re.ASCII
)
"""RFC 3339 section 5.6."""
EARLIEST: Final = datetime(1, 1, 1, tzinfo=UTC)
LATEST: Final = datetime(9999, 12, 31, tzinfo=UTC)


def _instant(value: Any) -> Any:
    if value is None or isinstance(value, datetime):
        return value
    if not isinstance(value, str) or not INSTANT.fullmatch(value):
        raise ValueError("Give a date and a time with a zone, such as 2026-11-22T10:00:00Z.")
    # RFC 3339 knows leap seconds and a year 0, which was a leap year; Python knows neither.
    text = value.upper().replace(":60", ":59")
    parsed = parse_datetime(f"0004{text[4:]}" if text.startswith("0000") else text)
    if parsed is None:
        raise ValueError("There is no such day or time.")
    try:
        return parsed.astimezone(UTC)
    except OverflowError:
        return EARLIEST if parsed.year == 1 else LATEST


_INSTANT_SCHEMA: Final = {"type": "string", "format": "date-time"}
_UUID_SCHEMA: Final = {"type": "string", "format": "uuid"}

Id = Annotated[UUID, Field(strict=False)]
Instant = Annotated[datetime, BeforeValidator(_instant), WithJsonSchema(_INSTANT_SCHEMA)]
# Parameters of an address cannot be null: what is not given is None.
OptionalId = Annotated[UUID | None, WithJsonSchema(_UUID_SCHEMA)]
OptionalInstant = Annotated[
    datetime | None, BeforeValidator(_instant), WithJsonSchema(_INSTANT_SCHEMA)
]


class Output(BaseModel):
    """A document that is given out."""


class Input(BaseModel):
    """A document that is taken: no unknown fields, no text for a number."""

    model_config = ConfigDict(extra="forbid", strict=True)


def example(*examples: dict[str, Any], **config: Any) -> ConfigDict:
    """Configuration of a document with examples; a test holds each against its schema."""
    found = ConfigDict(json_schema_extra={"examples": list(examples)})
    found.update(config)  # type: ignore[typeddict-item] # the caller's names are ConfigDict's
    return found


def example_input(*examples: dict[str, Any]) -> ConfigDict:
    return example(*examples, extra="forbid", strict=True)
