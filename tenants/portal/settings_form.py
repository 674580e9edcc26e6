"""One form for the settings, whichever level they are set on.

An empty field is inherited. What would hold then, and from which level, stands beside every field:
both come from the service that call plans use (tenants.services.effective).
"""

from __future__ import annotations

from typing import Any, ClassVar, Final

from django import forms
from django.db.models import Q
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from tenants.models import ProviderAccount, Tenant, TenantSettings, choices
from tenants.models.settings import SETTING_NAMES
from tenants.models.validators import validate_apologies, validate_greetings
from tenants.portal import setting_words
from tenants.portal.setting_fields import (
    OFF,
    ObjectField,
    OffField,
    SettingRow,
    TextRow,
    choice,
    number,
    yes_no,
)
from tenants.portal.text_fields import TextsField
from tenants.services import catalogue
from tenants.services.effective import EffectiveSettings, EffectiveValue

AUTOMATIC: Final = "auto"

GROUPS: Final[dict[str, tuple[str, ...]]] = {
    "prompt": ("instructions",),
    "voice": (
        "provider_account", "model", "voice", "speed", "language", "dialect", "audio_format",
    ),
    "turns": (
        "vad_mode", "vad_threshold", "silence_duration_ms", "prefix_padding_ms", "eagerness",
        "idle_timeout_ms", "interrupt", "greeting_guard_ms", "local_vad", "vad_stops_agent",
        "false_interruption_ms", "vad_gates_audio",
    ),
    "recording": ("record",),
    "words": ("greetings", "consents", "apologies"),
    "advanced": (
        "transcription_model", "transcription_language", "noise_reduction", "max_output_tokens",
        "temperature", "chunk_ms", "session_extra",
    ),
}  # fmt: skip

SHOWN_IF: Final[dict[str, str]] = {
    "vad_threshold": "id_vad_mode=server_vad",
    "prefix_padding_ms": "id_vad_mode=server_vad",
    "silence_duration_ms": "id_vad_mode=server_vad,local",
    "idle_timeout_ms": "id_vad_mode=server_vad",
    "eagerness": "id_vad_mode=semantic_vad",
    "temperature": "id_dialect=openai-beta",
    "vad_stops_agent": "id_local_vad=energy,webrtc,neural",
    "false_interruption_ms": "id_local_vad=energy,webrtc,neural",
    "vad_gates_audio": "id_local_vad=energy,webrtc,neural",
}

YES_NO: Final = ("interrupt", "vad_stops_agent", "vad_gates_audio", "record")


