"""Lists by the page: a cursor stands for the last row that was seen.

New rows do not shift a page, and a far page costs as much as the first one: nothing is counted and
nothing is skipped.
"""

from __future__ import annotations

import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from datetime import datetime
from typing import Any, Final, TypeVar

from django.core.exceptions import ValidationError
from django.db.models import Model, Q, QuerySet
from pydantic import BaseModel, Field

from tenants.api.v1.errors import Trouble, refused

M = TypeVar("M", bound=Model)
PAGE: Final = 25
LONGEST_PAGE: Final = 100


class PageQuery(BaseModel):
    limit: int = Field(PAGE, ge=1, le=LONGEST_PAGE, description="How many at most.")
    cursor: str = Field(
        "",
        max_length=300,
        pattern=r"^[A-Za-z0-9_=-]*$",
        description="`next_cursor` of the page before; empty: the first page.",
    )


def cut(rows: QuerySet[M], query: PageQuery, *, by: tuple[str, str]) -> tuple[list[M], str | None]:
    """A page of rows and the cursor of the next one; None: this is the last.

    `by` are two columns in the same direction, the second unique: ("-started_at", "-id").
    """
    first, second = (name.removeprefix("-") for name in by)
    if query.cursor:
        values = _values(rows.model, query.cursor, (first, second))
        beyond = "lt" if by[0].startswith("-") else "gt"
        rows = rows.filter(
            # The first condition is one that an index on both columns can begin with.
            Q(**{f"{first}__{beyond}e": values[0]}),
            Q(**{f"{first}__{beyond}": values[0]}) | Q(**{f"{second}__{beyond}": values[1]}),
        )
    found = list(rows.order_by(*by)[: query.limit + 1])
    page = found[: query.limit]
    if len(found) <= query.limit:
        return page, None
    return page, _cursor([getattr(page[-1], first), getattr(page[-1], second)])


def _cursor(values: list[Any]) -> str:
    plain = [value.isoformat() if isinstance(value, datetime) else value for value in values]
    return urlsafe_b64encode(json.dumps(plain).encode()).decode()


def _values(model: type[Model], cursor: str, names: tuple[str, str]) -> list[Any]:
    try:
        plain = json.loads(urlsafe_b64decode(cursor))
        if not isinstance(plain, list) or len(plain) != 2:
            raise ValueError
        values = [
            model._meta.get_field(name).to_python(value)  # type: ignore[union-attr]
            for name, value in zip(names, plain, strict=True)
        ]
        if None in values or not isinstance(values[1], int) or abs(values[1]) >= 2**63:
            raise ValueError
    except (ValueError, TypeError, RecursionError, ValidationError):
        raise bad_cursor() from None
    return values


def bad_cursor() -> Trouble:
    return refused("This cursor is none of ours.", parameter="cursor")
