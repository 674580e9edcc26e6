"""Calls to take away: the list as a table, and what a recording looks like."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from typing import Annotated, Any, Final
from uuid import UUID

from asgiref.sync import sync_to_async
from django.http import Http404, HttpResponseBase, StreamingHttpResponse
from ninja import Query, Router
from pydantic import Field

from tenants.api.v1.calls import CallFilterQuery, narrowed
from tenants.api.v1.door import ApiRequest
from tenants.api.v1.routes import route
from tenants.api.v1.types import Output, example
from tenants.models import Recording
from tenants.services import audit, call_files, waveforms

router = Router(tags=["calls"])

_TABLE: Final[dict[str, Any]] = {
    "description": f"A line a call, the newest first: {', '.join(call_files.COLUMNS)}.",
    "content": {"text/csv": {"schema": {"type": "string"}}},
}


class Peaks(Output):
    model_config = example({"caller": [0, 12, 180], "agent": [90, 0, 0]})
    caller: list[int] = Field(
        description=f"The greatest level, 0 to 255, of each of {waveforms.PARTS} parts."
    )
    agent: list[int]


@route(
    router,
    "GET",
    "/calls/export",
    scope="calls:read",
    right="edit",
    response=None,
    answers={200: _TABLE},
    pages=True,
)
def export_calls(
    request: ApiRequest, query: Annotated[CallFilterQuery, Query()]
) -> HttpResponseBase:
    """All calls that match as CSV (RFC 4180); who asked is in the audit log."""
    tenant, found = request.auth.tenant, narrowed(query)
    asked = {name: str(value) for name, value in query if value}
    audit.record(
        "calls.export", tenant, tenant=tenant, user=request.auth.user, format="csv", filter=asked
    )
    pieces = call_files.as_csv(query=found, tenant=tenant)
    return StreamingHttpResponse(_pieces(pieces), content_type="text/csv; charset=utf-8")


async def _pieces(pieces: Iterator[str]) -> AsyncIterator[str]:
    """Piece by piece: a synchronous iterator would be read whole before the first byte goes out."""
    while piece := await sync_to_async(_next)(pieces):
        yield piece


def _next(pieces: Iterator[str]) -> str:
    return next(pieces, "")


@route(router, "GET", "/calls/{uuid:call_id}/recording/peaks", scope="calls:read", response=Peaks)
def get_peaks(request: ApiRequest, call_id: UUID) -> Peaks:
    """What a recording looks like; drawn some seconds after it has come."""
    rows = Recording.objects.filter(call__public_id=call_id).exclude(file="")
    peaks = bytes(rows.values_list("peaks", flat=True).first() or b"")
    if len(peaks) != waveforms.SIZE:
        raise Http404
    return Peaks(caller=list(peaks[: waveforms.PARTS]), agent=list(peaks[waveforms.PARTS :]))
