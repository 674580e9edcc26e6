from __future__ import annotations

import uuid

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _

from tenants.managers import TenantManager, UnscopedManager
from tenants.models.choices import Via
from tenants.models.support import SupportGrant
from tenants.models.tenant import Tenant
from tenants.models.token import ApiToken


class AuditEntry(models.Model):
    """Who changed what. Secrets are never in it. `action` is `noun.verb`."""

    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    tenant = models.ForeignKey(
        Tenant, on_delete=models.CASCADE, null=True, related_name="+", verbose_name=_("customer")
    )
    """None: the installation itself."""
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, related_name="+"
    )
    """None: the machine itself."""
    action = models.CharField(_("action"), max_length=64)
    target = models.CharField(_("what"), max_length=255, blank=True)
    target_kind = models.CharField(max_length=32, blank=True)
    """Model that the target is of, in lower case; empty: not a row."""
    target_id = models.CharField(max_length=64, blank=True)
    """Its public id, else its primary key."""
    detail = models.JSONField(_("detail"), default=dict)
    changes = models.JSONField(_("changes"), default=dict)
    """`{"field": [old, new]}`; of a secret only whether it was set or changed."""
    via = models.CharField(_("via"), max_length=16, blank=True, choices=Via.choices)
    actor_label = models.CharField(_("who"), max_length=255, blank=True)
    """Survives the user, the token and the grant."""
    token = models.ForeignKey(ApiToken, on_delete=models.SET_NULL, null=True, related_name="+")
    support = models.ForeignKey(
        SupportGrant, on_delete=models.SET_NULL, null=True, related_name="+"
    )
    """One of the operator's people acted as the tenant's, by this grant."""
    address = models.GenericIPAddressField(_("address"), null=True)
    request_id = models.CharField(max_length=32, blank=True)
    """The one that the log lines of the same request have."""
    at = models.DateTimeField(_("at"), auto_now_add=True)

    objects = TenantManager()
    all_tenants = UnscopedManager()

    class Meta:
        verbose_name = _("audit entry")
        verbose_name_plural = _("audit log")
        ordering = ["-at", "-pk"]
        indexes = [
            models.Index(fields=["tenant", "-at"], name="audit_tenant_newest"),
            models.Index(fields=["tenant", "action", "-at"], name="audit_action_newest"),
        ]

    def __str__(self) -> str:
        return f"{self.action} {self.target}"
