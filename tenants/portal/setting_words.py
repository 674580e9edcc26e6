"""A setting in words: its name, its groups on the pages, and a value as a person reads it."""

from __future__ import annotations

import json
from typing import Any, Final

from django.utils.formats import number_format
from django.utils.functional import Promise
from django.utils.text import Truncator
from django.utils.translation import get_language_info, gettext_lazy
from django.utils.translation import gettext as _

from tenants.models import choices

SPEECH_LANGUAGES: Final = (
    "en", "de", "fr", "es", "it", "nl", "pl", "pt", "tr", "da", "sv", "nb", "fi", "cs", "hu",
    "ro", "uk", "ru", "ar",
)  # fmt: skip
"""Languages that the pages offer; any other code may be set through the console."""

LABELS: Final[dict[str, str | Promise]] = {
    "name": gettext_lazy("Name"),
    "instructions": gettext_lazy("Prompt"),
    "provider_account": gettext_lazy("Provider account"),
    "dialect": gettext_lazy("Dialect"),
    "model": gettext_lazy("Model"),
    "voice": gettext_lazy("Voice"),
    "audio_format": gettext_lazy("Sound format"),
    "language": gettext_lazy("Language"),
    "speed": gettext_lazy("Speaking speed"),
    "vad_mode": gettext_lazy("Who decides that the caller has finished"),
    "vad_threshold": gettext_lazy("How loud speech has to be"),
    "prefix_padding_ms": gettext_lazy("Sound kept from before the speech"),
    "silence_duration_ms": gettext_lazy("Silence that ends the caller's turn"),
    "idle_timeout_ms": gettext_lazy("Speak up when the caller stays silent for"),
    "eagerness": gettext_lazy("Eagerness to answer"),
    "interrupt": gettext_lazy("The caller may interrupt"),
    "greeting_guard_ms": gettext_lazy("Protect the greeting for"),
    "local_vad": gettext_lazy("Voice detection on our side"),
    "vad_stops_agent": gettext_lazy("It silences the agent at once"),
    "false_interruption_ms": gettext_lazy("After a mere noise, the agent goes on in"),
    "vad_gates_audio": gettext_lazy("Send only speech to the provider"),
    "chunk_ms": gettext_lazy("Sound goes to the provider in pieces of"),
    "record": gettext_lazy("Record calls"),
    "session_extra": gettext_lazy("Further fields of the provider's session"),
    "consents": gettext_lazy("Announcements of the recording"),
    "noise_reduction": gettext_lazy("Noise reduction"),
    "temperature": gettext_lazy("Temperature"),
    "max_output_tokens": gettext_lazy("Longest answer"),
    "transcription_model": gettext_lazy("Model that writes down the caller"),
    "transcription_language": gettext_lazy("Language that the caller is written down in"),
    "greetings": gettext_lazy("Greetings"),
    "apologies": gettext_lazy("Apologies"),
    "hang_up_enabled": gettext_lazy("The agent may hang up"),
    "transfer_targets": gettext_lazy("Transfer targets"),
    "fallback_account": gettext_lazy("Second provider account"),
    "fallback_target": gettext_lazy("When no provider works, transfer to"),
}

_CHOICES: Final[dict[str, type[Any]]] = {
    "dialect": choices.Dialect,
    "audio_format": choices.AudioFormat,
    "vad_mode": choices.VadMode,
    "eagerness": choices.Eagerness,
    "local_vad": choices.LocalVad,
    "noise_reduction": choices.NoiseReduction,
}


def language_name(code: str) -> str:
    """A language in the reader's language; an unknown code as it is."""
    try:
        # Django's list has "Norwegian Bokmal", its translations have "Norwegian Bokmål".
        return str(_(get_language_info(code)["name"].replace("Bokmal", "Bokmål")))
    except KeyError:
        return code


def language_choices() -> list[tuple[str, str]]:
    return sorted(((code, language_name(code)) for code in SPEECH_LANGUAGES), key=lambda c: c[1])


def describe(name: str, value: Any) -> str:
    """A setting's value as a person reads it."""
    if value is None:
        return _("none")
    if name in _CHOICES:
        return str(dict(_CHOICES[name].choices).get(value, value))
    if name.endswith("_ms"):
        return _milliseconds(name, value)
    if isinstance(value, bool):
        return _("yes") if value else _("no")
    if isinstance(value, float):
        return number_format(value)
    return _described_text(name, value)


def _milliseconds(name: str, value: int) -> str:
    if name in {"idle_timeout_ms", "false_interruption_ms"} and value == 0:
        return _("never")
    return _("%(count)s ms") % {"count": number_format(value, force_grouping=False)}


def _described_text(name: str, value: Any) -> str:
    if name == "session_extra":
        return json.dumps(value, indent=2, ensure_ascii=False) if value else _("none")
    if name == "fallback_target" and value == "":
        return _("nobody")
    if name == "max_output_tokens":
        return _("no limit") if value == "inf" else _("%(count)s tokens") % {"count": value}
    if name == "transcription_model" and value == "":
        return _("off")
    if name == "transcription_language" and value == "":
        return _("the provider finds out")
    if name in {"language", "transcription_language"}:
        return language_name(value)
    if name in {"greetings", "consents", "apologies"}:
        return "\n".join(
            f"{language_name(code)}: {text or _('nothing is said')}" for code, text in value.items()
        )
    if name == "transfer_targets":
        lines = (f"{t['name']} → {t['uri']} {t.get('description', '')}".strip() for t in value)
        return "\n".join(lines) or _("none")
    return str(value)


def short(name: str, value: Any) -> str:
    """The same in one line."""
    return Truncator(" ".join(describe(name, value).split())).chars(80)
