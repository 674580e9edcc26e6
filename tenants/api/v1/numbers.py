"""Numbers, and the agents that answer them."""

from __future__ import annotations

from typing import Annotated, Any, Final
from uuid import UUID

from django.db.models import QuerySet
from django.shortcuts import get_object_or_404
from ninja import Query, Router
from pydantic import Field, WithJsonSchema

from tenants.api.v1.door import ApiRequest
from tenants.api.v1.errors import refused
from tenants.api.v1.pages import PageQuery, cut
from tenants.api.v1.routes import route
from tenants.api.v1.settings_document import LANGUAGE_PATTERN
from tenants.api.v1.types import Id, Input, Output, example, example_input
from tenants.models import Agent, Number
from tenants.models.opening_hours import CLOSED, CLOSED_LIMIT, SPANS_LIMIT, TIME, WEEKDAYS
from tenants.models.validators import NUMBER
from tenants.services import numbers

router = Router(tags=["numbers"])

_NUMBER: dict[str, Any] = {
    "id": "7f5c2a91-6f2e-4c39-8a10-5d3b9e0c4f21",
    "number": "+4930123456",
    "label": "Front desk",
    "agent": "3c1f6b0a-9a4e-4f0e-8d21-7a4b6a1c2d90",
    "language": "",
    "is_active": True,
    "opening_hours": {"mon": [["09:00", "12:00"], ["13:00", "17:00"]], "closed": ["2026-12-25"]},
    "time_zone": "Europe/Berlin",
}
NumberText = Annotated[
    str,
    Field(
        pattern=f"^({NUMBER.pattern})$",
        max_length=64,
        description="As it is dialled: digits, perhaps a leading +, or a name.",
    ),
]
LanguageOrNone = Annotated[
    str,
    Field(
        pattern=f"^({LANGUAGE_PATTERN[1:-1]})?$",
        max_length=35,
        description="Empty: the agent's own.",
    ),
]
_TIME: Final = f"^({TIME.pattern})$"
_SPAN: Final = {
    "type": "array",
    "items": {"type": "string", "pattern": _TIME},
    "minItems": 2,
    "maxItems": 2,
}
_DAY: Final = {"type": "array", "items": _SPAN, "maxItems": SPANS_LIMIT}
_HOURS: Final[dict[str, Any]] = {
    "type": "object",
    "properties": {
        **dict.fromkeys(WEEKDAYS, _DAY),
        CLOSED: {
            "type": "array",
            "items": {"type": "string", "format": "date"},
            "maxItems": CLOSED_LIMIT,
        },
    },
    "additionalProperties": False,
}
Hours = Annotated[
    dict[str, Any],
    WithJsonSchema(_HOURS),
    Field(
        description="Spans of each weekday, from inclusive, to exclusive, in order; a weekday that "
        "is not there is closed. `closed`: dates."
    ),
]
Zone = Annotated[
    str, Field(max_length=64, description="Of the opening hours; empty: the tenant's own.")
]
AgentId = Annotated[Id, Field(description="Who answers.")]


class NumberDocument(Output):
    model_config = example(_NUMBER)
    id: Id
    number: str
    label: str
    agent: Id
    language: str
    is_active: bool = Field(description="Off: calls to it are refused with 404.")
    opening_hours: Hours | None = Field(description="None: always open.")
    time_zone: str


class NumberPage(Output):
    model_config = example({"items": [_NUMBER], "next_cursor": None})
    items: list[NumberDocument]
    next_cursor: str | None


class NewNumber(Input):
    model_config = example_input({"number": "+4930123456", "agent": _NUMBER["agent"]})
    number: NumberText
    agent: AgentId
    label: str = Field("", max_length=100)
    language: LanguageOrNone = ""
    is_active: bool = True
    opening_hours: Hours | None = None
    time_zone: Zone = ""


class NumberChange(Input):
    model_config = example_input({"is_active": False})
    number: NumberText | None = None
    agent: AgentId | None = None
    label: str | None = Field(None, max_length=100)
    language: LanguageOrNone | None = None
    is_active: bool | None = None
    opening_hours: Hours | None = Field(None, description="Null: always open; left out: they stay.")
    time_zone: Zone | None = None


def _numbers() -> QuerySet[Number]:
    return Number.objects.select_related("agent", "tenant")


def _find(number_id: UUID) -> Number:
    return get_object_or_404(_numbers(), public_id=number_id)


def _document(row: Number) -> NumberDocument:
    same = ("number", "label", "language", "is_active", "opening_hours", "time_zone")
    return NumberDocument(
        id=row.public_id, agent=row.agent.public_id, **{name: getattr(row, name) for name in same}
    )


def _save(request: ApiRequest, row: Number, document: NewNumber | NumberChange) -> NumberDocument:
    for name in ("number", "label", "language", "is_active", "time_zone"):
        if getattr(document, name) is not None:
            setattr(row, name, getattr(document, name))
    if "opening_hours" in document.model_fields_set:
        row.opening_hours = document.opening_hours
    if document.agent is not None:
        agent = Agent.objects.filter(public_id=document.agent).first()
        if agent is None:
            raise refused("There is no such agent.", pointer="#/agent")
        row.agent = agent
    return _document(numbers.save_number(number=row, user=request.auth.user))


@route(router, "GET", "/numbers", scope="numbers:read", response=NumberPage, pages=True)
def list_numbers(request: ApiRequest, page: Annotated[PageQuery, Query()]) -> NumberPage:
    """Numbers, in their order."""
    rows, cursor = cut(_numbers(), page, by=("number", "id"))
    return NumberPage(items=[_document(row) for row in rows], next_cursor=cursor)


@route(
    router,
    "POST",
    "/numbers",
    scope="numbers:write",
    response=NumberDocument,
    status=201,
    creates=True,
)
def create_number(request: ApiRequest, document: NewNumber) -> NumberDocument:
    """A new number; calls to it are answered at once if its agent is published."""
    return _save(request, Number(tenant=request.auth.tenant), document)


@route(router, "GET", "/numbers/{uuid:number_id}", scope="numbers:read", response=NumberDocument)
def get_number(request: ApiRequest, number_id: UUID) -> NumberDocument:
    """A number."""
    return _document(_find(number_id))


@route(router, "PATCH", "/numbers/{uuid:number_id}", scope="numbers:write", response=NumberDocument)
def change_number(request: ApiRequest, number_id: UUID, document: NumberChange) -> NumberDocument:
    """Change a number; fields that are left out stay."""
    return _save(request, _find(number_id), document)


@route(
    router,
    "DELETE",
    "/numbers/{uuid:number_id}",
    scope="numbers:write",
    response=None,
    status=204,
)
def delete_number(request: ApiRequest, number_id: UUID) -> None:
    """Take a number out; the record of its calls stays."""
    numbers.delete_number(number=_find(number_id), user=request.auth.user)
