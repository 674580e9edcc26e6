"""The grammar of one session: the office sentences, and whom its tools can connect a caller to."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from media_worker.sandbox.recognition.phrases import RULES
from media_worker.sandbox.recognition.pronunciation import plain_words, pronounce

_MAX_TARGETS = 200
_MAX_WORDS_IN_FORM = 5
_UNIT = re.compile(r"^(department|team|desk|office|line|group|service)$")


@dataclass(frozen=True)
class Target:
    """One value that `transfer_call` takes, and what callers may call it."""

    name: str
    forms: tuple[str, ...]
    """Lower-case words without punctuation; the name first, then parts of the description."""


@dataclass(frozen=True)
class Grammar:
    targets: tuple[Target, ...] = ()

    @cached_property
    def jsgf(self) -> str:
        return f"#JSGF V1.0;\ngrammar office;\n{_with_targets(self.targets)}"

    @cached_property
    def pronunciations(self) -> dict[str, str]:
        """Phones of each word of the targets, for those that the dictionary lacks."""
        words = {word for target in self.targets for form in target.forms for word in form.split()}
        return {word: pronounce(word) for word in sorted(words)}

    @cached_property
    def key(self) -> str:
        return hashlib.sha256(self.jsgf.encode()).hexdigest()


def _with_targets(targets: tuple[Target, ...]) -> str:
    forms = list(dict.fromkeys(form for target in targets for form in target.forms))
    if not forms:
        return RULES.replace("<whom> = <person> <connecting> ;", "<whom> = <person> ;")
    names = " | ".join(f"( {form} )" for form in forms)
    rules = RULES.replace(
        "<whom> = <person> <connecting> ;",
        "<whom> = <person> [ ( in | from | at ) <target> ] | <target> ;",
    ).replace(
        "<small> = ",
        "<small> = [ <opening> ] <target> [ please ] | ( i need | i want | give me ) <target>"
        " [ please ] | ",
    )
    unit = "department | team | desk | office"
    return f"{rules}\n<target> = [ the ] ( {names} ) [ {unit} ] ;\n"


def grammar_of(tools: Sequence[dict[str, Any]]) -> Grammar:
    """Built from the session's function tools: every parameter called `target` with an enum."""
    targets: list[Target] = []
    for tool in tools:
        parameters = tool.get("parameters") or {}
        target = (parameters.get("properties") or {}).get("target") or {}
        names = [name for name in target.get("enum") or [] if isinstance(name, str)]
        descriptions = _descriptions(names, tool.get("description") or "")
        targets += [Target(name, _forms(name, descriptions.get(name, ""))) for name in names]
    return Grammar(tuple(target for target in targets[:_MAX_TARGETS] if target.forms))


def _descriptions(names: list[str], text: str) -> dict[str, str]:
    """`Targets: sales: offers and orders; support: help.` -> what is said of each name."""
    found: dict[str, str] = {}
    for name in names:
        match = re.search(rf"(?:^|[\s;.:,(-]){re.escape(name)}\s*[:=-]\s*([^;\n]+)", text)
        if match:
            found[name] = match.group(1)
    return found


def _forms(name: str, description: str) -> tuple[str, ...]:
    spoken = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name)
    pieces = [spoken, *re.split(r"[,;/()]|\band\b|\bor\b|\.(?:\s|$)", description)]
    forms: list[str] = []
    for piece in pieces:
        words = plain_words(piece)
        while len(words) > 1 and (words[0] in ("the", "our") or _UNIT.match(words[-1])):
            words = words[1:] if words[0] in ("the", "our") else words[:-1]
        if 0 < len(words) <= _MAX_WORDS_IN_FORM:
            forms.append(" ".join(words))
    return tuple(dict.fromkeys(forms))
