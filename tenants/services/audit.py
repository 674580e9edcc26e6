"""One line for every change that a person or the machine made; services write it, nobody else."""

from __future__ import annotations

from typing import Any

from django.db import models

from tenants.models import AuditEntry, Tenant, User


def record(
    action: str,
    target: models.Model | str,
    *,
    tenant: Tenant | None,
    user: User | None,
    **detail: Any,
) -> AuditEntry:
    """Write an entry, inside of the caller's transaction. `detail` is JSON and holds no secret."""
    return AuditEntry.all_tenants.create(
        tenant=tenant, user=user, action=action, target=str(target)[:255], detail=detail
    )
