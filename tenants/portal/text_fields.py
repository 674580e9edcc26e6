"""Form fields for what is more than one value: texts by language, transfer targets.

Their controls are drawn by the components texts.html and targets.html; the widgets here only read
what those send.
"""

from __future__ import annotations

from typing import Any

from django import forms


class TextsInput(forms.Widget):
    """`<name>-languages` lists the languages set here, `<name>-<language>` is each text."""

    def value_from_datadict(self, data: Any, files: Any, name: str) -> dict[str, str] | None:
        languages = data.getlist(f"{name}-languages") if hasattr(data, "getlist") else []
        texts = {
            language: data.get(f"{name}-{language}", "").strip().replace("\r\n", "\n")
            for language in languages
        }
        return texts or None

    def value_omitted_from_data(self, data: Any, files: Any, name: str) -> bool:
        return False


class TextsField(forms.Field):
    """Texts by language; none at all is None: inherited."""

    widget = TextsInput

    def has_changed(self, initial: Any, data: Any) -> bool:
        return (initial or None) != (data or None)


class TargetsInput(forms.Widget):
    """Rows of `<name>-name`, `<name>-uri` and `<name>-description`, in the order of the page."""

    def value_from_datadict(self, data: Any, files: Any, name: str) -> list[dict[str, str]]:
        if not hasattr(data, "getlist"):
            return []
        columns = [data.getlist(f"{name}-{part}") for part in ("name", "uri", "description")]
        rows = [[cell.strip() for cell in row] for row in zip(*columns, strict=False)]
        return [
            {"name": name_of_target(label), "uri": uri, "description": description}
            for label, uri, description in rows
            if label or uri or description
        ]

    def value_omitted_from_data(self, data: Any, files: Any, name: str) -> bool:
        return False


def name_of_target(typed: str) -> str:
    """A target's name as the model says it: `Sales team` becomes `sales_team`."""
    return "_".join(typed.lower().split())


class TargetsField(forms.Field):
    widget = TargetsInput

    def has_changed(self, initial: Any, data: Any) -> bool:
        return (initial or []) != (data or [])
