"""Charts as tables: what templates/components/chart.html and static/js/charts.js draw."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from django.utils.functional import Promise

TOKENS: Final = {"accent": "--bar-provider", "warn": "--warn-mark", "bad": "--bad-mark"}


@dataclass(frozen=True)
class Column:
    """One series; `tone` is a key of TOKENS."""

    label: str | Promise
    tone: str = "accent"

    @property
    def token(self) -> str:
        """The colour as static/css/tokens.css names it."""
        return TOKENS[self.tone]


@dataclass(frozen=True)
class Cell:
    value: str
    """A plain number, for the script."""
    text: str


@dataclass(frozen=True)
class Row:
    title: str
    cells: Sequence[Cell]
    short: str = ""
    """The title as it stands below the chart; empty: as it is."""


@dataclass(frozen=True, kw_only=True)
class Chart:
    title: str
    head: str
    """Of the column of titles."""
    columns: Sequence[Column]
    rows: Sequence[Row]
    help: str = ""
    unit: str = "count"
    """count, minutes, money or ms."""
    currency: str = ""

    @property
    def kind(self) -> str:
        return "stack" if len(self.columns) > 1 else "bars"
