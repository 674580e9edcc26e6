from __future__ import annotations

import uuid
from datetime import datetime
from zoneinfo import ZoneInfo

from django.core.exceptions import ValidationError
from django.db import models
from django.utils.translation import gettext_lazy as _

from tenants.managers import TenantManager, UnscopedManager
from tenants.models.agent import Agent
from tenants.models.opening_hours import is_open, validate_opening_hours
from tenants.models.tenant import Tenant
from tenants.models.validators import (
    normalise_number,
    validate_language,
    validate_number,
    validate_time_zone,
)


class Number(models.Model):
    """A called number or extension, and the agent that answers it."""

    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    tenant = models.ForeignKey(Tenant, on_delete=models.CASCADE, related_name="numbers")
    number = models.CharField(
        _("number"),
        max_length=64,
        unique=True,
        validators=[validate_number],
        error_messages={"unique": _("This number is in use already.")},
        help_text=_("As it is dialled: digits, optionally a leading +, or a name."),
    )
    label = models.CharField(_("label"), max_length=100, blank=True)
    agent = models.ForeignKey(
        Agent, on_delete=models.RESTRICT, related_name="numbers", verbose_name=_("agent")
    )
    language = models.CharField(
        _("language"),
        max_length=35,
        blank=True,
        validators=[validate_language],
        help_text=_("Language code, such as en or de. Empty: the agent's own."),
    )
    is_active = models.BooleanField(
        _("active"), default=True, help_text=_("Off: calls to it are refused with 404.")
    )
    opening_hours = models.JSONField(
        _("opening hours"), null=True, blank=True, validators=[validate_opening_hours]
    )
    """None: always open. Shape: tenants/models/opening_hours.py."""
    time_zone = models.CharField(
        _("time zone"),
        max_length=64,
        blank=True,
        validators=[validate_time_zone],
        help_text=_("Of the opening hours. Empty: the customer's own."),
    )

    objects = TenantManager()
    all_tenants = UnscopedManager()

    class Meta:
        verbose_name = _("number")
        verbose_name_plural = _("numbers")
        ordering = ["number"]

    def __str__(self) -> str:
        return f"{self.number} · {self.label}" if self.label else self.number

    def is_open_at(self, moment: datetime) -> bool:
        """Whether its opening hours let a call in."""
        zone = ZoneInfo(self.time_zone or self.tenant.time_zone)
        return is_open(self.opening_hours, moment.astimezone(zone))

    def clean_fields(self, exclude: object = None) -> None:
        self.number = normalise_number(self.number or "")
        super().clean_fields(exclude=exclude)  # type: ignore[arg-type]

    def clean(self) -> None:
        super().clean()
        # The scoped default manager does not see that another tenant has the number.
        if Number.all_tenants.filter(number=self.number).exclude(pk=self.pk).exists():
            raise ValidationError({"number": _("This number is in use already.")})
        if self.agent_id and self.agent.tenant_id != self.tenant_id:
            raise ValidationError({"agent": _("This agent belongs to somebody else.")})
