"""Errors as RFC 9457 problem documents."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any, Final

from django.http import JsonResponse

CONTENT_TYPE: Final = "application/problem+json"
URN: Final = "urn:pbxai:problem:"
TITLES: Final = {
    "invalid": "The request does not fit its schema",
    "refused": "A value cannot be taken",
    "scope": "The token is not good for this",
    "draft-changed": "The draft has changed meanwhile",
    "call-over": "The call is over",
    "call-runs": "The call still runs",
    "worker-old": "The media worker does not know this",
    "in-use": "It is in use",
    "cannot-try": "The agent cannot be tried now",
    "not-checked": "The next key was not seen to work",
    "last-owner": "The last owner stays",
    "key-reused": "The idempotency key was used for something else",
    "key-in-flight": "The same request is being answered",
    "rate": "Too many requests",
    "tenant-needed": "Say which tenant",
}
"""Problems that a client tells apart by their type, `urn:pbxai:problem:<code>`."""


def problem(
    status: HTTPStatus,
    detail: str,
    headers: Mapping[str, str] | None = None,
    *,
    code: str = "",
    errors: Sequence[Mapping[str, Any]] = (),
) -> JsonResponse:
    """A problem of a type out of TITLES, else of about:blank (RFC 9457 section 4.2.1), whose title
    is the status's own phrase. `errors` as in its section 3: `detail`, and `pointer` into the body
    (RFC 6901, as a fragment) or the `parameter` that is wrong.
    """
    document: dict[str, Any] = {
        "type": URN + code if code else "about:blank",
        "title": TITLES[code] if code else status.phrase,
        "status": status.value,
        "detail": detail,
    }
    if errors:
        document["errors"] = list(errors)
    return JsonResponse(
        document, status=status.value, content_type=CONTENT_TYPE, headers=dict(headers or {})
    )
