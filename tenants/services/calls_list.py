"""Lists of a tenant's calls: narrowed, the newest first, page by page.

A page begins behind a call, not at a number: no row is counted, none is skipped over, and calls
that come in meanwhile move nothing.
"""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from django.db.models import Exists, OuterRef, Q, QuerySet
from django.utils.dateparse import parse_datetime

from tenants.models import Agent, Call, Number, Tag, Tenant, ToolCall
from tenants.models.call import OPEN
from tenants.models.choices import CallState, EndCause
from tenants.services import search

FAILED_CAUSES: Final = (
    EndCause.PROVIDER_FAILED,
    EndCause.INTERRUPTED,
    EndCause.MEDIA_LOST,
    EndCause.INTERNAL_ERROR,
)
OUTCOMES: Final = {
    "running": OPEN,
    "answered": Q(answered_at__isnull=False),
    "transferred": Q(end_cause=EndCause.TRANSFERRED),
    "failed": Q(end_cause__in=FAILED_CAUSES),
    "refused": Q(state=CallState.REFUSED),
}
OLDER: Final = "o"
NEWER: Final = "n"


class BadCursor(ValueError):  # noqa: N818 - says what is the matter
    """It does not come from a page of this list."""


@dataclass(frozen=True, kw_only=True)
class CallQuery:
    """What a list is narrowed to; None and "" narrow nothing.

    `since` is inclusive, `until` is not; `caller` is how the caller's number or name begins; `tool`
    the name of a tool that was used; `text` words that were said (tenants.services.search).
    """

    since: datetime | None = None
    until: datetime | None = None
    agent: Agent | None = None
    number: Number | None = None
    caller: str = ""
    outcome: str = ""
    min_ms: int | None = None
    max_ms: int | None = None
    tool: str = ""
    tag: Tag | None = None
    kind: str = ""
    text: str = ""
    cursor: str = ""


@dataclass(frozen=True, kw_only=True)
class Page:
    """Calls, the newest first; cursors of the pages on both sides, "" where there is none."""

    rows: list[Call]
    older: str
    newer: str


@dataclass(frozen=True)
class _Place:
    """Right behind a call, on the way to older or newer ones."""

    way: str
    started_at: datetime
    pk: int

    def __str__(self) -> str:
        text = f"{self.way}{self.pk} {self.started_at.isoformat()}"
        return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def page(
    *, query: CallQuery, tenant: Tenant, size: int, calls: QuerySet[Call] | None = None
) -> Page:
    """A page of that size; `calls` says what is loaded with each. Raises BadCursor."""
    place = _read_cursor(query.cursor) if query.cursor else None
    found = narrow(query=query, tenant=tenant, calls=calls)
    if place and place.way == NEWER:
        rows = list(_newer(found, place)[: size + 1])
        if len(rows) <= size:
            # The first page: whole, with what has come meanwhile.
            return page(query=replace(query, cursor=""), tenant=tenant, size=size, calls=calls)
        return _page(rows[:size][::-1], older=True, newer=True)
    rows = list(_older(found, place)[: size + 1])
    return _page(rows[:size], older=len(rows) > size, newer=place is not None)


def narrow(
    *, query: CallQuery, tenant: Tenant, calls: QuerySet[Call] | None = None
) -> QuerySet[Call]:
    """The tenant's calls that match, the newest first."""
    found = (Call.objects.all() if calls is None else calls).filter(tenant=tenant)
    found = found.filter(_about_itself(query)).order_by("-started_at", "-pk")
    if query.tool:
        used = ToolCall.all_tenants.filter(tenant=tenant, name=query.tool, call=OuterRef("pk"))
        found = found.filter(Exists(used))
    if query.tag:
        tagged = Call.tags.through.objects.filter(tag=query.tag, call=OuterRef("pk"))
        found = found.filter(Exists(tagged))
    if query.text:
        found = search.narrow(found, query.text, tenant=tenant)
    return found


def _about_itself(query: CallQuery) -> Q:
    """What a call's own row says."""
    values = {
        "started_at__gte": query.since,
        "started_at__lt": query.until,
        "agent": query.agent,
        "number": query.number,
        "kind": query.kind,
        "duration_ms__gte": query.min_ms,
        "duration_ms__lt": query.max_ms,
    }
    found = Q(**{name: value for name, value in values.items() if value not in {None, ""}})
    if query.max_ms is not None or query.min_ms is not None:
        found &= Q(answered_at__isnull=False)
    if query.outcome:
        found &= OUTCOMES.get(query.outcome, Q())
    if caller := query.caller.strip():
        found &= _caller(caller)
    return found


def _caller(text: str) -> Q:
    """Numbers are written with gaps by people, and begin with + or not."""
    if any(sign.isalpha() for sign in text):
        return Q(calling_name__istartswith=text) | Q(calling__startswith=text)
    digits = "".join(sign for sign in text if sign.isdigit() or sign in "+*#")
    if digits.startswith("+") or not digits:
        return Q(calling__startswith=digits or text)
    return Q(calling__startswith=digits) | Q(calling__startswith=f"+{digits}")


def _older(calls: QuerySet[Call], place: _Place | None) -> QuerySet[Call]:
    if place is None:
        return calls
    return calls.filter(
        # The first condition is the one that bounds the index; it follows from the second.
        Q(started_at__lte=place.started_at),
        Q(started_at__lt=place.started_at) | Q(pk__lt=place.pk),
    )


def _newer(calls: QuerySet[Call], place: _Place) -> QuerySet[Call]:
    """The ones next to it first."""
    return calls.filter(
        Q(started_at__gte=place.started_at),
        Q(started_at__gt=place.started_at) | Q(pk__gt=place.pk),
    ).order_by("started_at", "pk")


def _page(rows: list[Call], *, older: bool, newer: bool) -> Page:
    def behind(way: str, call: Call) -> str:
        return str(_Place(way, call.started_at, call.pk))

    return Page(
        rows=rows,
        older=behind(OLDER, rows[-1]) if older and rows else "",
        newer=behind(NEWER, rows[0]) if newer and rows else "",
    )


def _read_cursor(text: str) -> _Place:
    try:
        plain = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
        way, (pk, at) = plain.decode()[:1], plain.decode()[1:].split(" ", 1)
        started_at = parse_datetime(at)
        number = int(pk)
    except (ValueError, binascii.Error):
        raise BadCursor("This is no cursor of a list of calls.") from None
    if way not in {OLDER, NEWER} or started_at is None or started_at.tzinfo is None:
        raise BadCursor("This is no cursor of a list of calls.")
    if not 0 <= number < 2**63:
        raise BadCursor("This is no cursor of a list of calls.")
    return _Place(way, started_at, number)
