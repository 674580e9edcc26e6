"""Medians, verdicts and files say what the rows say."""

from __future__ import annotations

import math
import os
import socket

import msgspec
import numpy as np
import pytest

from bench import host, report
from bench.load import Row, _delays
from bench.measure import Way
from bench.promptness import last_voice, timed
from bench.results import Machine, Pair, Results, by_step, median
from bench.rtp import Heard
from bench.verdicts import verdicts


def row(**changes: object) -> Row:
    """A row of a healthy step of 200 calls."""
    types = {field.name: field.type for field in msgspec.structs.fields(Row)}
    told = {name: 1.0 for name, type_ in types.items() if type_ is float}
    told |= {"target": "product", "calls": 200, "answered": 200, "chunk": 100.0, "late": 0.0}
    return Row(**{**told, "cpu_a_call": 0.4, "memory_a_call": 0.5, **changes})


def results(**parts: object) -> Results:
    return Results(machine=Machine.here("2.17+calls512", "none"), **parts)


def words(found: Results) -> dict[str, str]:
    return {verdict.what: verdict.word for verdict in verdicts(found)}


def test_median_is_taken_value_by_value_and_keeps_each_doubt() -> None:
    runs = [row(cpu=1.0), row(cpu=9.0, notes=("others were busy",)), row(cpu=2.0, up_p95=7.0)]
    middle = median(runs)

    assert (middle.cpu, middle.up_p95) == (2.0, 1.0)
    assert middle.notes == ("run 2: others were busy",)
    assert list(by_step([*runs, row(calls=100)])) == [("product", 200), ("product", 100)]


def test_verdicts_compare_with_the_floor_of_the_same_run() -> None:
    floor = row(target="floor", cpu_a_call=0.4)
    good = words(results(steps=[floor, row(cpu_a_call=0.5)]))
    bad = words(results(steps=[floor, row(cpu_a_call=0.51)]))

    assert good["200 calls: CPU against the floor"] == "yes"
    assert bad["200 calls: CPU against the floor"] == "**no**"


def test_verdicts_ask_for_the_gap_in_every_run() -> None:
    runs = [row(gap_p90=0.0), row(gap_p90=0.0), row(gap_p90=60.0)]

    assert words(results(steps=runs))["200 calls: audible gap p90, worst of 3 runs"] == "**no**"


def test_verdicts_allow_twenty_milliseconds_beyond_the_chunk() -> None:
    assert (
        words(results(steps=[row(up_p95=119.0)]))["200 calls: delay caller→provider p95"] == "yes"
    )
    found = words(results(steps=[row(up_p95=121.0), row(up_p95=121.0), row(up_p95=3.0)]))
    assert found["200 calls: delay caller→provider p95"] == "**no**"


def test_what_was_not_measured_is_not_met() -> None:
    assert (
        words(results(steps=[row(down_p95=math.nan)]))["200 calls: delay provider→caller p95"]
        == "**no**"
    )


def test_a_stall_is_no_growth_and_growth_is() -> None:
    stalled = row(seconds=600.0, up_p99_tenths=(110.0,) * 9 + (300.0,))
    grown = row(seconds=600.0, up_p99_tenths=tuple(110.0 + 3 * tenth for tenth in range(10)))
    name = "600 s: delay caller→provider p99, second half's median tenth"

    assert words(results(steady=[stalled]))[name] == "yes"
    assert words(results(steady=[grown]))[name] == "**no**"


def test_each_tenth_has_its_own_p99() -> None:
    way = Way(
        delays=np.arange(1000) / 1e6, at=np.arange(1000.0), lost_ms=0, longest_skip_ms=0, unknown=0
    )

    tenths = _delays("up", [way])["up_p99_tenths"]
    assert [round(each * 10) for each in tenths] == list(range(1, 11))


def pair(plain: float, beside: float) -> Pair:
    changed = row(target="energy VAD", cpu_a_call=beside)
    return Pair(plain=row(target="PCMU", cpu_a_call=plain), beside=changed)


def test_a_setting_is_compared_with_what_ran_beside_it() -> None:
    """The machine was twice as slow in the second run, which says nothing of the setting."""
    found = results(pairs=[pair(0.2, 0.21), pair(0.4, 0.432), pair(0.2, 0.3)])
    said = {verdict.what: verdict for verdict in verdicts(found)}

    verdict = said["energy VAD: CPU against PCMU at the same moment"]
    assert (verdict.found, verdict.word) == ("1.08 times", "yes")
    assert "| energy VAD | 200 | 0.300 | 0.200 | 1.08 | 1.05, 1.08, 1.50 |" in (
        report.as_markdown(found)
    )
    assert report.decode(report.encode(found)).pairs == found.pairs


def test_results_survive_their_file() -> None:
    before = results(steps=[row(down_p95=math.nan)])
    after = report.decode(report.encode(before))

    assert math.isnan(after.steps[0].down_p95)
    assert after.soak is None
    assert report.encode(after) == report.encode(before)
    assert "| product | 200 |" in report.as_markdown(after)


def test_a_newer_run_replaces_only_what_it_measured() -> None:
    merged = results(steps=[row()], turns=[row(target="turns")]).merged(
        results(steps=[row(calls=10)])
    )

    assert [each.calls for each in merged.steps] == [10]
    assert [each.target for each in merged.turns] == ["turns"]


def test_last_voice_is_the_packet_before_the_silence() -> None:
    heard = Heard(1)
    quiet = np.array([False] * 30 + [True] * 5 + [False] * 15 + [True] * 20)
    count = len(quiet)
    payload = np.zeros((count, 160), np.uint8)
    at = 50 + np.arange(count) * 0.02
    heard.add(np.zeros(count, np.int32), np.arange(count).astype(np.uint16), at, payload, quiet)

    assert last_voice(heard, 0, since=50.3) == pytest.approx(50 + 49 * 0.02)
    assert math.isnan(last_voice(heard, 0, since=51.3))


def test_times_that_never_came_are_told() -> None:
    found = timed("silence", [0.01, math.nan, 0.03])

    assert found.name == "silence (1 of 3 never)"
    assert (found.count, found.p50, found.worst) == (3, pytest.approx(20), pytest.approx(30))


def test_meters_see_this_process() -> None:
    before = host.cpu_seconds(os.getpid())
    while host.cpu_seconds(os.getpid()) < before + 0.1:
        pass  # the meter itself is the work
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
        udp.bind(("127.0.0.1", 0))
        files, ports = host.open_files(os.getpid()), host.udp_ports(os.getpid())
        assert udp.getsockname()[1] in ports
    assert host.open_files(os.getpid()) == files - 1
    assert host.memory_kb(os.getpid()) > 1000
