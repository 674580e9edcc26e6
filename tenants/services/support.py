"""Letting the operator's people in, for a time: what a tenant's owner grants and takes back."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _
from django_scopes import scope

from tenants.models import SupportGrant, Tenant, User
from tenants.models.choices import SupportRole
from tenants.services import audit

LONGEST_HOURS: Final = 7 * 24


def grant(
    *, tenant: Tenant, user: User | None, hours: int, role: str = SupportRole.VIEWER, reason: str
) -> SupportGrant:
    """Let the operator's people in from now on. Raises ValidationError."""
    if not 1 <= hours <= LONGEST_HOURS:
        raise ValidationError(
            {"hours": [_("From one hour to %(days)d days.") % {"days": LONGEST_HOURS // 24}]}
        )
    row = SupportGrant(tenant=tenant, role=role, granted_by=user, reason=reason.strip())
    row.expires_at = timezone.now() + timedelta(hours=hours)
    with scope(tenant=tenant), transaction.atomic():
        row.clean_fields(exclude=["granted_by", "revoked_at"])
        row.save()
        audit.record(
            "support.grant",
            row,
            tenant=tenant,
            user=user,
            changes=audit.diff(None, row, ("role", "expires_at", "reason")),
        )
    return row


def open_grant(tenant: Tenant) -> SupportGrant | None:
    """The grant that lets the operator's people in now; of several, the one that lasts longest."""
    return (
        SupportGrant.all_tenants.filter(
            tenant=tenant, revoked_at=None, expires_at__gt=timezone.now()
        )
        .select_related("granted_by")
        .order_by("-expires_at")
        .first()
    )


def revoke(*, grant: SupportGrant, user: User | None) -> None:
    """Send the operator's people out at once; a grant that is over stays as it is."""
    with transaction.atomic():
        ended = SupportGrant.all_tenants.filter(pk=grant.pk, revoked_at=None).update(
            revoked_at=timezone.now()
        )
        if ended:
            audit.record("support.revoke", grant, tenant=grant.tenant, user=user)
