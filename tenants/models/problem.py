from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _

from tenants.managers import TenantManager, UnscopedManager
from tenants.models.call import Call
from tenants.models.choices import ProblemKind
from tenants.models.tenant import Tenant


class CallProblem(models.Model):
    """What went wrong at the provider during a call."""

    tenant = models.ForeignKey(Tenant, on_delete=models.CASCADE, related_name="+")
    call = models.ForeignKey(Call, on_delete=models.CASCADE, related_name="problems")
    kind = models.CharField(_("problem"), max_length=32, choices=ProblemKind.choices)
    code = models.CharField(_("provider's code"), max_length=100, blank=True)
    message = models.TextField(_("provider's words"), blank=True)
    fatal = models.BooleanField(_("ended the session"), default=False)
    offset_ms = models.PositiveBigIntegerField(_("at"), default=0)

    objects = TenantManager()
    all_tenants = UnscopedManager()

    class Meta:
        verbose_name = _("problem")
        verbose_name_plural = _("problems")
        ordering = ["offset_ms", "pk"]

    def __str__(self) -> str:
        return self.get_kind_display()
