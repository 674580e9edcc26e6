"""Who may do what in a tenant: one getter that finds, and refuses."""

from __future__ import annotations

from typing import Final, Literal

from django.contrib.auth.models import AnonymousUser
from django.core.exceptions import PermissionDenied
from django.http import Http404

from tenants.models import Member, Tenant, User
from tenants.models.choices import Role

Right = Literal["view", "edit", "manage", "own"]
"""view: read everything; edit: agents and numbers; manage: provider accounts and settings of the
tenant, calls' ends; own: members."""

RIGHTS: Final[dict[str, frozenset[Right]]] = {
    Role.VIEWER: frozenset({"view"}),
    Role.EDITOR: frozenset({"view", "edit"}),
    Role.ADMIN: frozenset({"view", "edit", "manage"}),
    Role.OWNER: frozenset({"view", "edit", "manage", "own"}),
}


def get_tenant(
    request_user: User | AnonymousUser, slug: str, *, right: Right = "view"
) -> tuple[Tenant, Member]:
    """The tenant and the user's membership.

    Http404 when there is no such tenant or the user is not in it: the two cannot be told apart.
    PermissionDenied when the role does not give the right, or the tenant is switched off and the
    user wants more than to read.
    """
    if not request_user.is_authenticated:
        raise Http404
    member = (
        Member.all_tenants.select_related("tenant", "user")
        .filter(tenant__slug=slug, user_id=request_user.pk)
        .first()
    )
    if member is None:
        raise Http404
    if not may(member, right):
        raise PermissionDenied
    return member.tenant, member


def may(member: Member, right: Right) -> bool:
    """Whether a member has a right now; for pages that show a button or not."""
    return right in RIGHTS.get(member.role, frozenset()) and (
        right == "view" or member.tenant.is_active
    )
