from __future__ import annotations

import uuid

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _

from tenants.managers import TenantManager, UnscopedManager
from tenants.models.call import Call
from tenants.models.tenant import Tenant
from tenants.models.validators import validate_not_blank


class CallNote(models.Model):
    """What somebody of the tenant wrote about a call."""

    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    tenant = models.ForeignKey(Tenant, on_delete=models.CASCADE, related_name="+")
    call = models.ForeignKey(Call, on_delete=models.CASCADE, related_name="notes")
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.SET_NULL,
        null=True,
        related_name="+",
        verbose_name=_("who"),
    )
    text = models.TextField(_("note"), max_length=4000, validators=[validate_not_blank])
    at = models.DateTimeField(_("time"), auto_now_add=True)

    objects = TenantManager()
    all_tenants = UnscopedManager()

    class Meta:
        verbose_name = _("note on a call")
        verbose_name_plural = _("notes on calls")
        ordering = ["at", "pk"]

    def __str__(self) -> str:
        return self.text[:60]
