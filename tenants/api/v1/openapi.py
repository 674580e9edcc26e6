"""The API's own description, OpenAPI 3.1."""

from __future__ import annotations

import json
from functools import lru_cache
from http import HTTPStatus
from typing import Any, Final

from django.http import HttpRequest, HttpResponse
from django.urls import get_script_prefix
from django.views.decorators.cache import cache_control
from django.views.decorators.http import require_safe
from ninja.responses import NinjaJSONEncoder

from tenants.api.problems import CONTENT_TYPE, TITLES, URN
from tenants.api.v1 import streamed
from tenants.api.v1.door import IDEMPOTENCY_KEY, KEY_HEADER, TENANT_HEADER
from tenants.api.v1.routes import ALWAYS, WRITES

PREFIX: Final = "api/v1/"
DESCRIPTION: Final = """\
Everything that the portal does, for programs. A token belongs to one tenant; make one in the \
portal under Settings, API tokens. Times are in UTC, durations in milliseconds, money is decimal \
text. Errors are problem documents (RFC 9457); what is wrong in a body is named by a JSON pointer. \
Lists come by the page: hand `next_cursor` back as `cursor`.
"""
WORDS: Final = {
    "400": "The request does not fit this schema; `errors` says where.",
    "401": "No token and no session, or a token that does not hold.",
    "403": "The token's scope, or the role, does not allow this.",
    "404": "It is not there, or it is another tenant's.",
    "409": "It conflicts with how things are: see the problem's type.",
    "422": "It fits this schema, and yet a rule forbids it; `errors` says where.",
    "429": "Too many requests; come again after `Retry-After` seconds.",
    "500": "Our fault.",
    "503": "The database or the storage cannot be used; come again.",
}
PROBLEM: Final[dict[str, Any]] = {
    "title": "Problem",
    "type": "object",
    "required": ["type", "title", "status", "detail"],
    "properties": {
        "type": {
            "type": "string",
            "description": "What kind of problem; clients tell them apart by it.",
            "enum": ["about:blank", *(URN + code for code in TITLES)],
        },
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string", "description": "A sentence for people."},
        "errors": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["detail"],
                "properties": {
                    "detail": {"type": "string"},
                    "pointer": {"type": "string", "description": "Place in the body."},
                    "parameter": {"type": "string", "description": "Of the address or a header."},
                },
            },
        },
    },
    "examples": [
        {
            "type": URN + "invalid",
            "title": TITLES["invalid"],
            "status": 400,
            "detail": "See `errors` for what is wrong.",
            "errors": [
                {"detail": "Input should be less than or equal to 1.5", "pointer": "#/speed"}
            ],
        }
    ],
}


def schema() -> dict[str, Any]:
    """The description, for an installation at this path prefix."""
    return _schema(get_script_prefix() + PREFIX)


@lru_cache(maxsize=4)
def _schema(address: str) -> dict[str, Any]:
    from tenants.api.v1.api import api

    # What ninja gives holds lazy texts and integers for keys.
    document: dict[str, Any] = json.loads(
        json.dumps(api.get_openapi_schema(path_prefix=address.lstrip("/")), cls=NinjaJSONEncoder)
    )
    components = document["components"]
    for name in [name for name in components["schemas"] if name.endswith("Query")]:
        del components["schemas"][name]  # its fields are parameters; nothing refers to it
    components["schemas"] |= {"Problem": PROBLEM, "StreamedEvent": streamed.EVENT}
    components["parameters"] = _parameters()
    components["responses"] = {status: _answer(status) for status in (*ALWAYS, *WRITES)}
    components["headers"] = _headers()
    for path in document["paths"].values():
        for operation in path.values():
            _tell_rates(operation)
    document["paths"][f"{address}stream"] = {"get": streamed.OPERATION}
    return document


def _parameters() -> dict[str, Any]:
    return {
        "Tenant": {
            "name": TENANT_HEADER,
            "in": "header",
            "description": "Short name of the tenant; only a session in several tenants needs it.",
            "schema": {"type": "string", "pattern": "^[a-z0-9-]{1,50}$"},
            "example": "acme",
        },
        KEY_HEADER: {
            "name": KEY_HEADER,
            "in": "header",
            "description": "Any text of your own: the same request with the same key is done once, "
            "and answered alike for a day.",
            "schema": {"type": "string", "pattern": f"^{IDEMPOTENCY_KEY.pattern}$"},
            "example": "4f7c1b1e-order-17",
        },
    }


def _answer(status: str) -> dict[str, Any]:
    answer: dict[str, Any] = {
        "description": f"{HTTPStatus(int(status)).phrase}. {WORDS[status]}",
        "content": {CONTENT_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}},
    }
    if status == "429":
        answer["headers"] = {"Retry-After": {"$ref": "#/components/headers/Retry-After"}}
    return answer


def _headers() -> dict[str, Any]:
    return {
        "RateLimit": {
            "description": "Requests left (r) until the window ends in t seconds.",
            "schema": {"type": "string"},
            "example": '"default";r=599;t=42',
        },
        "RateLimit-Policy": {
            "description": "Requests (q) in a window of w seconds.",
            "schema": {"type": "string"},
            "example": '"default";q=600;w=60',
        },
        "Retry-After": {"description": "Seconds.", "schema": {"type": "integer"}, "example": 42},
    }


def _tell_rates(operation: dict[str, Any]) -> None:
    for status, answer in operation["responses"].items():
        if status.startswith("2"):
            answer.setdefault("headers", {}).update(
                {
                    name: {"$ref": f"#/components/headers/{name}"}
                    for name in ("RateLimit", "RateLimit-Policy")
                }
            )


@require_safe
@cache_control(public=True, max_age=300)
def openapi_json(request: HttpRequest) -> HttpResponse:
    """The description as a file; it is the same for everybody."""
    text = json.dumps(schema(), indent=2, ensure_ascii=False)
    return HttpResponse(text, content_type="application/json")
