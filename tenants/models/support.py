from __future__ import annotations

import uuid
from datetime import datetime

from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from tenants.managers import TenantManager, UnscopedManager
from tenants.models.choices import SupportRole
from tenants.models.tenant import Tenant


class SupportGrant(models.Model):
    """A tenant lets the operator's people in for a time."""

    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    tenant = models.ForeignKey(Tenant, on_delete=models.CASCADE, related_name="support_grants")
    role = models.CharField(
        _("may"), max_length=16, choices=SupportRole.choices, default=SupportRole.VIEWER
    )
    granted_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.SET_NULL,
        null=True,
        related_name="+",
        verbose_name=_("granted by"),
    )
    reason = models.CharField(_("reason"), max_length=300, blank=True)
    created_at = models.DateTimeField(_("granted"), auto_now_add=True)
    expires_at = models.DateTimeField(_("valid until"))
    revoked_at = models.DateTimeField(_("withdrawn"), null=True)

    objects = TenantManager()
    all_tenants = UnscopedManager()

    class Meta:
        verbose_name = _("support access")
        verbose_name_plural = _("support accesses")
        ordering = ["-created_at", "-pk"]
        indexes = [models.Index(fields=["tenant", "expires_at"], name="support_of_tenant")]
        constraints = [
            models.CheckConstraint(
                condition=Q(role__in=SupportRole.values), name="support_role_known"
            ),
            models.CheckConstraint(
                condition=Q(expires_at__gt=F("created_at")), name="support_for_a_time"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.tenant} · {self.get_role_display()}"

    def holds_at(self, moment: datetime) -> bool:
        return self.revoked_at is None and moment < self.expires_at
