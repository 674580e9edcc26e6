"""What providers offer, and what it costs. Of the installation, not of a tenant."""

from __future__ import annotations

from typing import Any

from django.core.validators import MinValueValidator
from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from tenants.models.choices import ModelKind, Provider
from tenants.models.validators import validate_currency, validate_not_blank


class ProviderModel(models.Model):
    """A model of a provider: what it takes, and how long it is offered."""

    provider = models.CharField(_("provider"), max_length=16, choices=Provider.choices)
    name = models.CharField(_("model"), max_length=100, validators=[validate_not_blank])
    kind = models.CharField(_("used for"), max_length=16, choices=ModelKind.choices)
    dialects = models.JSONField(_("dialects"), default=list, blank=True)
    formats = models.JSONField(_("audio formats"), default=list, blank=True)
    """Values of choices.AudioFormat; empty: not known."""
    voices = models.JSONField(_("voices"), default=list, blank=True)
    context_tokens = models.PositiveIntegerField(_("context, tokens"), null=True, blank=True)
    shutdown_on = models.DateField(_("shut down on"), null=True, blank=True)
    replacement = models.CharField(_("to be replaced by"), max_length=100, blank=True)
    is_offered = models.BooleanField(
        _("offered"), default=True, help_text=_("Suggested where a model is chosen.")
    )
    note = models.CharField(_("note"), max_length=300, blank=True)
    """Where this is known from, and when it was read."""

    class Meta:
        verbose_name = _("provider's model")
        verbose_name_plural = _("providers' models")
        ordering = ["provider", "kind", "name"]
        constraints = [
            models.UniqueConstraint(
                fields=["provider", "name"],
                name="model_once_a_provider",
                violation_error_message=_("This model is in the catalogue already."),
            ),
            models.CheckConstraint(
                condition=Q(provider__in=Provider.values), name="model_provider_known"
            ),
            models.CheckConstraint(condition=Q(kind__in=ModelKind.values), name="model_kind_known"),
        ]

    def __str__(self) -> str:
        return self.name


def _amount(name: Any) -> Any:
    return models.DecimalField(
        name,
        max_digits=12,
        decimal_places=6,
        null=True,
        blank=True,
        validators=[MinValueValidator(0)],
    )


class Price(models.Model):
    """What a model costs from a day on: per million tokens, or per minute; null: not charged so.

    Periods of a model do not overlap: services/prices sees to that.
    """

    model = models.ForeignKey(
        ProviderModel, on_delete=models.CASCADE, related_name="prices", verbose_name=_("model")
    )
    valid_from = models.DateField(_("from"))
    valid_to = models.DateField(_("to"), null=True, blank=True)
    """The last day; None: until further notice."""
    currency = models.CharField(
        _("currency"), max_length=3, default="USD", validators=[validate_currency]
    )
    text_in = _amount(_("text in"))
    text_cached = _amount(_("text in, cached"))
    text_out = _amount(_("text out"))
    audio_in = _amount(_("audio in"))
    audio_cached = _amount(_("audio in, cached"))
    audio_out = _amount(_("audio out"))
    a_minute = _amount(_("a minute"))
    source = models.CharField(_("source"), max_length=300, blank=True)
    """Where the price was read, and when."""

    class Meta:
        verbose_name = _("price")
        verbose_name_plural = _("prices")
        ordering = ["model", "-valid_from"]
        constraints = [
            models.UniqueConstraint(
                fields=["model", "valid_from"],
                name="price_once_a_day",
                violation_error_message=_("There is a price from this day on already."),
            ),
            models.CheckConstraint(
                condition=Q(valid_to=None) | Q(valid_to__gte=F("valid_from")),
                name="price_ends_after_it_begins",
                violation_error_message=_("The last day lies before the first one."),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.model} · {self.valid_from}"
