"""All that a tenant owns: what is exported, and what goes with it."""

from __future__ import annotations

from typing import Any, Final

from django.db import models

from tenants import models as m

OWNED: Final[tuple[type[models.Model], ...]] = (
    m.CallNote,
    m.CallEvent,
    m.CallUsage,
    m.CallProblem,
    m.CallQuality,
    m.ToolCall,
    m.Turn,
    m.TranscriptEntry,
    m.SearchDocument,
    m.Recording,
    m.Call,
    m.StaleDay,
    m.DayStats,
    m.Prompt,
    m.Number,
    m.AgentRevision,
    m.TenantSettings,
    m.Agent,
    m.Tag,
    m.IdempotencyKey,
    m.IdentityProvider,
    m.Invitation,
    m.DataExport,
    m.AuditEntry,
    m.SupportGrant,
    m.ApiToken,
    m.ProviderAccount,
    m.Member,
)
"""Every model with a tenant; none comes behind what it leans on, so that they can be deleted in
this order."""


def rows_of(model: type[models.Model], tenant: m.Tenant) -> models.QuerySet[Any]:
    """The tenant's rows of one of OWNED, the oldest first."""
    manager: Any = getattr(model, "all_tenants", model._base_manager)
    found: models.QuerySet[Any] = models.QuerySet(model, using=manager.db)
    return found.filter(tenant=tenant).order_by("pk")
