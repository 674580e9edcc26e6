"""Sums by day, for pages that look at months. Derived: everything in them can be made anew."""

from __future__ import annotations

from typing import Final

from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from tenants.managers import TenantManager, UnscopedManager
from tenants.models.agent import Agent
from tenants.models.choices import CallKind
from tenants.models.number import Number
from tenants.models.tenant import Tenant

WAIT_BUCKETS_MS: Final = (
    100, 200, 300, 400, 500, 600, 700, 800, 900, 1000, 1100, 1200, 1300, 1400, 1500, 1750, 2000,
    2500, 3000, 4000, 5000, 7500, 10_000,
)  # fmt: skip
"""Upper bounds, exclusive; a 24th bucket holds what is longer."""


def no_waits() -> list[int]:
    return [0] * (len(WAIT_BUCKETS_MS) + 1)


class DayStats(models.Model):
    """Calls of a tenant on one day of its time zone, by agent, number, model, kind and currency.

    Never added to: all rows of a day are deleted and made anew in one transaction, so that nothing
    can count twice. No unique constraint, for it would say nothing where a dimension is null.
    """

    tenant = models.ForeignKey(Tenant, on_delete=models.CASCADE, related_name="+")
    day = models.DateField(_("day"))
    agent = models.ForeignKey(Agent, on_delete=models.SET_NULL, null=True, related_name="+")
    number = models.ForeignKey(Number, on_delete=models.SET_NULL, null=True, related_name="+")
    model = models.CharField(_("model"), max_length=100, blank=True)
    kind = models.CharField(_("kind"), max_length=8, choices=CallKind.choices)
    currency = models.CharField(_("currency"), max_length=3, blank=True)
    """Empty: nothing of it has a known cost."""
    calls = models.PositiveIntegerField(_("calls"), default=0)
    answered = models.PositiveIntegerField(_("answered"), default=0)
    refused = models.PositiveIntegerField(_("refused"), default=0)
    failed = models.PositiveIntegerField(_("failed"), default=0)
    transferred = models.PositiveIntegerField(_("transferred"), default=0)
    duration_ms = models.PositiveBigIntegerField(_("duration"), default=0)
    cost = models.DecimalField(_("cost"), max_digits=14, decimal_places=8, default=0)
    tokens_in = models.PositiveBigIntegerField(default=0)
    tokens_out = models.PositiveBigIntegerField(default=0)
    waits = models.JSONField(default=no_waits)
    """Calls by their median wait: counts, one for each of WAIT_BUCKETS_MS and one more."""

    objects = TenantManager()
    all_tenants = UnscopedManager()

    class Meta:
        verbose_name = _("day")
        verbose_name_plural = _("days")
        ordering = ["day", "pk"]
        indexes = [models.Index(fields=["tenant", "day"], name="day_stats_of_tenant")]

    def __str__(self) -> str:
        return f"{self.tenant} · {self.day}"


class StaleDay(models.Model):
    """A day whose DayStats are to be made anew: one of its calls was settled since."""

    tenant = models.ForeignKey(Tenant, on_delete=models.CASCADE, related_name="+")
    day = models.DateField()
    since = models.DateTimeField(default=timezone.now)

    objects = TenantManager()
    all_tenants = UnscopedManager()

    class Meta:
        ordering = ["since", "pk"]
        constraints = [
            models.UniqueConstraint(fields=["tenant", "day"], name="stale_day_once_a_tenant")
        ]

    def __str__(self) -> str:
        return f"{self.tenant} · {self.day}"
