"""Reading what came: JSON as RFC 8259 has it, with texts that every database can store."""

from __future__ import annotations

import json
from http import HTTPStatus
from typing import Any, Final, NoReturn

from django.http import HttpRequest
from ninja.parser import Parser

from tenants.api.v1.errors import Trouble, pointer

DEPTH_LIMIT: Final = 32


class CarefulParser(Parser):
    def parse_body(self, request: HttpRequest) -> Any:
        try:
            document = json.loads(request.body, parse_constant=_no_number, parse_float=_number)
        except RecursionError:
            raise ValueError("nested too deeply") from None
        _check(document)
        return document

    def parse_querydict(self, data: Any, list_fields: list[str], request: HttpRequest) -> Any:
        for name, values in data.lists():
            if any("\x00" in value for value in values):
                detail = "NUL cannot be stored."
                raise _invalid({"detail": detail, "parameter": name})
        return super().parse_querydict(data, list_fields, request)


def _number(text: str) -> int | float:
    """1.0 is an integer to JSON Schema (draft 2020-12, section 4.2.3 of the core)."""
    number = float(text)
    return int(number) if number.is_integer() else number


def _no_number(text: str) -> NoReturn:
    raise ValueError(f"{text} is no JSON number")


def _invalid(error: dict[str, str]) -> Trouble:
    return Trouble(
        HTTPStatus.BAD_REQUEST, "See `errors` for what is wrong.", code="invalid", errors=[error]
    )


def _check(document: Any) -> None:
    """Refuse texts with NUL or half a character; walks without recursion, for it comes from
    outside.
    """
    waiting: list[tuple[tuple[Any, ...], Any]] = [((), document)]
    while waiting:
        place, value = waiting.pop()
        if isinstance(value, dict):
            waiting += [((*place, key), key) for key in value]
            waiting += [((*place, key), item) for key, item in value.items()]
        elif isinstance(value, list):
            waiting += [((*place, index), item) for index, item in enumerate(value)]
        elif isinstance(value, str) and ("\x00" in value or _is_torn(value)):
            detail = "A text must hold neither NUL nor half of a surrogate pair."
            raise _invalid({"detail": detail, "pointer": pointer(place)})
        if len(place) > DEPTH_LIMIT:
            raise _invalid({"detail": "Nested too deeply.", "pointer": pointer(place[:3])})


def _is_torn(text: str) -> bool:
    return any("\ud800" <= character <= "\udfff" for character in text)
