"""Sets of turn-taking settings that belong together, put into the form with one press.

They are only data: what is saved are the settings themselves, so a preset may change in a later
version and no agent changes with it.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, Final

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy

from tenants.models.choices import Eagerness, LocalVad, NoiseReduction, VadMode
from tenants.portal import setting_words
from tenants.services.effective import EffectiveSettings


@dataclass(frozen=True, kw_only=True)
class Preset:
    key: str
    label: str | Promise
    sentence: str | Promise
    values: dict[str, Any]


PRESETS: Final = (
    Preset(
        key="quick",
        label=gettext_lazy("Quick"),
        sentence=gettext_lazy("Answers at the first short pause. For brief questions and orders."),
        values={
            "vad_mode": VadMode.SERVER.value,
            "vad_threshold": 0.5,
            "silence_duration_ms": 300,
            "prefix_padding_ms": 300,
            "interrupt": True,
        },
    ),
    Preset(
        key="patient",
        label=gettext_lazy("Patient"),
        sentence=gettext_lazy(
            "Lets people think in the middle of a sentence. For those who tell a story or look"
            " something up."
        ),
        values={
            "vad_mode": VadMode.SEMANTIC.value,
            "eagerness": Eagerness.LOW.value,
            "interrupt": True,
        },
    ),
    Preset(
        key="noisy",
        label=gettext_lazy("Noisy line"),
        sentence=gettext_lazy(
            "Takes streets, keys and music for what they are. For callers in cars and shops."
        ),
        values={
            "vad_mode": VadMode.SERVER.value,
            "vad_threshold": 0.75,
            "silence_duration_ms": 600,
            "greeting_guard_ms": 2500,
            "noise_reduction": NoiseReduction.NEAR_FIELD.value,
            "local_vad": LocalVad.NEURAL.value,
            "vad_stops_agent": True,
            "false_interruption_ms": 1500,
        },
    ),
)


@dataclass(frozen=True, kw_only=True)
class PresetChange:
    label: str | Promise
    old: str
    new: str


@dataclass(frozen=True, kw_only=True)
class PresetCard:
    """A preset as the page shows it: what it would change of what holds now."""

    key: str
    label: str | Promise
    sentence: str | Promise
    changes: list[PresetChange]
    typed: str
    """The fields and what to put into them, as JSON."""


def preset_cards(effective: EffectiveSettings) -> list[PresetCard]:
    """The presets; what the operator has locked is left out of them."""
    return [_card(preset, effective) for preset in PRESETS]


def _card(preset: Preset, effective: EffectiveSettings) -> PresetCard:
    free = {name: value for name, value in preset.values.items() if not effective[name].locked}
    changes = [
        PresetChange(
            label=setting_words.LABELS[name],
            old=setting_words.describe(name, effective[name].value),
            new=setting_words.describe(name, value),
        )
        for name, value in free.items()
        if value != effective[name].value
    ]
    return PresetCard(
        key=preset.key,
        label=preset.label,
        sentence=preset.sentence,
        changes=changes,
        typed=json.dumps({name: _typed(value) for name, value in free.items()}),
    )


def _typed(value: Any) -> str:
    """As the form's field has it."""
    return str(value).lower() if isinstance(value, bool) else str(value)
