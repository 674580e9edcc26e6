"""Fields that the settings form is made of, and how a page sees a setting."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, Final

from django import forms
from django.forms import BoundField
from django.utils.translation import gettext_lazy

OFF: Final = "off"
"""Typed into a text field, it stands for the empty value: switched off, not inherited."""


@dataclass(frozen=True, kw_only=True)
class SettingRow:
    """A setting on the page; templates/components/field.html draws it."""

    field: BoundField
    is_here: bool
    inherited_text: str
    inherited_short: str
    inherited_level: str
    shown_if: str
    locked: bool = False
    """The operator has locked it: its field is disabled, and `inherited_text` holds."""


@dataclass(frozen=True, kw_only=True)
class TextRow:
    """A text in one language, set here or inherited."""

    language: str
    name: str
    text: str
    is_here: bool
    inherited_text: str
    inherited_level: str


class OffField(forms.CharField):
    """A text that may be switched off: `off` is kept as the empty text, nothing typed is None."""

    def to_python(self, value: Any) -> Any:
        text = (value or "").strip()
        if not text:
            return None
        return "" if text.lower() == OFF else text


class ObjectField(forms.JSONField):
    """A JSON object; nothing typed is None: inherited."""

    widget = forms.Textarea(attrs={"class": "code", "rows": 6, "spellcheck": "false"})

    def prepare_value(self, value: Any) -> Any:
        if value is None:
            return ""
        return json.dumps(value, indent=2, ensure_ascii=False) if isinstance(value, dict) else value


def number(low: float, high: float, step: float, help_text: Any, kind: type[Any]) -> Any:
    widget = forms.NumberInput(attrs={"step": step, "class": "short", "inputmode": "decimal"})
    return kind(required=False, min_value=low, max_value=high, widget=widget, help_text=help_text)


def choice(of: Any, help_text: Any = "") -> forms.TypedChoiceField:
    return forms.TypedChoiceField(
        choices=[("", ""), *of.choices], required=False, empty_value=None, help_text=help_text
    )


def yes_no(help_text: Any) -> forms.TypedChoiceField:
    return forms.TypedChoiceField(
        required=False,
        choices=[("", ""), ("true", gettext_lazy("Yes")), ("false", gettext_lazy("No"))],
        coerce=lambda value: value == "true",
        empty_value=None,
        help_text=help_text,
    )
