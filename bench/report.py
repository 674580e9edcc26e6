"""Results as text, as docs/benchmark.md with its plot, and as JSON."""

from __future__ import annotations

from typing import Final

import msgspec

from bench.house import ROOT
from bench.load import Row
from bench.results import Results, by_step, median

DOCS: Final = ROOT / "docs"
PAGE: Final = DOCS / "benchmark.md"
DATA: Final = DOCS / "benchmark.json"
KEPT: Final = ROOT / "var" / "bench"
BEGIN: Final = "<!-- made by `make bench`: begin -->"
END: Final = "<!-- made by `make bench`: end -->"

PEERS: Final[dict[str, float]] = {
    "Rust peer": 0.54,
    "bare Rust transport": 0.33,
    "prototype": 0.40,
}
"""Published or measured before: percent of a core a call (issue 3 says how)."""

Table = list[list[str]]


def as_text(results: Results) -> str:
    return "\n".join(
        f"{title}\n{_aligned(table)}\n" for title, table in tables(results) if len(table) > 1
    )


def tables(results: Results) -> list[tuple[str, Table]]:
    """Title and rows of each; the first row is the heading."""
    return [
        ("Steps", _load_table(results.steps, "floor")),
        ("Variants", _load_table(results.variants, "PCMU")),
        ("Ten minutes", _steady_table(results.steady)),
    ]


def _load_table(rows: list[Row], base_name: str) -> Table:
    """Medians of the runs. `base_name`: what the CPU is compared with, at the same calls."""
    groups = by_step(rows)
    table = [
        [
            "what",
            "calls",
            "CPU % a call",
            f"x {base_name}",
            *(f"x {name}" for name in PEERS),
            "MB a call",
            "caller→provider p50/p95/p99 ms",
            "provider→caller p50/p95/p99 ms",
            "gap p90 ms (worst run)",
            "late %",
            "setup p95 ms",
            "first audio p95 ms",
            "generator CPU %",
            "runs",
            "doubts",
        ]
    ]
    for (target, calls), runs in groups.items():
        row, base = median(runs), groups.get((base_name, calls))
        ratio = row.cpu_a_call / median(base).cpu_a_call if base else float("nan")
        doubted = sum(1 for run in runs if not run.is_valid)
        table.append(
            [
                target,
                str(calls),
                f"{row.cpu_a_call:.3f}",
                f"{ratio:.2f}",
                *(f"{row.cpu_a_call / peer:.2f}" for peer in PEERS.values()),
                f"{row.memory_a_call:.2f}",
                f"{row.up_p50:.0f} / {row.up_p95:.0f} / {row.up_p99:.0f}",
                f"{row.down_p50:.0f} / {row.down_p95:.0f} / {row.down_p99:.0f}",
                f"{row.gap_p90:.0f} ({max(run.gap_p90 for run in runs):.0f})",
                f"{row.late:.3f}",
                f"{row.setup_p95:.0f}",
                f"{row.first_audio_p95:.0f}",
                f"{row.generator_cpu:.0f}",
                str(len(runs)),
                f"{doubted} runs" if doubted else "",
            ]
        )
    return table


def _steady_table(rows: list[Row]) -> Table:
    heading = [
        "calls",
        "seconds",
        "CPU % a call",
        "caller→provider p99 ms, first and last tenth",
        "provider→caller p99 ms, first and last tenth",
        "late %",
        "gap p90 ms",
    ]
    return [
        heading,
        *(
            [
                str(row.calls),
                f"{row.seconds:.0f}",
                f"{row.cpu_a_call:.3f}",
                f"{row.up_p99_first:.0f}, {row.up_p99_last:.0f}",
                f"{row.down_p99_first:.0f}, {row.down_p99_last:.0f}",
                f"{row.late:.3f}",
                f"{row.gap_p90:.0f}",
            ]
            for row in rows
        ),
    ]


def _aligned(table: Table) -> str:
    """For a terminal: one line a value where the table would be too wide, else columns."""
    heading, *rows = table
    lines = []
    for row in rows:
        lines.append(f"  {row[0]}")
        lines += [f"      {name:46} {value}" for name, value in zip(heading, row, strict=True)][1:]
    return "\n".join(lines)


# --- files ---------------------------------------------------------------------------------------


def keep(results: Results) -> None:
    """Beside the product's own data, whatever else becomes of the run."""
    KEPT.mkdir(parents=True, exist_ok=True)
    name = results.machine.date.replace(" ", "_").replace(":", "")
    (KEPT / f"{name}.json").write_bytes(_encode(results))


def write_docs(results: Results) -> None:
    """Replace what was measured anew in docs/benchmark.json, and the page's made part."""
    if DATA.exists():
        results = msgspec.json.decode(DATA.read_bytes(), type=Results).merged(results)
    DATA.write_bytes(_encode(results))
    page = PAGE.read_text()
    before, rest = page.split(BEGIN, 1)
    _, after = rest.split(END, 1)
    PAGE.write_text(f"{before}{BEGIN}\n\n{as_markdown(results)}\n{END}{after}")


def as_markdown(results: Results) -> str:
    machine = results.machine
    parts = [
        f"Measured {machine.date} on {machine.cores} cores of {machine.processor},"
        f" {machine.system}, Python {machine.python}, pjsua2 {machine.sip_build};"
        f" load average before: {machine.load_average}; priority of the load"
        f" generator: {machine.priority}.",
        "",
    ]
    for title, table in tables(results):
        if len(table) > 1:
            heading, *rows = table
            parts += [f"### {title}", "", _line(heading), _line(["---"] * len(heading))]
            parts += [*(_line(row) for row in rows), ""]
    return "\n".join(parts)


def _line(cells: list[str]) -> str:
    return "| " + " | ".join(cells) + " |"


def _encode(results: Results) -> bytes:
    return msgspec.json.format(msgspec.json.encode(results), indent=1) + b"\n"
