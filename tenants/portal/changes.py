"""What differs between two states of an agent, for people."""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from typing import Any, Final

from django.utils.functional import Promise
from django.utils.translation import gettext as _

from tenants.models import Agent, AgentRevision, Tenant
from tenants.portal import setting_words
from tenants.services.effective import TEXT_NAMES, EffectiveValue
from tenants.services.publishing import CONTENT, Effect, effects

AROUND: Final = 2
"""Lines shown before and after one that changed."""
LONG: Final = 80
"""Characters from which on a text is compared line by line."""


@dataclass(frozen=True)
class Line:
    """A line of a longer text: kind is added, gone, same, or left for lines that are left out."""

    kind: str
    text: str


@dataclass(frozen=True, kw_only=True)
class Change:
    """One thing that differs. Longer texts are compared line by line; None: inherited."""

    name: str
    label: str | Promise
    old: str | None
    new: str | None
    lines: tuple[Line, ...] = ()


def changes(old: Agent | AgentRevision | None, new: Agent | AgentRevision) -> list[Change]:
    """What changed from `old` (None: nothing yet) to `new`, in the order of the settings."""
    found = []
    for name in CONTENT:
        before = getattr(old, name) if old else None
        after = getattr(new, name)
        if before != after and not (old is None and after in (None, [], "")):
            found.append(_change(name, before, after))
    return found


@dataclass(frozen=True, kw_only=True)
class Side:
    """What holds on one side, and the level that it comes from."""

    text: str
    level: str
    locked: bool


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """One thing that two states say differently, as callers get it; None: there is nothing."""

    name: str
    label: str
    old: Side | None
    new: Side | None
    is_felt: bool
    lines: tuple[Line, ...] = ()


def compared(
    old: Agent | AgentRevision | None, new: Agent | AgentRevision, tenant: Tenant
) -> list[Comparison]:
    """What differs between two states, what callers get otherwise first."""
    found = [_compared(effect) for effect in effects(old=old, new=new, tenant=tenant)]
    order = {name: place for place, name in enumerate(CONTENT)}
    return sorted(found, key=lambda one: (not one.is_felt, order[one.name]))


def _compared(effect: Effect) -> Comparison:
    old, new = _side(effect, effect.old), _side(effect, effect.new)
    texts = [side.text if side else "" for side in (old, new)]
    label = str(setting_words.LABELS[effect.name])
    if effect.language:
        label = f"{label}: {setting_words.language_name(effect.language)}"
    return Comparison(
        name=effect.name,
        label=label,
        old=old,
        new=new,
        is_felt=effect.is_felt,
        lines=_lines(*texts) if effect.is_felt and _is_long(*texts) else (),
    )


def _side(effect: Effect, value: EffectiveValue | None) -> Side | None:
    if value is None:
        return None
    is_text = effect.name in TEXT_NAMES
    text = (
        value.value or _("nothing is said")
        if is_text
        else (setting_words.describe(effect.name, value.value))
    )
    return Side(text=text, level=value.level, locked=value.locked)


def _change(name: str, before: Any, after: Any) -> Change:
    old = None if before is None else setting_words.describe(name, before)
    new = None if after is None else setting_words.describe(name, after)
    return Change(
        name=name,
        label=setting_words.LABELS[name],
        old=old,
        new=new,
        lines=_lines(old or "", new or "") if _is_long(old, new) else (),
    )


def _is_long(*texts: str | None) -> bool:
    return any(text and ("\n" in text or len(text) > LONG) for text in texts)


def _lines(old: str, new: str) -> tuple[Line, ...]:
    """The lines that differ, with a few around them."""
    kinds = {"+": "added", "-": "gone", " ": "same"}
    compared = difflib.ndiff(old.splitlines(), new.splitlines())
    lines = [Line(kinds[line[0]], line[2:]) for line in compared if line[0] in kinds]
    near = {
        place
        for changed, line in enumerate(lines)
        if line.kind != "same"
        for place in range(changed - AROUND, changed + AROUND + 1)
    }
    shown: list[Line] = []
    for place, line in enumerate(lines):
        if place in near:
            shown.append(line)
        elif not shown or shown[-1].kind != "left":
            shown.append(Line("left", "…"))
    return tuple(shown)
