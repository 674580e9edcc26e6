"""Who may do what in a tenant: one getter that finds, and refuses."""

from __future__ import annotations

from typing import Final, Literal

from django.contrib.auth.models import AnonymousUser
from django.core.cache import cache
from django.core.exceptions import PermissionDenied
from django.db.models import Exists, OuterRef, QuerySet
from django.http import Http404
from django.utils import timezone

from tenants import actor
from tenants.models import ApiToken, Member, SupportGrant, Tenant, User
from tenants.models.choices import Role, SupportRole
from tenants.services import audit

Right = Literal["view", "edit", "manage", "recall", "own"]
"""view: read everything; edit: agents, numbers, trying, tags, notes, and what a running call hears
of; manage: provider accounts, settings, retention, tokens, the audit log, listening in, deleting
calls; recall: send support out; own: members, identity provider, support grants, the whole export,
the end."""
WHEN_OFF: Final[frozenset[Right]] = frozenset({"view", "recall"})
"""What holds in a tenant that is switched off, too."""

RIGHTS: Final[dict[str, frozenset[Right]]] = {
    Role.VIEWER: frozenset({"view"}),
    Role.EDITOR: frozenset({"view", "edit"}),
    Role.ADMIN: frozenset({"view", "edit", "manage"}),
    Role.OWNER: frozenset({"view", "edit", "manage", "recall", "own"}),
}
SCOPE_RIGHTS: Final[dict[str, Right]] = {
    "calls:read": "view",
    "calls:write": "edit",
    "live:read": "view",
    "live:act": "edit",
    "agents:read": "view",
    "agents:write": "edit",
    "numbers:read": "view",
    "numbers:write": "edit",
    "settings:read": "view",
    "settings:write": "manage",
    "accounts:read": "view",
    "accounts:write": "manage",
    "members:read": "view",
    "members:write": "own",
    "usage:read": "view",
    "audit:read": "manage",
    "stream:read": "view",
}
"""The right that the person behind a token needs for each of its scopes."""
IDENTITY_KEY: Final = "identity_tenant"
"""Session key: public id of the tenant whose identity provider vouched for the person."""
SUPPORT_NOTED_SECONDS: Final = 3600
_ELSEWHERE: Final = Member.all_tenants.filter(user=OuterRef("user")).exclude(pk=OuterRef("pk"))


def get_tenant(
    request_user: User | AnonymousUser, slug: str, *, right: Right = "view", only: str | None = None
) -> tuple[Tenant, Member]:
    """The tenant and the user's membership; of the operator's people, one that a grant stands for.

    `only` is the session's IDENTITY_KEY: an identity provider vouches in its own tenant only.
    Http404 when there is no such tenant or the user is not in it: the two cannot be told apart.
    PermissionDenied when the role does not give the right, or the tenant is switched off and the
    user wants what is not in WHEN_OFF.
    """
    if not request_user.is_authenticated:
        raise Http404
    member = _member(request_user, slug) or _support(request_user, slug)
    if member is None or only not in {None, str(member.tenant.public_id)}:
        raise Http404
    if not may(member, right):
        raise PermissionDenied
    if member.support:
        _note_support(member, member.support)
    return member.tenant, member


def _member(user: User, slug: str) -> Member | None:
    found = (
        Member.all_tenants.select_related("tenant", "user")
        .filter(tenant__slug=slug, user_id=user.pk)
        .annotate(elsewhere=Exists(_ELSEWHERE))
        .first()
    )
    if found is not None:
        found.is_elsewhere = found.elsewhere
    return found


def memberships(user: User, *, only: str | None) -> QuerySet[Member]:
    """Where a person belongs; `only` is the session's IDENTITY_KEY."""
    found = Member.all_tenants.filter(user=user).select_related("tenant")
    return found.filter(tenant__public_id=only) if only else found


def may(member: Member, right: Right) -> bool:
    """Whether a member has a right now; for pages that show a button or not."""
    return right in RIGHTS.get(member.role, frozenset()) and (
        right in WHEN_OFF or member.tenant.is_active
    )


def token_may(token: ApiToken, scope: str) -> bool:
    """Whether a token is good for a scope now: never for more than its maker may at the moment.

    A scope that nobody knows is an error of the caller: KeyError.
    """
    right = SCOPE_RIGHTS[scope]
    if not token.holds_at(timezone.now()) or not _covers(token.scopes, scope):
        return False
    member = (
        Member.all_tenants.select_related("tenant")
        .filter(tenant_id=token.tenant_id, user_id=token.created_by_id, user__is_active=True)
        .first()
    )
    return member is not None and may(member, right)


def _covers(scopes: list[str], scope: str) -> bool:
    """Who may write or act may read."""
    area, _colon, level = scope.partition(":")
    return scope in scopes or (
        level == "read" and not {f"{area}:write", f"{area}:act"}.isdisjoint(scopes)
    )


def _support(user: User, slug: str) -> Member | None:
    """A membership that a tenant's grant stands for, the strongest one; never saved."""
    if not (user.is_staff and user.is_active):
        return None
    grants = SupportGrant.all_tenants.select_related("tenant").filter(
        tenant__slug=slug, revoked_at=None, expires_at__gt=timezone.now()
    )
    grant = max(grants, key=lambda one: one.role == SupportRole.ADMIN, default=None)
    if grant is None:
        return None
    member = Member(tenant=grant.tenant, user=user, role=grant.role)
    member.support = grant
    return member


def _note_support(member: Member, grant: SupportGrant) -> None:
    """What is done from here on is done by the grant; the log says once an hour who looked."""
    actor.note(support=grant)
    if cache.add(f"support:{grant.pk}:{member.user_id}", 1, SUPPORT_NOTED_SECONDS):
        audit.record("support.enter", grant, tenant=member.tenant, user=member.user)
