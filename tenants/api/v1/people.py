"""Members of the tenant, and who is invited."""

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
from tenants.api.v1.words import RoleWord
from tenants.models import Invitation, Member
from tenants.models.invitation import OPEN_INVITATION
from tenants.services import members

router = Router(tags=["members"])

EMAIL_PATTERN = r"^[A-Za-z0-9._+-]{1,64}@[A-Za-z0-9-]{1,60}(\.[A-Za-z0-9-]{1,60})*\.[A-Za-z]{2,20}$"
"""Narrower than the validator: what it takes, the validator takes, but for a dot or a hyphen at an
end of a part."""
_MEMBER: dict[str, Any] = {
    "id": "a1f4f7e2-1f4a-4f2e-9a57-0d3f0a0b7c11",
    "email": "erin@acme.example",
    "name": "Erin",
    "role": "editor",
}
_INVITATION: dict[str, Any] = {
    "id": "b8a9b3c0-6d0c-4f3a-8a0e-2b8f0a4a9f10",
    "email": "ivy@acme.example",
    "role": "viewer",
    "invited_by": "alice@acme.example",
    "created_at": "2026-11-22T10:00:00Z",
    "expires_at": "2026-11-29T10:00:00Z",
}


class MemberDocument(Output):
    model_config = example(_MEMBER)
    id: Id
    email: str
    name: str
    role: RoleWord


class MemberPage(Output):
    model_config = example({"items": [_MEMBER], "next_cursor": None})
    items: list[MemberDocument]
    next_cursor: str | None


class MemberChange(Input):
    model_config = example_input({"role": "admin"})
    role: RoleWord


class InvitationDocument(Output):
    model_config = example(_INVITATION)
    id: Id
    email: str
    role: RoleWord
    invited_by: str | None
    created_at: Instant
    expires_at: Instant


class InvitationPage(Output):
    model_config = example({"items": [_INVITATION], "next_cursor": None})
    items: list[InvitationDocument]
    next_cursor: str | None


class MadeInvitation(InvitationDocument):
    model_config = example({**_INVITATION, "letter_sent": True})
    letter_sent: bool = Field(description="False: the mail server did not take the letter.")


class NewInvitation(Input):
    model_config = example_input({"email": "ivy@acme.example", "role": "viewer"})
    email: str = Field(pattern=EMAIL_PATTERN, max_length=254)
    role: RoleWord = "viewer"


def _member(row: Member) -> MemberDocument:
    return MemberDocument(id=row.public_id, email=row.user.email, name=row.user.name, role=row.role)


def _find_member(member_id: UUID) -> Member:
    rows = Member.objects.select_related("user", "tenant")
    return get_object_or_404(rows, public_id=member_id)


def _invitation(row: Invitation) -> dict[str, Any]:
    return {
        "id": row.public_id,
        "email": row.email,
        "role": row.role,
        "invited_by": row.invited_by.email if row.invited_by else None,
        "created_at": row.created_at,
        "expires_at": row.expires_at,
    }


@route(router, "GET", "/members", scope="members:read", response=MemberPage, pages=True)
def list_members(request: ApiRequest, page: Annotated[PageQuery, Query()]) -> MemberPage:
    """Who belongs to the tenant, in the order in which they came."""
    rows, cursor = cut(Member.objects.select_related("user"), page, by=("id", "id"))
    return MemberPage(items=[_member(row) for row in rows], next_cursor=cursor)


@route(
    router,
    "PATCH",
    "/members/{uuid:member_id}",
    scope="members:write",
    response=MemberDocument,
)
def change_member(request: ApiRequest, member_id: UUID, document: MemberChange) -> MemberDocument:
    """Give a member another role; the last owner stays one."""
    row = _find_member(member_id)
    return _member(members.change_role(member=row, role=document.role, user=request.auth.user))


@route(
    router,
    "DELETE",
    "/members/{uuid:member_id}",
    scope="members:write",
    response=None,
    status=204,
)
def remove_member(request: ApiRequest, member_id: UUID) -> None:
    """End a membership, and withdraw the tokens that the member made; the last owner stays."""
    members.remove(member=_find_member(member_id), user=request.auth.user)


@route(router, "GET", "/invitations", scope="members:read", response=InvitationPage, pages=True)
def list_invitations(request: ApiRequest, page: Annotated[PageQuery, Query()]) -> InvitationPage:
    """Invitations that nobody has taken or taken back yet."""
    rows = Invitation.objects.filter(OPEN_INVITATION).select_related("invited_by")
    found, cursor = cut(rows, page, by=("-created_at", "-id"))
    items = [InvitationDocument(**_invitation(row)) for row in found]
    return InvitationPage(items=items, next_cursor=cursor)


@route(
    router,
    "POST",
    "/invitations",
    scope="members:write",
    response=MadeInvitation,
    status=201,
    creates=True,
)
def invite_member(request: ApiRequest, document: NewInvitation) -> MadeInvitation:
    """Ask somebody to become a member, by a letter with a link that only the letter has."""
    caller = request.auth
    row, token = members.invite(
        tenant=caller.tenant, user=caller.user, email=document.email, role=document.role
    )
    sent = members.send_letter(invitation=row, token=token, language=caller.user.language or "en")
    return MadeInvitation(**_invitation(row), letter_sent=sent)


def _find_invitation(invitation_id: UUID) -> Invitation:
    rows = Invitation.objects.filter(OPEN_INVITATION).select_related("tenant", "invited_by")
    return get_object_or_404(rows, public_id=invitation_id)


@route(
    router,
    "POST",
    "/invitations/{uuid:invitation_id}/send-again",
    scope="members:write",
    response=MadeInvitation,
)
def send_invitation_again(request: ApiRequest, invitation_id: UUID) -> MadeInvitation:
    """Another letter with a new link; the link of the one before is dead."""
    row, user = _find_invitation(invitation_id), request.auth.user
    token = members.renew(invitation=row, user=user)
    sent = members.send_letter(invitation=row, token=token, language=user.language or "en")
    return MadeInvitation(**_invitation(row), letter_sent=sent)


@route(
    router,
    "DELETE",
    "/invitations/{uuid:invitation_id}",
    scope="members:write",
    response=None,
    status=204,
)
def withdraw_invitation(request: ApiRequest, invitation_id: UUID) -> None:
    """Take an invitation back; its link is dead from now on."""
    members.withdraw(invitation=_find_invitation(invitation_id), user=request.auth.user)
