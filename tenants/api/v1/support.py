"""Letting the operator's support in, for a time."""

from __future__ import annotations

from typing import Annotated, Any
from uuid import UUID

from django.shortcuts import get_object_or_404
from ninja import Query, Router
from pydantic import Field

from tenants.api.v1.door import ApiRequest
from tenants.api.v1.pages import PageQuery, cut
from tenants.api.v1.routes import route
from tenants.api.v1.types import Id, Input, Instant, Output, example, example_input
from tenants.api.v1.words import SupportWord
from tenants.models import SupportGrant
from tenants.services import support

router = Router(tags=["support"])

_GRANT: dict[str, Any] = {
    "id": "d0c7f1a9-3b42-4f6e-8f57-92a1c0b4e6d5",
    "role": "viewer",
    "reason": "The agent does not answer on 100.",
    "granted_by": "alice@acme.example",
    "created_at": "2026-11-22T10:00:00Z",
    "expires_at": "2026-11-22T14:00:00Z",
    "revoked_at": None,
}


class Grant(Output):
    model_config = example(_GRANT)
    id: Id
    role: SupportWord = Field(description="viewer: look; admin: change, too.")
    reason: str
    granted_by: str | None
    created_at: Instant
    expires_at: Instant
    revoked_at: Instant | None


class GrantPage(Output):
    model_config = example({"items": [_GRANT], "next_cursor": None})
    items: list[Grant]
    next_cursor: str | None


class NewGrant(Input):
    model_config = example_input({"hours": 4, "reason": _GRANT["reason"]})
    hours: int = Field(ge=1, le=support.LONGEST_HOURS)
    role: SupportWord = "viewer"
    reason: str = Field("", max_length=300, description="Support reads it.")


def _document(row: SupportGrant) -> Grant:
    same = ("role", "reason", "created_at", "expires_at", "revoked_at")
    return Grant(
        id=row.public_id,
        granted_by=row.granted_by.email if row.granted_by else None,
        **{name: getattr(row, name) for name in same},
    )


@route(
    router,
    "GET",
    "/support-grants",
    scope="settings:read",
    right="recall",
    response=GrantPage,
    pages=True,
)
def list_support_grants(request: ApiRequest, page: Annotated[PageQuery, Query()]) -> GrantPage:
    """When support might come in, the newest first."""
    rows = SupportGrant.objects.select_related("granted_by")
    found, cursor = cut(rows, page, by=("-created_at", "-id"))
    return GrantPage(items=[_document(row) for row in found], next_cursor=cursor)


@route(
    router,
    "POST",
    "/support-grants",
    scope="settings:write",
    right="own",
    response=Grant,
    status=201,
    creates=True,
)
def grant_support(request: ApiRequest, document: NewGrant) -> Grant:
    """Let the operator's support in from now on; all that it does is in the audit log."""
    caller = request.auth
    return _document(
        support.grant(
            tenant=caller.tenant,
            user=caller.user,
            hours=document.hours,
            role=document.role,
            reason=document.reason,
        )
    )


@route(
    router,
    "DELETE",
    "/support-grants/{uuid:grant_id}",
    scope="settings:write",
    right="recall",
    response=None,
    status=204,
)
def revoke_support(request: ApiRequest, grant_id: UUID) -> None:
    """Send support out; the grant stays in the list."""
    row = get_object_or_404(SupportGrant.objects.select_related("tenant"), public_id=grant_id)
    support.revoke(grant=row, user=request.auth.user)
