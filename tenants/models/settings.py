"""The settings of a conversation: one definition for platform, tenant, agent and revision."""

from __future__ import annotations

from typing import Any, Final

from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator, MinValueValidator, StepValueValidator
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from tenants.managers import TenantManager, UnscopedManager
from tenants.models import choices, validators
from tenants.models.account import ProviderAccount
from tenants.models.session_extra import validate_session_extra
from tenants.models.tenant import Tenant


def _between(field: str, low: float, high: float) -> models.CheckConstraint:
    return models.CheckConstraint(
        condition=Q(**{f"{field}__gte": low, f"{field}__lte": high}),
        name=f"%(class)s_{field}_range",
        violation_error_message=_("A value lies outside of its range."),
    )


def _known(field: str, values: list[str]) -> models.CheckConstraint:
    return models.CheckConstraint(
        condition=Q(**{f"{field}__in": values}), name=f"%(class)s_{field}_known"
    )


class SettingsFields(models.Model):
    """Null means inherited from the level above; anything else holds here.

    Ranges are those of the realtime API (shared REALTIME.md section 1.2), times in milliseconds.
    """

    provider_account = models.ForeignKey(
        ProviderAccount,
        on_delete=models.RESTRICT,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("provider account"),
    )
    dialect = models.CharField(
        _("dialect"), max_length=16, null=True, blank=True, choices=choices.Dialect.choices
    )
    model = models.CharField(
        _("model"),
        max_length=100,
        null=True,
        blank=True,
        validators=[validators.validate_not_blank],
    )
    voice = models.CharField(
        _("voice"),
        max_length=100,
        null=True,
        blank=True,
        validators=[validators.validate_not_blank],
    )
    instructions = models.TextField(_("instructions"), max_length=32_000, null=True, blank=True)
    language = models.CharField(
        _("language"),
        max_length=35,
        null=True,
        blank=True,
        validators=[validators.validate_language],
        help_text=_("Language code, such as en or de."),
    )
    audio_format = models.CharField(
        _("audio format"), max_length=16, null=True, blank=True, choices=choices.AudioFormat.choices
    )
    vad_mode = models.CharField(
        _("end of turn"), max_length=16, null=True, blank=True, choices=choices.VadMode.choices
    )
    vad_threshold = models.FloatField(
        _("threshold"),
        null=True,
        blank=True,
        validators=[MinValueValidator(0.0), MaxValueValidator(1.0)],
    )
    prefix_padding_ms = models.PositiveIntegerField(
        _("prefix padding, ms"), null=True, blank=True, validators=[MaxValueValidator(5000)]
    )
    silence_duration_ms = models.PositiveIntegerField(
        _("silence, ms"), null=True, blank=True, validators=[MaxValueValidator(10_000)]
    )
    idle_timeout_ms = models.PositiveIntegerField(
        _("idle timeout, ms"),
        null=True,
        blank=True,
        validators=[validators.validate_idle_timeout],
        help_text=_("0 for none."),
    )
    eagerness = models.CharField(
        _("eagerness"), max_length=16, null=True, blank=True, choices=choices.Eagerness.choices
    )
    interrupt = models.BooleanField(_("caller may interrupt"), null=True, blank=True)
    greeting_guard_ms = models.PositiveIntegerField(
        _("greeting guard, ms"),
        null=True,
        blank=True,
        validators=[MaxValueValidator(10_000)],
        help_text=_("For so long noise from the caller does not stop the greeting."),
    )
    noise_reduction = models.CharField(
        _("noise reduction"),
        max_length=16,
        null=True,
        blank=True,
        choices=choices.NoiseReduction.choices,
    )
    speed = models.FloatField(
        _("speed"),
        null=True,
        blank=True,
        validators=[MinValueValidator(0.25), MaxValueValidator(1.5)],
    )
    temperature = models.FloatField(
        _("temperature"),
        null=True,
        blank=True,
        validators=[MinValueValidator(0.6), MaxValueValidator(1.2)],
        help_text=_("Only in dialects that know it."),
    )
    max_output_tokens = models.CharField(
        _("longest answer"),
        max_length=4,
        null=True,
        blank=True,
        validators=[validators.validate_max_output_tokens],
        help_text=_("Tokens of one answer, 1 to 4096, or inf for no limit."),
    )
    transcription_model = models.CharField(
        _("transcription model"),
        max_length=100,
        null=True,
        blank=True,
        help_text=_("Empty: the caller's words are not transcribed."),
    )
    transcription_language = models.CharField(
        _("transcription language"),
        max_length=35,
        null=True,
        blank=True,
        validators=[validators.validate_language],
        help_text=_("Empty: the provider finds out."),
    )
    local_vad = models.CharField(
        _("local voice detection"),
        max_length=16,
        null=True,
        blank=True,
        choices=choices.LocalVad.choices,
    )
    vad_gates_audio = models.BooleanField(_("send only speech"), null=True, blank=True)
    vad_stops_agent = models.BooleanField(_("own detection stops the agent"), null=True, blank=True)
    false_interruption_ms = models.PositiveIntegerField(
        _("go on after a false interruption, ms"),
        null=True,
        blank=True,
        validators=[MaxValueValidator(5000)],
        help_text=_("0 for never."),
    )
    chunk_ms = models.PositiveIntegerField(
        _("pieces of audio, ms"),
        null=True,
        blank=True,
        validators=[MinValueValidator(20), MaxValueValidator(100), StepValueValidator(20)],
        help_text=_("20 to 100, a multiple of 20."),
    )
    record = models.BooleanField(_("record calls"), null=True, blank=True)
    session_extra = models.JSONField(
        _("further session fields"),
        null=True,
        blank=True,
        validators=[validate_session_extra],
        help_text=_("Fields of the provider's session that have no setting of their own, as JSON."),
    )
    greetings = models.JSONField(
        _("greetings"), null=True, blank=True, validators=[validators.validate_greetings]
    )
    consents = models.JSONField(
        _("announcements of the recording"),
        null=True,
        blank=True,
        validators=[validators.validate_greetings],
    )
    apologies = models.JSONField(
        _("apologies"), null=True, blank=True, validators=[validators.validate_apologies]
    )

    class Meta:
        abstract = True
        constraints = [
            _between("vad_threshold", 0.0, 1.0),
            _between("speed", 0.25, 1.5),
            _between("temperature", 0.6, 1.2),
            _between("chunk_ms", 20, 100),
            _between("false_interruption_ms", 0, 5000),
            _known("dialect", choices.Dialect.values),
            _known("audio_format", choices.AudioFormat.values),
            _known("vad_mode", choices.VadMode.values),
            _known("eagerness", choices.Eagerness.values),
            _known("noise_reduction", choices.NoiseReduction.values),
            _known("local_vad", choices.LocalVad.values),
            models.CheckConstraint(
                condition=Q(idle_timeout_ms=0)
                | Q(idle_timeout_ms__gte=5000, idle_timeout_ms__lte=30000),
                name="%(class)s_idle_timeout_ms_range",
            ),
        ]

    def settings_tenant_id(self) -> int | None:
        """Primary key of the tenant that these settings belong to; None: the platform."""
        raise NotImplementedError

    def clean(self) -> None:
        super().clean()
        account = self.provider_account
        if account and account.tenant_id not in {None, self.settings_tenant_id()}:
            raise ValidationError(
                {"provider_account": _("This provider account belongs to somebody else.")}
            )


