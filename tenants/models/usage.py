from __future__ import annotations

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from tenants.managers import TenantManager, UnscopedManager
from tenants.models.call import Call
from tenants.models.catalogue import Price
from tenants.models.choices import UsageKind
from tenants.models.tenant import Tenant


class CallUsage(models.Model):
    """What a call used of one model, as the provider counted it; sums over its responses.

    Cached tokens are among the input tokens, not beside them (REALTIME.md section 1.8).
    """

    tenant = models.ForeignKey(Tenant, on_delete=models.CASCADE, related_name="+")
    call = models.ForeignKey(Call, on_delete=models.CASCADE, related_name="usages")
    kind = models.CharField(_("used for"), max_length=16, choices=UsageKind.choices)
    model = models.CharField(_("model"), max_length=100, blank=True)
    """As the provider named it; empty: it did not."""
    input_text_tokens = models.PositiveBigIntegerField(default=0)
    input_audio_tokens = models.PositiveBigIntegerField(default=0)
    cached_text_tokens = models.PositiveBigIntegerField(default=0)
    cached_audio_tokens = models.PositiveBigIntegerField(default=0)
    output_text_tokens = models.PositiveBigIntegerField(default=0)
    output_audio_tokens = models.PositiveBigIntegerField(default=0)
    seconds = models.FloatField(default=0.0)
    """Where it is charged by time."""
    responses = models.PositiveIntegerField(default=0)
    price = models.ForeignKey(Price, on_delete=models.PROTECT, null=True, related_name="usages")
    """Which it was settled with."""
    cost = models.DecimalField(_("cost"), max_digits=14, decimal_places=8, null=True)
    """In the price's currency; None: no price was known, which is not nothing."""

    objects = TenantManager()
    all_tenants = UnscopedManager()

    class Meta:
        verbose_name = _("usage of a call")
        verbose_name_plural = _("usages of calls")
        ordering = ["kind", "model"]
        constraints = [
            models.UniqueConstraint(fields=["call", "kind", "model"], name="usage_once_a_model"),
            models.CheckConstraint(condition=Q(kind__in=UsageKind.values), name="usage_kind_known"),
            models.CheckConstraint(
                condition=Q(cost=None) | Q(price__isnull=False), name="usage_cost_has_price"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.call} · {self.model}"
