"""Numbers: which agent answers which."""

from __future__ import annotations

from typing import Final

from django.db import transaction
from django_scopes import scope

from tenants.models import Number, User
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


def delete_number(*, number: Number, user: User | None) -> None:
    """Take a number out; the record of its calls stays."""
    with scope(tenant=number.tenant), transaction.atomic():
        audit.record("number.delete", number, tenant=number.tenant, user=user)
        number.delete()
