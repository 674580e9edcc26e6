"""The picture in docs/benchmark.md: CPU, delay and memory by the number of calls."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import matplotlib as mpl
from matplotlib.figure import Figure

from bench.load import Row
from bench.results import by_step

COLOURS: Final = {"floor": "#8a8f98", "product": "#2563c9"}
_PANELS: Final[list[tuple[str, list[tuple[str, str, Callable[[Row], float]]]]]] = [
    ("CPU, % of one core", [("", "-", lambda row: row.cpu)]),
    (
        "added delay p95, ms",
        [
            (", caller→provider", "-", lambda row: row.up_p95),
            (", provider→caller", "--", lambda row: row.down_p95),
        ],
    ),
    ("memory grown, MB", [("", "-", lambda row: row.memory_a_call * row.answered)]),
]


def draw(rows: list[Row], path: Path) -> None:
    """Medians as lines, the spread of the runs as bands; SVG, the same bytes for the same rows."""
    mpl.rcParams.update({"svg.hashsalt": "pbxai", "font.size": 9, "font.family": "sans-serif"})
    figure = Figure(figsize=(10.5, 3.3), layout="constrained")
    for axes, (title, lines) in zip(figure.subplots(1, len(_PANELS)), _PANELS, strict=True):
        for target, colour in COLOURS.items():
            for suffix, style, value in lines:
                _line(axes, rows, target, target + suffix, style, colour, value)
        axes.set_title(title, fontsize=10)
        axes.set_xlabel("calls at once")
        axes.set_ylim(bottom=0)
        axes.grid(color="#e3e6ea", linewidth=0.6)
        axes.spines[["top", "right"]].set_visible(False)
        axes.legend(frameon=False, fontsize=8)
    figure.savefig(path, format="svg", metadata={"Date": None})


def _line(
    axes: Any,
    rows: list[Row],
    target: str,
    label: str,
    style: str,
    colour: str,
    value: Callable[[Row], float],
) -> None:
    steps = sorted(
        (calls, sorted(value(run) for run in runs))
        for (name, calls), runs in by_step(rows).items()
        if name == target
    )
    calls = [count for count, _ in steps]
    axes.plot(
        calls,
        [values[len(values) // 2] for _, values in steps],
        style,
        color=colour,
        marker="o",
        markersize=3,
        label=label,
    )
    low, high = [values[0] for _, values in steps], [values[-1] for _, values in steps]
    axes.fill_between(calls, low, high, color=colour, alpha=0.15, linewidth=0)
