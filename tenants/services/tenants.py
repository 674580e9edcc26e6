"""Customers, as the operator looks after them: made with an owner, limited, switched off and on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils.translation import gettext as _

from tenants.models import Invitation, Member, Tenant, User
from tenants.models.choices import Role
from tenants.services import audit, members

LIMITS: Final = (
    "max_concurrent_calls",
    "max_calls_a_minute",
    "max_numbers",
    "budget_month",
    "budget_currency",
)
AUDITED: Final = ("name", "slug", "time_zone", "is_active", *LIMITS)


@dataclass(frozen=True)
class Created:
    tenant: Tenant
    invitation: Invitation
    token: str
    """Of the owner's invitation; it is not kept."""


def create_tenant(*, tenant: Tenant, owner_email: str, user: User | None) -> Created:
    """Save a new customer and invite its first owner; the letter is for members.send_letter.

    Raises ValidationError.
    """
    with transaction.atomic():
        tenant.full_clean()
        tenant.save()
        audit.record(
            "tenant.create",
            tenant,
            tenant=tenant,
            user=user,
            changes=audit.diff(None, tenant, AUDITED),
        )
        invitation, token = members.invite(
            tenant=tenant, user=user, email=owner_email, role=Role.OWNER
        )
    return Created(tenant, invitation, token)


def has_owner(tenant: Tenant) -> bool:
    """Whether somebody owns the customer who can sign in."""
    owners = Member.all_tenants.filter(tenant=tenant, role=Role.OWNER, user__is_active=True)
    return owners.exists()


def invite_owner(*, tenant: Tenant, email: str, user: User | None) -> tuple[Invitation, str]:
    """For a customer without an owner; gives the link's token too. Raises ValidationError, also
    where there is an owner: who else comes in is for them alone to say.
    """
    _refuse_where_owned(tenant)
    return members.invite(tenant=tenant, user=user, email=email, role=Role.OWNER)


def invite_owner_again(*, invitation: Invitation, user: User | None) -> str:
    """A new link for the owner who has not come yet. Raises ValidationError as `invite_owner`."""
    _refuse_where_owned(invitation.tenant)
    return members.renew(invitation=invitation, user=user)


def withdraw_owner(*, invitation: Invitation, user: User | None) -> None:
    """Take an owner's invitation back. Raises ValidationError as `invite_owner`."""
    _refuse_where_owned(invitation.tenant)
    members.withdraw(invitation=invitation, user=user)


def _refuse_where_owned(tenant: Tenant) -> None:
    if has_owner(tenant):
        raise ValidationError(_("This tenant has an owner, who invites everybody else."))


def change_tenant(*, tenant: Tenant, user: User | None) -> Tenant:
    """Check and save what the operator has changed, limits too; new calls feel it at once.

    Raises ValidationError.
    """
    return _save(tenant, "tenant.edit", user)


def suspend(*, tenant: Tenant, user: User | None) -> Tenant:
    """Switch a customer off: its calls are refused, its people may only look; what runs goes on."""
    tenant.is_active = False
    return _save(tenant, "tenant.suspend", user)


def resume(*, tenant: Tenant, user: User | None) -> Tenant:
    tenant.is_active = True
    return _save(tenant, "tenant.resume", user)


def _save(tenant: Tenant, action: str, user: User | None) -> Tenant:
    with transaction.atomic():
        before = Tenant.objects.select_for_update().get(pk=tenant.pk)
        tenant.full_clean()
        changes = audit.diff(before, tenant, AUDITED)
        if changes:
            tenant.save(update_fields=[*AUDITED])
            audit.record(action, tenant, tenant=tenant, user=user, changes=changes)
    return tenant
