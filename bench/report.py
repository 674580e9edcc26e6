"""Results as text for a terminal, as docs/benchmark.md with its plot, and as JSON."""

from __future__ import annotations

import math
import statistics
from pathlib import Path
from typing import Any, Final

import msgspec

from bench.load import Row
from bench.plot import draw
from bench.results import Pair, Promptness, Results, by_setting, by_step, median
from bench.verdicts import verdicts
from bench.worker import ROOT

DOCS: Final = ROOT / "docs"
PAGE: Final = DOCS / "benchmark.md"
DATA: Final = DOCS / "benchmark.json"
PLOT: Final = DOCS / "benchmark.svg"
KEPT: Final = ROOT / "var" / "bench"
BEGIN: Final = "<!-- made by `make bench`: begin -->"
END: Final = "<!-- made by `make bench`: end -->"

PEERS: Final[dict[str, float]] = {"Rust peer": 0.54, "bare Rust": 0.33, "prototype": 0.40}
"""Percent of a core a call, as published (0.54) or measured here before (docs/benchmark.md)."""

Table = list[list[str]]


def as_text(results: Results) -> str:
    return "\n".join(f"{title}\n{_aligned(table)}\n" for title, table in tables(results))


def as_markdown(results: Results) -> str:
    machine = results.machine
    parts = [
        f"Measured {machine.date} on {machine.cores} cores of {machine.processor},"
        f" {machine.system}, Python {machine.python}, pjsua2 {machine.sip_build};"
        f" load average before: {machine.load_average}; priority of the load"
        f" generator: {machine.priority}.",
        "",
    ]
    if results.steps:
        parts += [f"![CPU, delay and memory by calls]({PLOT.name})", ""]
    for title, table in tables(results):
        heading, *rows = table
        parts += [f"### {title}", "", _line(heading), _line(["---"] * len(heading))]
        parts += [*(_line(row) for row in rows), ""]
    return "\n".join(parts)


def tables(results: Results) -> list[tuple[str, Table]]:
    """Title and rows of each that has any; the first row is the heading."""
    changed = [pair.beside for pair in results.pairs]
    found = [
        ("What was to be shown", _verdict_table(results)),
        ("CPU and memory, by calls at once", _cost_table(results.steps, "floor")),
        ("Sound, by calls at once", _sound_table(results.steps)),
        ("CPU, one setting changed, beside PCMU on the same core", _pair_table(results.pairs)),
        ("Sound, one setting changed", _sound_table(changed)),
        ("Turns: answers in bursts", _cost_table(results.turns, "turns")),
        (
            "Promptness",
            _times_table([*results.answers, *results.greeting, *results.barge_in]),
        ),
        ("A word on its way to the page", _times_table(results.pixels)),
        ("More than the worker can take", _overload_table(results)),
        ("Calls a second", _ramp_table(results)),
        ("A long window", _steady_table(results.steady)),
        ("Many short calls", _soak_table(results)),
        (
            "The measuring itself",
            _meter_table([*results.steps, *(pair.beside for pair in results.pairs)]),
        ),
    ]
    return [(title, table) for title, table in found if len(table) > 1]


def _verdict_table(results: Results) -> Table:
    heading = ["what", "wanted", "found", "met"]
    return [heading, *([v.what, v.wanted, v.found, v.word] for v in verdicts(results))]


def _cost_table(rows: list[Row], base_name: str) -> Table:
    """Medians of the runs. `base_name`: what the CPU is compared with, at the same calls."""
    groups = by_step(rows)
    peers = [f"x {name} ({percent})" for name, percent in PEERS.items()]
    heading = ["what", "calls", "CPU % a call", f"x {base_name}", *peers, "MB a call", "runs"]
    table = [heading]
    for (target, calls), runs in groups.items():
        row, base = median(runs), groups.get((base_name, calls))
        ratio = row.cpu_a_call / median(base).cpu_a_call if base else math.nan
        ratios = [row.cpu_a_call / peer for peer in PEERS.values()]
        doubted = sum(1 for run in runs if not run.is_valid)
        table.append(
            [
                target,
                str(calls),
                f"{row.cpu_a_call:.3f}",
                _number(ratio, 2),
                *(f"{each:.2f}" for each in ratios),
                f"{row.memory_a_call:.2f}",
                f"{len(runs)}" + (f" ({doubted} doubtful)" if doubted else ""),
            ]
        )
    return table


