"""`make bench`, or `python -m bench SCENARIO ...`; docs/benchmark.md says what comes out."""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import pjsua2

from bench import report
from bench.host import Cores, TooSmall, go_first
from bench.house import House
from bench.load import Rig
from bench.pixels import pixels as watch
from bench.provider import Provider
from bench.results import Machine, Results
from bench.scenarios import CORE_CALLS, Bench
from bench.speech import load_speech
from bench.worker import HouseError


def main() -> int:
    options = read_options()
    build = pjsua2.Endpoint().libVersion()
    if not build.suffix:
        sys.stderr.write(
            f"pjsua2 {build.full} from PyPI is installed: it takes four calls and can carry no"
            " load.\nBuild the one that does with `make pjsua2`, then try again.\n"
        )
        return 2
    try:
        with benchmark(options.data, options.keep) as (bench, priority):
            results = Results(machine=Machine.here(build.full, priority))
            for name in tuple(RUN) if options.scenario == "all" else (options.scenario,):
                say(f"\n== {name}")
                RUN[name](bench, options, results)
                report.keep(results)
    except (TooSmall, HouseError) as error:
        sys.stderr.write(f"{error}\n")
        return 1
    sys.stdout.write("\n" + report.as_text(results))
    if options.docs or options.scenario == "all":
        report.write_docs(results)
    return 0


def read_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="bench", description=__doc__)
    parser.add_argument("scenario", nargs="?", default="all", choices=("all", *RUN))
    parser.add_argument("--calls", type=_numbers, default=None, help="e.g. 10,50,100")
    parser.add_argument("--seconds", type=float, default=None, help="of one measured window")
    parser.add_argument("--runs", type=int, default=5, help="of each step; medians are shown")
    parser.add_argument("--rate", type=float, default=10, help="calls a second of the soak")
    parser.add_argument("--browsers", type=int, default=20, help="that watch, for pixels")
    parser.add_argument("--docs", action="store_true", help="write docs/benchmark.md as well")
    parser.add_argument(
        "--data",
        type=Path,
        default=None,
        help="where the database, outbox and recordings go for this run; default: memory",
    )
    parser.add_argument("--keep", action="store_true", help="keep the data folder and its logs")
    return parser.parse_args()


def _numbers(text: str) -> list[int]:
    return [int(word) for word in text.split(",")]


def say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def _memory_folder() -> Path | None:
    """Where a neighbour's disk traffic cannot be felt; None: the system's temporary folder."""
    shared = Path("/dev/shm")  # noqa: S108 - a fresh folder is made in it
    return shared if os.access(shared, os.W_OK) else None


@contextmanager
def benchmark(place: Path | None, keep: bool) -> Iterator[tuple[Bench, str]]:
    """Everything but the worker on the other cores, started and in the end stopped again."""
    cores = Cores.choose()
    os.sched_setaffinity(0, cores.others)
    speech = load_speech()
    data = Path(tempfile.mkdtemp(prefix="pbxai-bench-", dir=place or _memory_folder()))
    say(f"worker on core {cores.worker}, all else on {sorted(cores.others)}; data in {data}")
    provider, house = Provider(), House(data, cores)
    try:
        house.open()
        priority = go_first()
        yield Bench(Rig(provider, speech, cores), house, say), priority
    finally:
        house.close()
        provider.close()
        if not keep:
            shutil.rmtree(data, ignore_errors=True)


# --- scenarios -----------------------------------------------------------------------------------


def steps(bench: Bench, options: argparse.Namespace, results: Results) -> None:
    calls = options.calls or [10, 50, 100, 150, 200, 250]
    results.steps = bench.steps(calls, options.seconds or 20, options.runs)


def pairs(bench: Bench, options: argparse.Namespace, results: Results) -> None:
    calls = (options.calls or [CORE_CALLS // 2])[-1]
    results.pairs = bench.pairs(calls, options.seconds or 20, options.runs)


def turns(bench: Bench, options: argparse.Namespace, results: Results) -> None:
    calls = (options.calls or [CORE_CALLS])[-1]
    results.turns, results.answers = bench.turns(calls, options.seconds or 24, options.runs)


def steady(bench: Bench, options: argparse.Namespace, results: Results) -> None:
    calls = (options.calls or [CORE_CALLS])[-1]
    results.steady = bench.steady(calls, options.seconds or 600)


def overload(bench: Bench, options: argparse.Namespace, results: Results) -> None:
    capacity = (options.calls or [CORE_CALLS])[-1]
    results.overload = [bench.overload(capacity, options.seconds or 30)]


def ramp(bench: Bench, options: argparse.Namespace, results: Results) -> None:
    results.ramp = bench.ramp()


def soak(bench: Bench, options: argparse.Namespace, results: Results) -> None:
    calls = (options.calls or [10_000])[-1]
    results.soak = bench.soak(calls, options.rate)


def greeting(bench: Bench, options: argparse.Namespace, results: Results) -> None:
    results.greeting = bench.greeting((options.calls or [30])[-1])


def barge_in(bench: Bench, options: argparse.Namespace, results: Results) -> None:
    results.barge_in = bench.barge_in((options.calls or [30])[-1])


def pixels(bench: Bench, options: argparse.Namespace, results: Results) -> None:
    calls = (options.calls or [50])[-1]
    seconds = options.seconds or 20
    results.pixels = watch(bench.house, calls, options.browsers, seconds, say)


RUN: Final[dict[str, Callable[[Bench, argparse.Namespace, Results], None]]] = {
    "steps": steps,
    "pairs": pairs,
    "turns": turns,
    "greeting": greeting,
    "barge-in": barge_in,
    "overload": overload,
    "ramp": ramp,
    "steady": steady,
    "soak": soak,
    "pixels": pixels,
}

if __name__ == "__main__":
    sys.exit(main())