SETTING_NAMES: Final = tuple(field.name for field in SettingsFields._meta.local_fields)
"""Names of the settings, in the order of their definition."""


class PlatformSettings(SettingsFields):
    """The operator's defaults for everybody; one row."""

    PK: Final = 1

    locked = models.JSONField(
        _("locked"),
        default=list,
        blank=True,
        help_text=_("Settings that customers and agents may not override."),
    )
    """Names out of SETTING_NAMES; a level below may hold a value, which then does not count."""

    class Meta(SettingsFields.Meta):
        verbose_name = _("platform settings")
        verbose_name_plural = _("platform settings")
        constraints = [
            *SettingsFields.Meta.constraints,
            models.CheckConstraint(condition=Q(pk=1), name="platformsettings_one_row"),
        ]

    def __str__(self) -> str:
        return str(_("platform settings"))

    def save(self, *args: Any, **kwargs: Any) -> None:
        self.pk = self.PK
        super().save(*args, **kwargs)

    def clean(self) -> None:
        super().clean()
        if not isinstance(self.locked, list) or not set(self.locked) <= set(SETTING_NAMES):
            raise ValidationError({"locked": _("Only settings can be locked.")})

    def settings_tenant_id(self) -> int | None:
        return None


class TenantSettings(SettingsFields):
    """What a tenant sets for all its agents."""

    tenant = models.OneToOneField(Tenant, on_delete=models.CASCADE, related_name="settings")

    objects = TenantManager()
    all_tenants = UnscopedManager()

    class Meta(SettingsFields.Meta):
        verbose_name = _("customer's settings")
        verbose_name_plural = _("customers' settings")

    def __str__(self) -> str:
        return str(self.tenant)

    def settings_tenant_id(self) -> int | None:
        return self.tenant_id