def _pair_table(pairs: list[Pair]) -> Table:
    heading = ["what", "calls each", "CPU % a call", "PCMU meanwhile", "x PCMU", "in each run"]
    heading += ["MB a call", "runs"]
    table = [heading]
    for name, runs in by_setting(pairs).items():
        beside = median([pair.beside for pair in runs])
        plain = median([pair.plain for pair in runs])
        ratios = [pair.ratio for pair in runs]
        doubted = sum(1 for pair in runs if not (pair.plain.is_valid and pair.beside.is_valid))
        table.append(
            [
                name,
                str(beside.calls),
                f"{beside.cpu_a_call:.3f}",
                f"{plain.cpu_a_call:.3f}",
                f"{statistics.median(ratios):.2f}",
                ", ".join(f"{ratio:.2f}" for ratio in sorted(ratios)),
                f"{beside.memory_a_call:.2f}",
                f"{len(runs)}" + (f" ({doubted} doubtful)" if doubted else ""),
            ]
        )
    return table


def _sound_table(rows: list[Row]) -> Table:
    heading = ["what", "calls", "chunk ms", "caller→provider ms", "provider→caller ms"]
    heading += ["gap p90 ms", "worst run", "late %", "lost up/down %"]
    heading += ["setup p95 ms", "first audio p95 ms"]
    table = [heading]
    for (target, calls), runs in by_step(rows).items():
        row = median(runs)
        table.append(
            [
                target,
                str(calls),
                _number(row.chunk),
                _three(row.up_p50, row.up_p95, row.up_p99),
                _three(row.down_p50, row.down_p95, row.down_p99),
                _number(row.gap_p90),
                _number(max(run.gap_p90 for run in runs)),
                f"{row.late:.3f}",
                f"{row.lost_up:.2f} / {row.lost_down:.2f}",
                _number(row.setup_p95),
                _number(row.first_audio_p95),
            ]
        )
    return table


def _times_table(times: list[Promptness]) -> Table:
    rows = [
        [each.name, _number(each.p50), _number(each.p95), _number(each.worst), str(each.count)]
        for each in times
    ]
    return [["what", "p50 ms", "p95 ms", "worst ms", "times"], *rows]


def _overload_table(results: Results) -> Table:
    heading = ["admitted", "offered more", "503", "with Retry-After", "refused in ms p50/p95/worst"]
    heading += ["admitted: CPU % a call", "gap p90 ms", "late %", "ended"]
    return [
        heading,
        *(
            [
                str(each.admitted.answered),
                str(each.offered),
                str(each.refused_503),
                str(each.with_retry_after),
                f"{each.refusal_p50:.1f} / {each.refusal_p95:.1f} / {each.refusal_worst:.1f}",
                f"{each.admitted.cpu_a_call:.3f}",
                _number(each.admitted.gap_p90),
                f"{each.admitted.late:.3f}",
                "; ".join(each.admitted.notes) or "none",
            ]
            for each in results.overload
        ),
    ]


def _ramp_table(results: Results) -> Table:
    rows = [
        [f"{s.rate:g}", f"{s.answered} of {s.dialled}", _number(s.setup_p50), _number(s.setup_p95)]
        for s in results.ramp
    ]
    return [["calls a second", "answered", "setup p50 ms", "setup p95 ms"], *rows]


