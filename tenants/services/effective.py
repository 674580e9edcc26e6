"""Which settings hold: platform, tenant, agent; the most specific level that sets a value wins.

Pages and call plans both come from here, so what a page shows is what a call gets.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

from django.utils.translation import gettext as _

from media_worker import contract
from tenants.models import (
    Agent,
    AgentRevision,
    PlatformSettings,
    ProviderAccount,
    Tenant,
    TenantSettings,
)
from tenants.models import session_extra as session_fields
from tenants.models.settings import SETTING_NAMES, SettingsFields

Level = Literal["platform", "tenant", "agent"]
FALLBACK_LANGUAGE: Final = "en"
TEXT_NAMES: Final = ("greetings", "consents", "apologies")
"""Settings that are merged language by language."""
VALUE_NAMES: Final = tuple(name for name in SETTING_NAMES if name not in TEXT_NAMES)

BUILT_IN: Final[dict[str, Any]] = {
    "provider_account": None,
    "dialect": contract.Dialect.OPENAI.value,
    "model": "gpt-realtime-2.1",
    "voice": "marin",
    "instructions": (
        "You answer the telephone. Be friendly and brief, say one thing at a time, and ask when "
        "you did not understand. Speak the language that the caller speaks."
    ),
    "language": FALLBACK_LANGUAGE,
    "audio_format": contract.AudioFormat.PCMU.value,
    "vad_mode": contract.VadMode.SERVER.value,
    "vad_threshold": 0.5,
    "prefix_padding_ms": 300,
    "silence_duration_ms": 500,
    "idle_timeout_ms": 0,
    "eagerness": contract.Eagerness.AUTO.value,
    "interrupt": True,
    "greeting_guard_ms": 1000,
    "noise_reduction": contract.NoiseReduction.OFF.value,
    "speed": 1.0,
    "temperature": 0.8,
    "max_output_tokens": "inf",
    "transcription_model": "gpt-transcribe",
    "transcription_language": "",
    "local_vad": contract.LocalVad.OFF.value,
    "vad_gates_audio": False,
    "vad_stops_agent": True,
    "false_interruption_ms": 1500,
    "chunk_ms": 40,
    "record": False,
    "session_extra": {},
    "greetings": {"en": "Hello! How can I help you?"},
    "consents": {
        "en": "This call is recorded.",
        "de": "Dieses Gespräch wird aufgezeichnet.",
    },
    "apologies": {
        "en": "I am sorry, something is not working on our side. Please call again later.",
        "de": "Es tut mir leid, bei uns gibt es gerade eine Störung. "
        "Bitte rufen Sie später noch einmal an.",
    },
}
"""The platform's values until the operator changes them; each setting has one, so every call has a
value. Model names are those without an announced shutdown (REALTIME.md section 0)."""


@dataclass(frozen=True, slots=True)
class EffectiveValue:
    """A value, where it comes from, and what would hold if the level looked at did not set it."""

    value: Any
    level: Level
    inherited: Any
    inherited_level: Level
    locked: bool = False
    """The operator has locked it: what the levels below the platform set does not count."""


@dataclass(frozen=True, slots=True)
class EffectiveSettings:
    """Every setting as it holds. `settings["voice"].level`; texts by language."""

    values: Mapping[str, EffectiveValue]
    greetings: Mapping[str, EffectiveValue]
    consents: Mapping[str, EffectiveValue]
    apologies: Mapping[str, EffectiveValue]

    def __getitem__(self, name: str) -> EffectiveValue:
        return self.values[name]

    @property
    def provider_account(self) -> ProviderAccount | None:
        account: ProviderAccount | None = self["provider_account"].value
        return account

    @property
    def language(self) -> str:
        return str(self["language"].value)

    def greeting(self, language: str) -> tuple[str, EffectiveValue] | None:
        """Language and text of the greeting for a call in `language`; None: nobody greets."""
        found = _for_language(self.greetings, language)
        return found if found and found[1].value.strip() else None

    def consent(self, language: str) -> tuple[str, EffectiveValue] | None:
        """Language and text of what is said before a recorded call; None: it is not announced."""
        found = _for_language(self.consents, language)
        return found if found and found[1].value.strip() else None

    def apology(self, language: str) -> tuple[str, EffectiveValue]:
        """Language and text of what is said when the provider fails; there always is one."""
        found = _for_language(self.apologies, language)
        if found is None:  # an operator who took English out
            built_in: str = BUILT_IN["apologies"][FALLBACK_LANGUAGE]
            return FALLBACK_LANGUAGE, EffectiveValue(built_in, "platform", built_in, "platform")
        return found

    def for_contract(self) -> contract.Settings:
        """The settings as a worker gets them."""
        return contract_settings({name: value.value for name, value in self.values.items()})

    def conflicts(self) -> dict[str, str]:
        """Settings that cannot hold together, by the name of the one to change."""
        found = {}
        if (
            self["audio_format"].value == contract.AudioFormat.PCM_16K
            and self["dialect"].value != contract.Dialect.OPENAI_BETA
        ):
            found["audio_format"] = _("PCM at 16 kHz is known to the beta dialect only.")
        if (
            self["vad_mode"].value == contract.VadMode.LOCAL
            and self["local_vad"].value == contract.LocalVad.OFF
        ):
            found["local_vad"] = _(
                "The end of a turn is to be found here, so a local voice detection is needed."
            )
        unknown = set(self["session_extra"].value) - session_fields.BETA
        if unknown and self["dialect"].value == contract.Dialect.OPENAI_BETA:
            found["session_extra"] = _("The beta dialect does not know: %(names)s.") % {
                "names": ", ".join(sorted(unknown))
            }
        return found


def effective_settings(
    *, tenant: Tenant | None, source: Agent | AgentRevision | None = None
) -> EffectiveSettings:
    """The settings of an agent's draft, of a revision, of a tenant (no source), or of the platform
    (neither). Unsaved changes of `source` count, so that a form can show what they lead to.
    """
    levels: list[tuple[Level, SettingsFields]] = [("platform", platform_settings())]
    if tenant is not None:
        levels.append(("tenant", tenant_settings(tenant)))
    if source is not None:
        levels.append(("agent", source))
    return merge(levels)


def merge(levels: Sequence[tuple[Level, SettingsFields]]) -> EffectiveSettings:
    """Lay levels over each other, the most general first; of a locked setting only the platform's
    own value counts.
    """
    return EffectiveSettings(
        values={name: _layer(*_given(name, levels), BUILT_IN[name]) for name in VALUE_NAMES},
        greetings=_layer_texts("greetings", levels),
        consents=_layer_texts("consents", levels),
        apologies=_layer_texts("apologies", levels),
    )


def _given(
    name: str, levels: Sequence[tuple[Level, SettingsFields]]
) -> tuple[list[tuple[Level, Any]], bool]:
    """What each level says of a setting, None where it says nothing; and whether it is locked."""
    platform = levels[0][1]
    locked = isinstance(platform, PlatformSettings) and name in platform.locked
    return [
        (level, None if locked and level != "platform" else getattr(row, name))
        for level, row in levels
    ], locked


def platform_settings() -> PlatformSettings:
    """The one row, made with the built-in values at first use."""
    row, _created = PlatformSettings.objects.select_related("provider_account").get_or_create(
        pk=PlatformSettings.PK, defaults=BUILT_IN
    )
    return row


def tenant_settings(tenant: Tenant) -> TenantSettings:
    """The tenant's row, made empty at first use."""
    row, _created = TenantSettings.all_tenants.select_related("provider_account").get_or_create(
        tenant=tenant
    )
    return row


