from __future__ import annotations

import uuid

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from tenants.managers import TenantManager, UnscopedManager
from tenants.models.choices import ExportState
from tenants.models.tenant import Tenant


def export_path(export: DataExport, _name: str) -> str:
    return f"exports/{export.tenant.public_id}/{export.public_id}.zip"


class DataExport(models.Model):
    """All that a tenant owns, in one file; made by a job, deleted when it has expired."""

    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    tenant = models.ForeignKey(Tenant, on_delete=models.CASCADE, related_name="exports")
    state = models.CharField(
        _("state"), max_length=16, choices=ExportState.choices, default=ExportState.WAITING
    )
    file = models.FileField(_("file"), upload_to=export_path, max_length=255, blank=True)
    size = models.PositiveBigIntegerField(_("bytes"), default=0)
    asked_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.SET_NULL,
        null=True,
        related_name="+",
        verbose_name=_("asked for by"),
    )
    asked_at = models.DateTimeField(_("asked for"), auto_now_add=True)
    made_at = models.DateTimeField(_("made"), null=True)
    expires_at = models.DateTimeField(_("kept until"), null=True)
    error = models.TextField(_("why it failed"), blank=True)

    objects = TenantManager()
    all_tenants = UnscopedManager()

    class Meta:
        verbose_name = _("data export")
        verbose_name_plural = _("data exports")
        ordering = ["-asked_at", "-pk"]
        constraints = [
            models.CheckConstraint(
                condition=Q(state__in=ExportState.values), name="export_state_known"
            ),
            models.CheckConstraint(
                condition=~Q(state=ExportState.READY) | Q(made_at__isnull=False),
                name="export_ready_was_made",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.tenant} · {self.asked_at:%Y-%m-%d %H:%M} UTC"
