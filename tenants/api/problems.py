"""Errors as RFC 9457 problem documents."""

from __future__ import annotations

from http import HTTPStatus
from typing import Final

from django.http import JsonResponse

CONTENT_TYPE: Final = "application/problem+json"


def problem(status: HTTPStatus, detail: str, headers: dict[str, str] | None = None) -> JsonResponse:
    """A problem of type about:blank (section 4.2.1): its title is the status's own phrase."""
    return JsonResponse(
        {
            "type": "about:blank",
            "title": status.phrase,
            "status": status.value,
            "detail": detail,
        },
        status=status.value,
        content_type=CONTENT_TYPE,
        headers=headers,
    )
