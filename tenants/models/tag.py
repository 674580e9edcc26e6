from __future__ import annotations

from django.db import models
from django.db.models.functions import Lower
from django.utils.translation import gettext_lazy as _

from tenants.managers import TenantManager, UnscopedManager
from tenants.models.tenant import Tenant
from tenants.models.validators import validate_not_blank


class Tag(models.Model):
    """A word that a tenant sorts its calls by."""

    tenant = models.ForeignKey(Tenant, on_delete=models.CASCADE, related_name="tags")
    name = models.CharField(_("name"), max_length=50, validators=[validate_not_blank])

    objects = TenantManager()
    all_tenants = UnscopedManager()

    class Meta:
        verbose_name = _("tag")
        verbose_name_plural = _("tags")
        ordering = ["name"]
        constraints = [
            models.UniqueConstraint(
                "tenant",
                Lower("name"),
                name="tag_once_a_tenant",
                violation_error_message=_("This tag exists already."),
            )
        ]

    def __str__(self) -> str:
        return self.name
