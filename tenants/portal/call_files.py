"""Calls to take away: the list as it is narrowed, and one call with all that is known of it."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterator
from typing import Final
from uuid import UUID

from asgiref.sync import sync_to_async
from django.http import HttpResponse, HttpResponseBase, StreamingHttpResponse
from django.utils import timezone
from django.views.decorators.http import require_GET

from tenants.portal.access import TenantRequest, tenant_page
from tenants.portal.call import find_call
from tenants.portal.call_filter import CallFilter
from tenants.services import audit, call_files

JSON: Final = "application/json"
CSV: Final = "text/csv; charset=utf-8"
TEXT: Final = "text/plain; charset=utf-8"


@require_GET
@tenant_page("edit")
def calls_export(request: TenantRequest) -> HttpResponseBase:
    """The calls that the filter lets through, all pages of them: CSV, or JSON with ?format=json."""
    form = CallFilter(request.GET)
    as_json = request.GET.get("format") == "json"
    make = call_files.as_json if as_json else call_files.as_csv
    ending = "json" if as_json else "csv"
    narrowed = {name: str(value) for name, value in form.cleaned_data.items() if value}
    audit.record(
        "calls.export",
        request.tenant,
        tenant=request.tenant,
        user=request.user,
        format=ending,
        filter=narrowed,
    )
    pieces = make(query=form.query(), tenant=request.tenant)
    answer = StreamingHttpResponse(_pieces(pieces), content_type=JSON if as_json else CSV)
    today = timezone.localdate().isoformat()
    return _named(answer, f"calls-{request.tenant.slug}-{today}.{ending}")


async def _pieces(pieces: Iterator[str]) -> AsyncIterator[str]:
    """Piece by piece: a synchronous iterator would be read whole before the first byte goes out."""
    while piece := await sync_to_async(_next)(pieces):
        yield piece


def _next(pieces: Iterator[str]) -> str:
    return next(pieces, "")


@require_GET
@tenant_page()
def call_download(request: TenantRequest, call_id: UUID) -> HttpResponseBase:
    """The call as JSON, or its transcript to read with ?format=text."""
    call = find_call(call_id)
    as_text = request.GET.get("format") == "text"
    ending = "txt" if as_text else "json"
    audit.record("call.download", call, tenant=call.tenant, user=request.user, format=ending)
    answer: HttpResponseBase
    if as_text:
        answer = HttpResponse(call_files.as_text(call), content_type=TEXT)
    else:
        body = json.dumps(call_files.document(call), ensure_ascii=False, indent=2)
        answer = HttpResponse(body + "\n", content_type=JSON)
    began = timezone.localtime(call.started_at).strftime("%Y-%m-%d-%H%M%S")
    return _named(answer, f"call-{began}.{ending}")


def _named(answer: HttpResponseBase, name: str) -> HttpResponseBase:
    answer["Content-Disposition"] = f'attachment; filename="{name}"'
    return answer
