from __future__ import annotations

import uuid
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

from django.conf import settings
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.utils.translation import gettext_lazy as _

from tenants.managers import TenantManager, UnscopedManager
from tenants.models.choices import ListenIn, Role
from tenants.models.validators import (
    validate_currency,
    validate_languages,
    validate_time_zone,
)

if TYPE_CHECKING:
    from tenants.models.support import SupportGrant

LONGEST_KEPT_DAYS: Final = 36_500


def default_languages() -> list[str]:
    return ["en", "de"]


class Tenant(models.Model):
    """A customer of the operator; owns agents, numbers, provider accounts and calls."""

    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    slug = models.SlugField(
        _("short name"), max_length=50, unique=True, help_text=_("Part of the portal's addresses.")
    )
    name = models.CharField(_("name"), max_length=150)
    is_active = models.BooleanField(
        _("active"), default=True, help_text=_("Off: its calls are refused with 403.")
    )
    max_concurrent_calls = models.PositiveIntegerField(
        _("calls at once"),
        default=10,
        validators=[MaxValueValidator(10_000)],
        help_text=_("Further calls are refused with 486 Busy Here."),
    )
    time_zone = models.CharField(
        _("time zone"), max_length=64, default="Europe/Berlin", validators=[validate_time_zone]
    )
    max_calls_a_minute = models.PositiveIntegerField(
        _("calls a minute"),
        null=True,
        blank=True,
        validators=[MinValueValidator(1), MaxValueValidator(100_000)],
        help_text=_("Further calls are refused with 486 Busy Here. Empty: no limit."),
    )
    max_numbers = models.PositiveIntegerField(
        _("numbers"),
        null=True,
        blank=True,
        validators=[MaxValueValidator(100_000)],
        help_text=_("Empty: no limit."),
    )
    budget_month = models.DecimalField(
        _("budget a month"),
        max_digits=12,
        decimal_places=2,
        null=True,
        blank=True,
        validators=[MinValueValidator(Decimal("0.01"))],
        help_text=_("Shown beside what was spent; calls go on when it is used up."),
    )
    budget_currency = models.CharField(
        _("currency of the budget"), max_length=3, default="USD", validators=[validate_currency]
    )
    keep_transcripts_days = models.PositiveIntegerField(
        _("keep transcripts, days"),
        null=True,
        blank=True,
        validators=[MinValueValidator(1), MaxValueValidator(LONGEST_KEPT_DAYS)],
        help_text=_("Empty: for ever."),
    )
    keep_recordings_days = models.PositiveIntegerField(
        _("keep recordings, days"),
        null=True,
        blank=True,
        validators=[MinValueValidator(1), MaxValueValidator(LONGEST_KEPT_DAYS)],
        help_text=_("Empty: for ever."),
    )
    listen_in = models.CharField(
        _("who may listen to running calls"),
        max_length=16,
        choices=ListenIn.choices,
        default=ListenIn.NOBODY,
    )
    languages = models.JSONField(
        _("languages"),
        default=default_languages,
        validators=[validate_languages],
        help_text=_("Languages that callers are spoken to in; the first one is offered first."),
    )
    closing_at = models.DateTimeField(_("to be deleted after"), null=True, editable=False)
    """Its owner has asked for the end; until then it can be taken back."""
    created_at = models.DateTimeField(_("created"), auto_now_add=True)

    class Meta:
        verbose_name = _("customer")
        verbose_name_plural = _("customers")
        ordering = ["name"]
        constraints = [
            models.CheckConstraint(
                condition=models.Q(listen_in__in=ListenIn.values), name="tenant_listen_in_known"
            ),
            models.CheckConstraint(
                condition=models.Q(budget_month=None) | models.Q(budget_month__gt=0),
                name="tenant_budget_is_something",
            ),
        ]

    def __str__(self) -> str:
        return self.name


class Member(models.Model):
    """A user in a tenant, with a role."""

    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    tenant = models.ForeignKey(Tenant, on_delete=models.CASCADE, related_name="members")
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="memberships"
    )
    role = models.CharField(_("role"), max_length=16, choices=Role.choices, default=Role.VIEWER)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.SET_NULL,
        null=True,
        blank=True,
        editable=False,
        related_name="+",
        verbose_name=_("invited by"),
    )
    created_at = models.DateTimeField(_("created"), auto_now_add=True)

    is_elsewhere = False
    """Whether the person belongs to another tenant too; tenants.access finds it out."""
    support: SupportGrant | None = None
    """Of a membership that is none: one of the operator's people, let in by this grant. Such a one
    is made by tenants.access and never saved."""

    objects = TenantManager()
    all_tenants = UnscopedManager()

    class Meta:
        verbose_name = _("member")
        verbose_name_plural = _("members")
        constraints = [
            models.UniqueConstraint(fields=["tenant", "user"], name="member_once_a_tenant"),
            models.CheckConstraint(
                condition=models.Q(role__in=Role.values), name="member_role_known"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.user} · {self.get_role_display()}"

    def save(self, *args: Any, **kwargs: Any) -> None:
        if self.support is not None:
            raise ValueError("A support grant is no membership.")
        super().save(*args, **kwargs)
