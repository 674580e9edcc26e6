"""A prompt or greeting as one made-up caller would get it, and names in it that nobody fills in."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy

from media_worker import contract
from tenants.services import variables
from tenants.services.effective import EffectiveSettings

MEANINGS: Final[dict[str, str | Promise]] = {
    "caller": gettext_lazy("the caller's number"),
    "caller_name": gettext_lazy("the caller's name, where the line sends one"),
    "called": gettext_lazy("the number that was called"),
    "language": gettext_lazy("the language of the call"),
    "agent": gettext_lazy("the agent's name"),
    "tenant": gettext_lazy("your company's name"),
    "opening_hours": gettext_lazy("when the number is open"),
    "date": gettext_lazy("today"),
    "time": gettext_lazy("the time of day"),
    "weekday": gettext_lazy("the day of the week"),
}


@dataclass(frozen=True)
class Piece:
    """A part of a text: kind is text, value or unknown."""

    kind: str
    text: str


@dataclass(frozen=True, kw_only=True)
class VariableRow:
    name: str
    meaning: str | Promise
    sample: str


def pieces(template: str, values: dict[str, str]) -> list[Piece]:
    """The text cut at its variables, those with their values."""
    found, at = [], 0
    for match in contract.VARIABLE.finditer(template):
        found.append(Piece("text", template[at : match.start()]))
        kind = "value" if match.group(1) in values else "unknown"
        found.append(Piece(kind, contract.fill(match.group(0), values)))
        at = match.end()
    found.append(Piece("text", template[at:]))
    return [piece for piece in found if piece.text]


def variable_rows(values: dict[str, str]) -> list[VariableRow]:
    """What a text may name, with the values of a made-up caller."""
    return [
        VariableRow(name=name, meaning=meaning, sample=values[name])
        for name, meaning in MEANINGS.items()
    ]


def unknown_variables(settings: EffectiveSettings) -> list[str]:
    """Names that the texts of an agent use and nobody fills in."""
    said = [
        str(value.value)
        for texts in (settings.greetings, settings.consents, settings.apologies)
        for value in texts.values()
    ]
    return variables.unknown_in([str(settings["instructions"].value), *said])


def preview_of(text: str, values: dict[str, str]) -> dict[str, object]:
    """Context of components/prompt_preview.html."""
    return {"pieces": pieces(text, values), "unknown": variables.unknown_in([text])}
