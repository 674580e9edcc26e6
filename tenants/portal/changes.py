"""What differs between two states of an agent, for people."""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from typing import Any

from django.utils.functional import Promise

from tenants.models import Agent, AgentRevision
from tenants.portal import setting_words
from tenants.services.publishing import CONTENT


@dataclass(frozen=True)
class Line:
    """A line of a longer text: kind is added, gone or same."""

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


def _change(name: str, before: Any, after: Any) -> Change:
    old = None if before is None else setting_words.describe(name, before)
    new = None if after is None else setting_words.describe(name, after)
    is_long = any(text and ("\n" in text or len(text) > 80) for text in (old, new))
    return Change(
        name=name,
        label=setting_words.LABELS[name],
        old=old,
        new=new,
        lines=_lines(old or "", new or "") if is_long else (),
    )


def _lines(old: str, new: str) -> tuple[Line, ...]:
    kinds = {"+": "added", "-": "gone", " ": "same"}
    compared = difflib.ndiff(old.splitlines(), new.splitlines())
    return tuple(Line(kinds[line[0]], line[2:]) for line in compared if line[0] in kinds)