class SettingsForm(forms.ModelForm):  # type: ignore[type-arg]
    """Base of the forms of each level; `effective` says what the level inherits."""

    level: ClassVar[str]

    instructions = forms.CharField(
        required=False,
        max_length=32_000,
        empty_value=None,
        widget=forms.Textarea(attrs={"class": "prompt", "rows": 16, "spellcheck": "true"}),
        help_text=gettext_lazy(
            "What the agent is, what it knows, what it does and does not do. Write as you would"
            " brief a new colleague."
        ),
    )
    provider_account = forms.ModelChoiceField(
        ProviderAccount.all_tenants.none(),
        required=False,
        to_field_name="public_id",
        help_text=gettext_lazy("Whose key and address the calls use."),
    )
    model = forms.CharField(
        required=False,
        max_length=100,
        empty_value=None,
        help_text=gettext_lazy("As your provider names it."),
    )
    voice = forms.CharField(
        required=False,
        max_length=100,
        empty_value=None,
        help_text=gettext_lazy("As your provider names it."),
    )
    speed = number(
        0.25, 1.5, 0.05, gettext_lazy("1 is natural; from 0.25 to 1.5."), forms.FloatField
    )
    language = forms.TypedChoiceField(
        required=False,
        empty_value=None,
        help_text=gettext_lazy(
            "The language that calls begin in, as far as the number does not name another."
        ),
    )
    dialect = choice(
        choices.Dialect,
        gettext_lazy("How the provider is spoken to. The beta is for older servers only."),
    )
    audio_format = choice(
        choices.AudioFormat,
        gettext_lazy("G.711 is what telephones speak; PCM for providers that do not know it."),
    )
    vad_mode = choice(choices.VadMode)
    vad_threshold = number(
        0.0,
        1.0,
        0.05,
        gettext_lazy("From 0 to 1. Raise it where callers stand in noise."),
        forms.FloatField,
    )
    silence_duration_ms = number(
        0,
        10_000,
        50,
        gettext_lazy("In milliseconds. Less answers sooner, more lets people think."),
        forms.IntegerField,
    )
    prefix_padding_ms = number(
        0,
        5000,
        50,
        gettext_lazy("In milliseconds, so that first syllables are not lost."),
        forms.IntegerField,
    )
    eagerness = choice(choices.Eagerness)
    idle_timeout_ms = number(
        0,
        30_000,
        500,
        gettext_lazy("In milliseconds, from 5000 to 30000; 0 switches it off."),
        forms.IntegerField,
    )
    interrupt = yes_no(
        gettext_lazy("Yes: the agent stops at once when the caller begins to speak.")
    )
    greeting_guard_ms = number(
        0,
        10_000,
        100,
        gettext_lazy("In milliseconds. For so long, noise from the caller does not stop it."),
        forms.IntegerField,
    )
    local_vad = choice(
        choices.LocalVad,
        gettext_lazy(
            "Hears the caller sooner. Only the neural network tells speech from keys and music."
        ),
    )
    vad_stops_agent = yes_no(
        gettext_lazy(
            "Yes: the agent pauses as soon as the caller speaks, before the provider says so."
        )
    )
    false_interruption_ms = number(
        0,
        5000,
        100,
        gettext_lazy(
            "In milliseconds: by then a cough is known from speech. 0: any sound interrupts."
        ),
        forms.IntegerField,
    )
    vad_gates_audio = yes_no(
        gettext_lazy(
            "Yes: silence stays here. Saves money where the provider bills all that it hears."
        )
    )
    chunk_ms = number(
        20,
        100,
        20,
        gettext_lazy("In milliseconds, 20 to 100. Less answers sooner, more costs less work."),
        forms.IntegerField,
    )
    record = yes_no(gettext_lazy("Yes: both sides are kept as sound, beside the transcript."))
    transcription_model = OffField(
        required=False,
        max_length=100,
        help_text=gettext_lazy("Write “off”, and what the caller says is not written down."),
    )
    transcription_language = forms.TypedChoiceField(
        required=False,
        empty_value=None,
        coerce=lambda value: "" if value == AUTOMATIC else value,
        help_text=gettext_lazy("Naming it makes the transcript better."),
    )
    noise_reduction = choice(choices.NoiseReduction)
    max_output_tokens = forms.CharField(
        required=False,
        max_length=4,
        empty_value=None,
        widget=forms.TextInput(attrs={"class": "short"}),
        help_text=gettext_lazy("In tokens, from 1 to 4096; “inf” is no limit."),
    )
    temperature = number(
        0.6,
        1.2,
        0.05,
        gettext_lazy("From 0.6 to 1.2; only the beta dialect knows it."),
        forms.FloatField,
    )
    session_extra = ObjectField(
        required=False,
        help_text=gettext_lazy(
            "A JSON object with fields that have no setting here, such as"
            ' {"reasoning": {"effort": "low"}}. A model that does not know one refuses the call.'
        ),
    )
    greetings = TextsField(required=False, validators=[validate_greetings])
    consents = TextsField(required=False, validators=[validate_greetings])
    apologies = TextsField(required=False, validators=[validate_apologies])

    def __init__(
        self,
        *args: Any,
        tenant: Tenant | None,
        effective: EffectiveSettings,
        read_only: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(*args, **kwargs)
        self.effective = effective
        self._offer_accounts(tenant)
        self._offer_languages()
        for name in SETTING_NAMES:
            self.fields[name].label = str(setting_words.LABELS[name])
            if name in effective.values:
                self._show_inherited(name, effective[name])
        offered = catalogue.offered()
        suggestions = {
            "model": offered.models,
            "voice": offered.voices,
            "transcription_model": [*offered.transcription_models, OFF],
        }
        for name, suggested in suggestions.items():
            self.fields[name].widget.attrs["list"] = f"id_{name}_list"
            self.fields[name].suggestions = suggested  # type: ignore[attr-defined]
        for name, field in self.fields.items():
            field.disabled = read_only or self.is_locked(name)

    def is_locked(self, name: str) -> bool:
        """Whether the operator keeps this level from setting it."""
        if self.level == "platform" or name not in SETTING_NAMES:
            return False
        if name in self.effective.values:
            return self.effective[name].locked
        return any(text.locked for text in getattr(self.effective, name).values())

    def _offer_accounts(self, tenant: Tenant | None) -> None:
        field: Any = self.fields["provider_account"]
        # The operator's own accounts belong to no tenant and are offered to all.
        field.queryset = ProviderAccount.all_tenants.filter(Q(tenant=tenant) | Q(tenant=None))
        if self.instance.provider_account_id:
            self.initial["provider_account"] = self.instance.provider_account.public_id

    def _offer_languages(self) -> None:
        offered = setting_words.language_choices()
        for name in ("language", "transcription_language"):
            field: Any = self.fields[name]
            stored = getattr(self.instance, name)
            known = {code for code, _name in offered}
            other = (
                [(stored, setting_words.language_name(stored))]
                if stored and (stored not in known)
                else []
            )
            field.choices = [("", ""), *other, *offered]
        spoken: Any = self.fields["transcription_language"]
        spoken.choices = [("", ""), (AUTOMATIC, _("The provider finds out")), *spoken.choices[1:]]
        if self.instance.transcription_language == "":
            self.initial["transcription_language"] = AUTOMATIC
        if self.instance.transcription_model == "":
            self.initial["transcription_model"] = OFF
        for name in YES_NO:
            if (value := getattr(self.instance, name)) is not None:
                self.initial[name] = "true" if value else "false"

    def _show_inherited(self, name: str, value: EffectiveValue) -> None:
        field: Any = self.fields[name]
        words = setting_words.short(name, value.inherited)
        raw = value.inherited
        if isinstance(field.widget, forms.Select):
            empty = _("Inherited: %(value)s") % {"value": words}
            if isinstance(field, forms.ModelChoiceField):
                field.empty_label = empty
            else:
                field.choices = [("", empty), *list(field.choices)[1:]]
            field.widget.attrs["data-inherited"] = "" if raw is None else str(raw)
        elif name != "instructions":
            field.widget.attrs["placeholder"] = OFF if raw == "" else str(raw)

    def row(self, name: str) -> SettingRow:
        value = self.effective[name]
        field = self[name]
        return SettingRow(
            field=field,
            is_here=field.value() not in (None, "") and not self.is_locked(name),
            inherited_text=setting_words.describe(name, value.inherited),
            inherited_short=setting_words.short(name, value.inherited),
            inherited_level="built-in" if self.level == "platform" else value.inherited_level,
            shown_if=SHOWN_IF.get(name, ""),
            locked=self.is_locked(name),
        )

    def rows(self, group: str) -> list[SettingRow]:
        return [self.row(name) for name in GROUPS[group]]

    @property
    def voice_rows(self) -> list[SettingRow]:
        return self.rows("voice")

    @property
    def turn_rows(self) -> list[SettingRow]:
        return self.rows("turns")

    @property
    def advanced_rows(self) -> list[SettingRow]:
        return self.rows("advanced")

    @property
    def recording_rows(self) -> list[SettingRow]:
        return self.rows("recording")

    @property
    def prompt_row(self) -> SettingRow:
        return self.row("instructions")

    def text_rows(self, name: str) -> list[TextRow]:
        """The texts of each language that has one, set here or not."""
        here = self[name].value() or {}
        inherited = {
            code: value
            for code, value in getattr(self.effective, name).items()
            if value.inherited or value.level != self.level
        }
        return [
            TextRow(
                language=code,
                name=setting_words.language_name(code),
                text=here.get(code, ""),
                is_here=code in here,
                inherited_text=inherited[code].inherited if code in inherited else "",
                inherited_level=inherited[code].inherited_level if code in inherited else "",
            )
            for code in sorted({*here, *inherited})
        ]

    @property
    def greeting_rows(self) -> list[TextRow]:
        return self.text_rows("greetings")

    @property
    def consent_rows(self) -> list[TextRow]:
        return self.text_rows("consents")

    @property
    def apology_rows(self) -> list[TextRow]:
        return self.text_rows("apologies")

    def languages_left(self, name: str) -> list[tuple[str, str]]:
        """Languages that a text may still be added in."""
        used = {row.language for row in self.text_rows(name)}
        return [choice for choice in setting_words.language_choices() if choice[0] not in used]

    @property
    def greeting_languages_left(self) -> list[tuple[str, str]]:
        return self.languages_left("greetings")

    @property
    def consent_languages_left(self) -> list[tuple[str, str]]:
        return self.languages_left("consents")

    @property
    def apology_languages_left(self) -> list[tuple[str, str]]:
        return self.languages_left("apologies")

    def has_problem_in(self, group: str) -> bool:
        return any(name in self.errors for name in GROUPS.get(group, ()))


class TenantSettingsForm(SettingsForm):
    """What a tenant sets for all its agents."""

    level = "tenant"

    class Meta:
        model = TenantSettings
        fields = SETTING_NAMES