def _steady_table(rows: list[Row]) -> Table:
    heading = ["calls", "seconds", "CPU % a call", "up p99 ms, of each tenth"]
    heading += ["down p99 ms, of each tenth", "late %", "gap p90 ms"]
    return [
        heading,
        *(
            [
                str(row.calls),
                f"{row.seconds:.0f}",
                f"{row.cpu_a_call:.3f}",
                ", ".join(map(_number, row.up_p99_tenths)),
                ", ".join(map(_number, row.down_p99_tenths)),
                f"{row.late:.3f}",
                _number(row.gap_p90),
            ]
            for row in rows
        ),
    ]


def _soak_table(results: Results) -> Table:
    heading = ["calls so far", "memory MB", "open files", "UDP ports", "failed in all"]
    soak = results.soak
    if soak is None:
        return [heading]
    rows = [
        [str(v.calls_done), f"{v.memory:.1f}", str(v.files), str(v.udp_ports), ""]
        for v in soak.vitals
    ]
    rows[-1][-1] = str(soak.failed)
    return [heading, *rows]


def _meter_table(rows: list[Row]) -> Table:
    """How far the rows can be trusted: the generator, the provider, other programs."""
    heading = ["what", "calls", "pacing p99 ms", "generator CPU %", "provider CPU %"]
    heading += ["provider late p99 ms", "others on the core %", "stolen %", "doubts"]
    table = [heading]
    for (target, calls), runs in by_step(rows).items():
        row = median(runs)
        table.append(
            [
                target,
                str(calls),
                f"{row.pacing_p99:.2f}",
                _number(row.generator_cpu),
                _number(row.provider_cpu),
                f"{row.provider_lag_p99:.1f}",
                _number(row.foreign_cpu),
                f"{row.stolen_cpu:.1f}",
                "; ".join(row.notes),
            ]
        )
    return table


def _three(*values: float) -> str:
    return " / ".join(_number(value) for value in values)


def _number(value: float, digits: int = 0) -> str:
    return "–" if math.isnan(value) else f"{value:.{digits}f}"  # noqa: RUF001 - a dash


def _aligned(table: Table) -> str:
    widths = [max(len(cell) for cell in column) for column in zip(*table, strict=True)]
    return "\n".join(
        "  "
        + "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in table
    )


def _line(cells: list[str]) -> str:
    return "| " + " | ".join(cells) + " |"


# --- files ---------------------------------------------------------------------------------------


def keep(results: Results) -> Path:
    """Beside the product's own data, whatever else becomes of the run."""
    KEPT.mkdir(parents=True, exist_ok=True)
    name = results.machine.date.replace(" ", "_").replace(":", "")
    path = KEPT / f"{name}.json"
    path.write_bytes(encode(results))
    return path


def write_docs(results: Results) -> None:
    """Replace what was measured anew in docs/benchmark.json, its plot, and the page's made part."""
    if DATA.exists():
        results = decode(DATA.read_bytes()).merged(results)
    DATA.write_bytes(encode(results))
    if results.steps:
        draw(results.steps, PLOT)
    page = PAGE.read_text()
    before, rest = page.split(BEGIN, 1)
    _, after = rest.split(END, 1)
    PAGE.write_text(f"{before}{BEGIN}\n\n{as_markdown(results)}\n{END}{after}")


def encode(results: Results) -> bytes:
    return msgspec.json.format(msgspec.json.encode(results), indent=1) + b"\n"


def decode(data: bytes) -> Results:
    """JSON has no NaN: it is written as null."""
    plain = msgspec.json.decode(data)
    return msgspec.convert({name: _with_nan(value) for name, value in plain.items()}, Results)


def _with_nan(value: Any, *, inside: bool = False) -> Any:
    match value:
        case dict():
            return {name: _with_nan(each, inside=True) for name, each in value.items()}
        case list():
            return [_with_nan(each, inside=True) for each in value]
        case None if inside:
            return math.nan
    return value
