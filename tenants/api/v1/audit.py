"""Who changed what."""

from __future__ import annotations

from typing import Annotated, Any

from ninja import Query, Router
from pydantic import Field

from tenants.api.v1.door import ApiRequest
from tenants.api.v1.pages import PageQuery, cut
from tenants.api.v1.routes import route
from tenants.api.v1.types import Id, Instant, OptionalInstant, Output, example
from tenants.models import AuditEntry

router = Router(tags=["audit"])

_ENTRY: dict[str, Any] = {
    "id": "c4a3e3a1-1f64-4a88-9a53-2ad0f1f2f0d1",
    "at": "2026-11-22T10:00:00Z",
    "action": "agent.edit",
    "who": "Alice <alice@acme.example>",
    "via": "portal",
    "by_support": False,
    "target": "Reception",
    "target_kind": "agent",
    "target_id": "3c1f6b0a-9a4e-4f0e-8d21-7a4b6a1c2d90",
    "changes": {"voice": ["marin", "cedar"]},
    "detail": {"draft_version": 4},
}


class Entry(Output):
    model_config = example(_ENTRY)
    id: Id
    at: Instant
    action: str = Field(description="`noun.verb`.")
    who: str = Field(description="Empty: the machine itself.")
    via: str
    by_support: bool = Field(description="One of the operator's people, by the tenant's leave.")
    target: str
    target_kind: str
    target_id: str
    changes: dict[str, Any] = Field(description="Field: old and new value; of a secret, only that.")
    detail: dict[str, Any]


class EntryPage(Output):
    model_config = example({"items": [_ENTRY], "next_cursor": None})
    items: list[Entry]
    next_cursor: str | None


class AuditQuery(PageQuery):
    action: str = Field("", max_length=64, description="`agent.publish`, for one; empty: all.")
    noun: str = Field("", max_length=64, description="`agent` for all that begins with `agent.`.")
    user: str = Field("", max_length=254, description="E-mail address of who did it.")
    since: OptionalInstant = Field(None, description="At this time or later.")
    until: OptionalInstant = Field(None, description="Before this time.")


@route(router, "GET", "/audit", scope="audit:read", response=EntryPage, pages=True)
def list_audit_entries(request: ApiRequest, query: Annotated[AuditQuery, Query()]) -> EntryPage:
    """The audit log, the newest first."""
    asked = {
        "action": query.action,
        "action__startswith": f"{query.noun}." if query.noun else "",
        "user__email__iexact": query.user,
        "at__gte": query.since,
        "at__lt": query.until,
    }
    rows = AuditEntry.objects.filter(**{name: value for name, value in asked.items() if value})
    found, cursor = cut(rows, query, by=("-at", "-id"))
    return EntryPage(items=[_document(row) for row in found], next_cursor=cursor)


def _document(row: AuditEntry) -> Entry:
    same = ("at", "action", "via", "target", "target_kind", "target_id", "changes", "detail")
    return Entry(
        id=row.public_id,
        who=row.actor_label,
        by_support=row.support_id is not None,
        **{name: getattr(row, name) for name in same},
    )
