"""All that the tenant owns, in one file."""

from __future__ import annotations

from typing import Annotated, Any, Final
from uuid import UUID

from django.http import Http404, HttpResponseBase, StreamingHttpResponse
from django.shortcuts import get_object_or_404
from ninja import Query, Router
from pydantic import Field

from tenants.api.v1.door import ApiRequest
from tenants.api.v1.pages import PageQuery, cut
from tenants.api.v1.routes import route
from tenants.api.v1.types import Id, Instant, Output, example
from tenants.api.v1.words import ExportWord
from tenants.models import DataExport
from tenants.models.choices import ExportState
from tenants.services import audit, exports

router = Router(tags=["exports"])

_EXPORT: dict[str, Any] = {
    "id": "c4b6a3f2-0d1e-4f5a-9c7b-6e2d1a0f9b83",
    "state": "ready",
    "size": 4_812_331,
    "asked_by": "alice@acme.example",
    "asked_at": "2026-11-22T10:00:00Z",
    "made_at": "2026-11-22T10:00:20Z",
    "expires_at": "2026-11-29T10:00:20Z",
}
_FILE: Final[dict[str, Any]] = {
    "description": "A ZIP; its README.txt says what is in it.",
    "content": {"application/zip": {"schema": {"type": "string", "format": "binary"}}},
}


class Export(Output):
    model_config = example(_EXPORT)
    id: Id
    state: ExportWord
    size: int = Field(description="Bytes.")
    asked_by: str | None
    asked_at: Instant
    made_at: Instant | None
    expires_at: Instant | None = Field(description="Then it is deleted.")


class ExportPage(Output):
    model_config = example({"items": [_EXPORT], "next_cursor": None})
    items: list[Export]
    next_cursor: str | None


def _document(row: DataExport) -> Export:
    same = ("state", "size", "asked_at", "made_at", "expires_at")
    return Export(
        id=row.public_id,
        asked_by=row.asked_by.email if row.asked_by else None,
        **{name: getattr(row, name) for name in same},
    )


def _find(export_id: UUID) -> DataExport:
    rows = DataExport.objects.select_related("tenant", "asked_by")
    return get_object_or_404(rows, public_id=export_id)


@route(
    router, "GET", "/exports", scope="settings:read", right="own", response=ExportPage, pages=True
)
def list_exports(request: ApiRequest, page: Annotated[PageQuery, Query()]) -> ExportPage:
    """Exports that are being made or kept, the newest first."""
    rows, cursor = cut(DataExport.objects.select_related("asked_by"), page, by=("-asked_at", "-id"))
    return ExportPage(items=[_document(row) for row in rows], next_cursor=cursor)


@route(
    router,
    "POST",
    "/exports",
    scope="settings:write",
    right="own",
    response=Export,
    status=202,
    creates=True,
)
def ask_for_export(request: ApiRequest) -> Export:
    """Have all data put into a file; `state` tells when it is there."""
    return _document(exports.ask(tenant=request.auth.tenant, user=request.auth.user))


@route(
    router,
    "GET",
    "/exports/{uuid:export_id}",
    scope="settings:read",
    right="own",
    response=Export,
)
def get_export(request: ApiRequest, export_id: UUID) -> Export:
    """How far an export is."""
    return _document(_find(export_id))


@route(
    router,
    "GET",
    "/exports/{uuid:export_id}/file",
    scope="settings:write",
    right="own",
    response=None,
    answers={200: _FILE},
)
def get_export_file(request: ApiRequest, export_id: UUID) -> HttpResponseBase:
    """The file itself; who fetched it is in the audit log."""
    found = _find(export_id)
    if found.state != ExportState.READY:
        raise Http404
    audit.record("export.download", found, tenant=request.auth.tenant, user=request.auth.user)
    answer = StreamingHttpResponse(
        exports.read(found.file.open("rb")), content_type="application/zip"
    )
    answer["Content-Length"] = str(found.size)
    return answer


@route(
    router,
    "DELETE",
    "/exports/{uuid:export_id}",
    scope="settings:write",
    right="own",
    response=None,
    status=204,
)
def delete_export(request: ApiRequest, export_id: UUID) -> None:
    """Delete an export and its file."""
    exports.delete(export=_find(export_id), user=request.auth.user)
