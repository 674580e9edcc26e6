"""The page that explains the API, made from its own description."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import lru_cache
from http import HTTPStatus
from typing import Any, Final

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import get_script_prefix
from django.views.decorators.http import require_safe

from tenants.api.problems import TITLES, URN
from tenants.api.v1.door import TENANT_HEADER
from tenants.api.v1.openapi import DESCRIPTION, WORDS, schema

JSON: Final = "application/json"
_LIMITS: Final = {
    "minimum": "from {}",
    "maximum": "to {}",
    "minLength": "at least {} characters",
    "maxLength": "at most {} characters",
    "multipleOf": "a multiple of {}",
    "maxItems": "at most {}",
}


@dataclass(frozen=True, kw_only=True)
class Field:
    """A parameter, or a field of a body."""

    name: str
    kind: str
    description: str
    place: str = ""
    is_required: bool = False


@dataclass(frozen=True, kw_only=True)
class Operation:
    id: str
    method: str
    path: str
    description: str
    scope: str
    right: str
    parameters: list[Field]
    fields: list[Field]
    body: str
    """Example of what is sent; empty: nothing is."""
    status: str
    answer: str


@require_safe
def docs(request: HttpRequest) -> HttpResponse:
    """All operations by noun; it is the same for everybody."""
    context = {
        "groups": _groups(get_script_prefix()),
        "description": DESCRIPTION.replace("`", ""),
        "tenant_header": TENANT_HEADER,
        "answers": list(WORDS.items()),
        "problems": [(URN + code, title) for code, title in TITLES.items()],
        "root": request.build_absolute_uri(f"{get_script_prefix()}api/v1"),
    }
    return render(request, "api/docs.html", context)


@lru_cache(maxsize=4)
def _groups(_prefix: str) -> list[tuple[str, list[Operation]]]:
    document = schema()
    groups: dict[str, list[Operation]] = {}
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            found = _operation(document, method.upper(), path, operation)
            groups.setdefault(operation["tags"][0], []).append(found)
    return list(groups.items())


def _operation(document: dict[str, Any], method: str, path: str, found: Any) -> Operation:
    status = next(status for status in found["responses"] if status.startswith("2"))
    body = _resolve(document, _content(found.get("requestBody", {})))
    answer = _content(found["responses"][status])
    parameters = [_resolve(document, one) for one in found["parameters"]]
    return Operation(
        id=found["operationId"],
        method=method,
        path=path,
        description=found["description"],
        scope=found["x-scope"],
        right=found["x-right"],
        parameters=[
            Field(
                name=one["name"],
                kind=_kind(document, one["schema"]),
                description=one.get("description", ""),
                place=one["in"],
                is_required=bool(one.get("required")),
            )
            for one in parameters
            if one["name"] != TENANT_HEADER
        ],
        fields=_fields(document, body),
        body=_example(body),
        status=f"{status} {HTTPStatus(int(status)).phrase}",
        answer=_example(_resolve(document, answer)) or _sample(found["responses"][status]),
    )


def _content(holder: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = holder.get("content", {}).get(JSON, {}).get("schema", {})
    return found


def _sample(holder: dict[str, Any]) -> str:
    """Of an answer that is no JSON; empty: a file."""
    return "".join(str(kind.get("example", "")) for kind in holder.get("content", {}).values())


def _resolve(document: dict[str, Any], found: dict[str, Any]) -> dict[str, Any]:
    for step in found.get("$ref", "").split("/")[1:]:
        document = document[step]
    return document if "$ref" in found else found


def _fields(document: dict[str, Any], body: dict[str, Any]) -> list[Field]:
    required = body.get("required", [])
    return [
        Field(
            name=name,
            kind=_kind(document, one),
            description=one.get("description", ""),
            is_required=name in required,
        )
        for name, one in body.get("properties", {}).items()
    ]


def _kind(document: dict[str, Any], found: dict[str, Any]) -> str:
    """A JSON schema in words."""
    if choices := found.get("anyOf") or found.get("allOf"):
        return " or ".join(_kind(document, one) for one in choices)
    if "$ref" in found:
        return str(_resolve(document, found).get("title", "object"))
    if "enum" in found:
        return ", ".join(json.dumps(one) for one in found["enum"])
    if "const" in found:
        return json.dumps(found["const"])
    words = str(found.get("format") or found.get("type") or "anything")
    if found.get("type") == "array":
        words = f"list of {_kind(document, found.get('items', {}))}"
    limits = [words_.format(found[key]) for key, words_ in _LIMITS.items() if key in found]
    return ", ".join([words, *limits])


def _example(found: dict[str, Any]) -> str:
    examples = found.get("examples")
    return json.dumps(examples[0], indent=2, ensure_ascii=False) if examples else ""
