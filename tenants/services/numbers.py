"""Numbers: which agent answers which."""

from __future__ import annotations

from typing import Final

from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils.translation import ngettext
from django_scopes import scope

from tenants.models import Number, Tenant, User
from tenants.services import audit, prompts

AUDITED: Final = (
    "number",
    "label",
    "agent",
    "language",
    "is_active",
    "opening_hours",
    "time_zone",
)


def save_number(*, number: Number, user: User | None) -> Number:
    """Check and save a number, a new one too. Raises ValidationError."""
    with scope(tenant=number.tenant), transaction.atomic():
        is_new = number.pk is None
        if is_new:
            _make_room(number.tenant)
        before = None if is_new else Number.all_tenants.get(pk=number.pk)
        number.full_clean()
        number.save()
        audit.record(
            "number.create" if is_new else "number.edit",
            number,
            tenant=number.tenant,
            user=user,
            changes=audit.diff(before, number, AUDITED),
        )
        prompts.prepare(number.agent)
    return number


def _make_room(tenant: Tenant) -> None:
    """See that the tenant may have one number more, while nobody else can add one."""
    limit = Tenant.objects.select_for_update().get(pk=tenant.pk).max_numbers
    if limit is not None and Number.all_tenants.filter(tenant=tenant).count() >= limit:
        raise ValidationError(
            ngettext(
                "Your company may have %(limit)d number. Remove one, or ask your operator for"
                " more.",
                "Your company may have %(limit)d numbers. Remove one, or ask your operator for"
                " more.",
                limit,
            )
            % {"limit": limit}
        )


def delete_number(*, number: Number, user: User | None) -> None:
    """Take a number out; the record of its calls stays."""
    with scope(tenant=number.tenant), transaction.atomic():
        audit.record("number.delete", number, tenant=number.tenant, user=user)
        number.delete()