def contract_settings(values: Mapping[str, Any]) -> contract.Settings:
    """Turn values by name into the contract's struct."""
    tokens = values["max_output_tokens"]
    return contract.Settings(
        dialect=contract.Dialect(values["dialect"]),
        model=values["model"],
        voice=values["voice"],
        instructions=values["instructions"],
        audio_format=contract.AudioFormat(values["audio_format"]),
        vad_mode=contract.VadMode(values["vad_mode"]),
        vad_threshold=values["vad_threshold"],
        prefix_padding_ms=values["prefix_padding_ms"],
        silence_duration_ms=values["silence_duration_ms"],
        idle_timeout_ms=values["idle_timeout_ms"],
        eagerness=contract.Eagerness(values["eagerness"]),
        interrupt=values["interrupt"],
        greeting_guard_ms=values["greeting_guard_ms"],
        noise_reduction=contract.NoiseReduction(values["noise_reduction"]),
        speed=values["speed"],
        temperature=values["temperature"],
        max_output_tokens=None if tokens == "inf" else int(tokens),
        transcription_model=values["transcription_model"],
        transcription_language=values["transcription_language"],
        local_vad=contract.LocalVad(values["local_vad"]),
        vad_gates_audio=values["vad_gates_audio"],
        vad_stops_agent=values["vad_stops_agent"],
        false_interruption_ms=values["false_interruption_ms"],
        chunk_ms=values["chunk_ms"],
        record=values["record"],
        session_extra=values["session_extra"],
    )


def _layer(levels: Sequence[tuple[Level, Any]], locked: bool, built_in: Any) -> EffectiveValue:
    value, level = _last_set(levels, built_in)
    inherited, inherited_level = _last_set(levels[:-1], built_in)
    return EffectiveValue(value, level, inherited, inherited_level, locked)


def _last_set(levels: Sequence[tuple[Level, Any]], built_in: Any) -> tuple[Any, Level]:
    for level, value in reversed(levels):
        if value is not None:
            return value, level
    return built_in, "platform"


def _layer_texts(
    name: str, levels: Sequence[tuple[Level, SettingsFields]]
) -> dict[str, EffectiveValue]:
    given, locked = _given(name, levels)
    texts: list[tuple[Level, dict[str, str]]] = [(level, by or {}) for level, by in given]
    if given[0][1] is None:
        texts.insert(0, ("platform", BUILT_IN[name]))
    languages = sorted({language for _level, by_language in texts for language in by_language})
    return {
        language: _layer(
            [(level, by.get(language)) for level, by in texts],
            locked,
            BUILT_IN[name].get(language, ""),
        )
        for language in languages
    }


def _for_language(
    texts: Mapping[str, EffectiveValue], language: str
) -> tuple[str, EffectiveValue] | None:
    """The text for a language, else for its main language, else the English one."""
    for candidate in (language, language.partition("-")[0], FALLBACK_LANGUAGE):
        if candidate in texts:
            return candidate, texts[candidate]
    return None
