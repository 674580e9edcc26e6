"""What a tenant says of itself: name, time zone, languages, what is kept, who may listen."""

from __future__ import annotations

from typing import Final

from django.db import transaction

from tenants.models import Tenant, User
from tenants.services import audit

OWN: Final = (
    "name",
    "time_zone",
    "languages",
    "keep_transcripts_days",
    "keep_recordings_days",
    "listen_in",
)
"""What a tenant's own people may change; limits and the rest are the operator's."""


def save_company(*, tenant: Tenant, user: User | None) -> Tenant:
    """Check and save what of a tenant is its own to change. Raises ValidationError."""
    with transaction.atomic():
        before = Tenant.objects.select_for_update().get(pk=tenant.pk)
        tenant.full_clean()
        tenant.save(update_fields=OWN)
        changes = audit.diff(before, tenant, OWN)
        if changes:
            audit.record("tenant.edit", tenant, tenant=tenant, user=user, changes=changes)
    return tenant
