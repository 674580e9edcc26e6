"""One step of load: so many calls at once for so long, and what came of it."""

from __future__ import annotations

import base64
import itertools
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, Final

import msgspec
import numpy as np
import soxr
from numpy.typing import NDArray

from bench import measure
from bench.callers import Callers, Pacing, PacingMeter
from bench.host import Cores, CpuMeter, CpuUse, memory_kb
from bench.measure import Stream, Times, Way, percentile_ms
from bench.provider import Account, Chunk, Orders, Provider
from bench.rtp import Heard
from bench.sip import Dialog
from bench.speech import RATE, Speech
from bench.targets import Target, place_of
from media_worker.audio import g711

DIAL_RATE: Final = 10.0
"""Calls a second while a step fills up."""
MOST_RINGING: Final = 16
"""Nobody more dials while so many wait for their answer."""
SETTLE_SECONDS: Final = 4.0
CATCH_UP_SECONDS: Final = 0.5
TRACKED_CALLS: Final = 40
"""Delays are measured on so many calls; everything else on all."""
QUIET_HOST_PERCENT: Final = 5.0
"""Others' use of the worker's core beyond which a row is marked as disturbed."""
TENTHS: Final = 10
_HISTORY_SECONDS: Final = 2.0


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """One run of one step. Times in milliseconds, memory in MB, shares in percent."""

    target: str
    calls: int
    answered: int
    seconds: float
    cpu: float
    """Of one core, the worker process alone."""
    cpu_a_call: float
    memory_a_call: float
    up_p50: float
    up_p95: float
    up_p99: float
    down_p50: float
    down_p95: float
    down_p99: float
    up_p99_tenths: tuple[float, ...] = ()
    """Of each tenth of the window: whether the delay grows, and what a stall does to it."""
    down_p99_tenths: tuple[float, ...] = ()
    chunk: float
    """Length of the audio in one message to the provider, median."""
    gap_p90: float
    gap_worst: float
    late: float
    missing: float
    """RTP packets that never came back."""
    lost_up: float
    """Sound that never reached the provider."""
    lost_down: float
    setup_p95: float
    first_audio_p95: float
    """From the 200 OK to the first packet with sound."""
    pacing_p99: float
    generator_cpu: float
    provider_cpu: float
    provider_lag_p99: float
    foreign_cpu: float
    stolen_cpu: float
    notes: tuple[str, ...] = ()

    @property
    def is_valid(self) -> bool:
        return not self.notes


@dataclass(frozen=True)
class Load:
    """A target with its calls."""

    target: Target
    pid: int
    before_kb: int
    """Its memory before them."""
    dialogs: list[Dialog]


@dataclass(frozen=True)
class Window:
    """What was written down while the step was measured."""

    orders: Orders
    heard: Heard
    account: Account
    cpu: CpuUse
    pacing: Pacing
    memory_kb: int
    """Grown since before the calls."""


Ways = tuple[Way, Way | None, float]
"""Caller to provider, provider to caller (where it echoes), and the length of a chunk in ms."""


class Rig:
    """The parts of the benchmark that stay: provider, speech, cores."""

    def __init__(self, provider: Provider, speech: Speech, cores: Cores) -> None:
        self.provider = provider
        self.speech = speech
        self.cores = cores

    def step(
        self, target: Target, calls: int, seconds: float, orders: Orders | None = None
    ) -> tuple[Row, list[float]]:
        """Start the target, load it, measure, stop it.

        The second part: how long the caller waited for each answer of the provider, in seconds;
        there are none while it only echoes.
        """
        [found] = self.steps_at_once([target], calls, seconds, orders)
        return found

    def steps_at_once(
        self, targets: list[Target], calls: int, seconds: float, orders: Orders | None = None
    ) -> list[tuple[Row, list[float]]]:
        """Several targets on the worker's core at the same moment, each with so many calls."""
        orders = orders or Orders()
        pids = [target.start() for target in targets]
        most = len(targets) * (calls + 2)
        callers = Callers(targets[0].server, self.speech, at_once=most, known_calls=most)
        try:
            self.provider.obey(orders)
            warm_up(callers, targets)
            before = [memory_kb(pid) for pid in pids]
            dialogs = fill(callers, targets, calls)
            loads = [Load(*load) for load in zip(targets, pids, before, dialogs, strict=True)]
            callers.run(SETTLE_SECONDS)
            windows = self.watch(callers, loads, seconds, orders)
            found = [
                (self.row(load, callers, window), answer_waits(window, load.dialogs))
                for load, window in zip(loads, windows, strict=True)
            ]
            empty(callers)
        finally:
            callers.close()
            for target in targets:
                target.stop()
        return found

    def watch(
        self, callers: Callers, loads: list[Load], seconds: float, orders: Orders
    ) -> list[Window]:
        """One for each of the loads, of the same time."""
        tracked = [
            call
            for load in loads
            for call in spread(
                [dialog.call for dialog in load.dialogs if dialog.is_up],
                TRACKED_CALLS // len(loads),
            )
        ]
        places = frozenset(place_of(callers.dialogs[call].number) for call in tracked)
        self.provider.obey(replace(orders, tracked=places))
        self.provider.read()
        callers.run(CATCH_UP_SECONDS)  # talking to the provider may have taken a moment
        heard = callers.record(tracked)
        pids = {load.pid for load in loads}
        pacing = PacingMeter(callers)
        meters = [CpuMeter(load.pid, self.cores.worker, tuple(pids - {load.pid})) for load in loads]
        callers.run(seconds)
        cpus, paced = [meter.read() for meter in meters], pacing.read()
        callers.stop_recording()
        account = self.provider.read()
        return [
            Window(orders, heard, account, cpu, paced, memory_kb(load.pid) - load.before_kb)
            for load, cpu in zip(loads, cpus, strict=True)
        ]

    def row(self, load: Load, callers: Callers, window: Window) -> Row:
        own = {dialog.call for dialog in load.dialogs}
        ways = [
            found
            for call in np.flatnonzero(window.heard.tracked)
            if call in own
            and (found := self._ways(load.target, callers, int(call), window)) is not None
        ]
        return row_of(load, callers, window, ways)

    def _ways(self, target: Target, callers: Callers, call: int, window: Window) -> Ways | None:
        chunks = window.account.chunks.get(place_of(callers.dialogs[call].number))
        sequence, at, payload = window.heard.packets_of(call)
        if not chunks or not len(sequence):
            return None
        received = received_stream(chunks, target.audio_format)
        sent = sent_stream(callers, call, since=chunks[0][0] - _HISTORY_SECONDS)
        order = np.argsort(measure.unwrapped(sequence), kind="stable")
        pcm = np.frombuffer(g711.decode_mu_law(payload[order].tobytes()), np.int16)
        packets = measure.stream(list(pcm.reshape(len(order), -1)), at[order])
        chunk_ms = float(np.median(np.diff(received.begins))) / RATE * 1000
        up = measure.upward(sent, received)
        if window.orders.mode != "echo":
            return up, None, chunk_ms
        return up, measure.downward(received, packets), chunk_ms


# --- steps of a step -----------------------------------------------------------------------------


def warm_up(callers: Callers, targets: list[Target]) -> None:
    """Two calls, so that what is loaded at the first call is not counted as memory of calls."""
    for target in targets:
        for number in range(2):
            callers.dial(target.number(number), target.server)
    callers.run(10, lambda: all(dialog.final_at for dialog in callers.dialogs))
    callers.run(2)
    empty(callers)
    callers.run(2)


def fill(callers: Callers, targets: list[Target], calls: int) -> list[list[Dialog]]:
    """Dial each of the targets so many times, evenly and in turn.

    Returns when each call has its final response, or gives up.
    """
    dialogs: list[list[Dialog]] = [[] for _ in targets]
    places = itertools.product(range(calls), range(len(targets)))

    def everybody() -> Iterator[Dialog]:
        return itertools.chain.from_iterable(dialogs)

    def dial() -> None:
        if sum(1 for dialog in everybody() if not dialog.final_at) < MOST_RINGING:
            place, which = next(places, (None, 0))
            if place is None:
                return
            target = targets[which]
            dialogs[which].append(callers.dial(target.number(place), target.server))
        callers.later(1 / DIAL_RATE, dial)

    dial()
    total = calls * len(targets)
    callers.run(
        3 * total / DIAL_RATE + 30,
        lambda: sum(map(len, dialogs)) == total and all(dialog.final_at for dialog in everybody()),
    )
    return dialogs


def empty(callers: Callers) -> None:
    """Hang up everybody, and wait for the answers."""
    for dialog in callers.up:
        callers.hang_up(dialog)
    callers.run(20, lambda: all(dialog.ended_at for dialog in callers.dialogs if dialog.final_at))
    callers.run(1)  # for the worker to write its records


def spread(calls: list[int], count: int) -> list[int]:
    """At most `count` of the calls, evenly chosen."""
    if len(calls) <= count:
        return calls
    return [calls[int(place)] for place in np.linspace(0, len(calls) - 1, count)]


# --- records to recordings -----------------------------------------------------------------------


def sent_stream(callers: Callers, call: int, *, since: float) -> Stream:
    """What this caller has said from about `since` (CLOCK_MONOTONIC) on."""
    rtp = callers.rtp
    ticks = np.asarray(rtp.ticks)
    first_tick = int(rtp.first_tick[call])
    total = max(0, len(ticks) - first_tick - 1) // 20 + 1
    at = rtp.sent_at(call, np.arange(total))
    first = int(np.searchsorted(at, since))
    pcm = callers.speech.pcm(int(rtp.first_frame[call]) + first, total - first)
    return measure.stream(list(pcm.reshape(total - first, -1)), at[first:])


def received_stream(chunks: list[Chunk], audio_format: str) -> Stream:
    """What the provider was sent, at 8000 Hz."""
    pieces = [base64.b64decode(encoded) for _, encoded in chunks]
    at = [arrival for arrival, _ in chunks]
    if audio_format == "pcmu":
        return measure.stream([_pcm(g711.decode_mu_law(piece)) for piece in pieces], at)
    if audio_format == "pcma":
        return measure.stream([_pcm(g711.decode_a_law(piece)) for piece in pieces], at)
    rate = 24000 if audio_format == "pcm24k" else 16000
    whole = soxr.resample(_pcm(b"".join(pieces)), rate, RATE)
    sizes = np.array([len(piece) // 2 for piece in pieces]) * RATE / rate
    begins = np.concatenate([[0], np.cumsum(sizes)[:-1]]).astype(np.int64)
    return Stream(whole, begins, np.asarray(at))


def _pcm(data: bytes) -> NDArray[np.int16]:
    return np.frombuffer(data, np.int16)


def answer_waits(window: Window, dialogs: list[Dialog]) -> list[float]:
    """From the sending of each answer's first audio to the first packet with sound of it."""
    heard = window.heard
    call, at = heard.call[: heard.count], heard.at[: heard.count]
    loud = ~heard.quiet[: heard.count]
    waits: list[float] = []
    for dialog in dialogs:
        firsts = window.account.first_deltas.get(place_of(dialog.number), [])
        own = np.sort(at[loud & (call == dialog.call)])
        places = np.searchsorted(own, firsts)
        waits += [
            float(own[place]) - first
            for place, first in zip(places, firsts, strict=True)
            if place < len(own)
        ]
    return waits


# --- records to a row ----------------------------------------------------------------------------


def row_of(load: Load, callers: Callers, window: Window, ways: list[Ways]) -> Row:
    dialogs = load.dialogs
    own = {dialog.call for dialog in dialogs}
    answered = [dialog for dialog in dialogs if dialog.status == 200]
    flows = [flow for call, flow in measure.flows(window.heard).items() if call in own]
    gaps = [flow.longest_gap_ms for flow in flows] or [float("nan")]
    packets = max(1, sum(flow.packets for flow in flows))
    calls = max(1, len(answered))
    first_audio = callers.rtp.first_loud[[dialog.call for dialog in answered]]
    waits = first_audio - np.array([dialog.final_at for dialog in answered])
    ups, downs = [way for way, _, _ in ways], [way for _, way, _ in ways if way is not None]
    return Row(
        target=load.target.name,
        calls=len(dialogs),
        answered=len(answered),
        seconds=window.cpu.seconds,
        cpu=window.cpu.process,
        cpu_a_call=window.cpu.process / calls,
        memory_a_call=window.memory_kb / 1024 / calls,
        **_delays("up", ups),
        **_delays("down", downs),
        chunk=float(np.median([chunk for *_, chunk in ways])) if ways else float("nan"),
        gap_p90=float(np.percentile(gaps, 90)),
        gap_worst=float(np.max(gaps)),
        late=sum(flow.late for flow in flows) / packets * 100,
        missing=sum(flow.missing for flow in flows) / packets * 100,
        lost_up=_lost(ups, window.cpu.seconds),
        lost_down=_lost(downs, window.cpu.seconds),
        setup_p95=percentile_ms(np.array([dialog.setup_seconds for dialog in answered]), 95),
        first_audio_p95=percentile_ms(waits[~np.isnan(waits)], 95),
        pacing_p99=window.pacing.p99_ms,
        generator_cpu=window.pacing.cpu_percent,
        provider_cpu=window.account.cpu_percent,
        provider_lag_p99=window.account.lag_p99_ms,
        foreign_cpu=window.cpu.foreign,
        stolen_cpu=window.cpu.stolen,
        notes=(*_doubts(dialogs, answered, window), *_silences(ups, downs, window.orders)),
    )


def _delays(name: str, ways: list[Way]) -> dict[str, Any]:
    delays = _joined([way.delays for way in ways])
    at = _joined([way.at for way in ways])
    return {
        f"{name}_p50": percentile_ms(delays, 50),
        f"{name}_p95": percentile_ms(delays, 95),
        f"{name}_p99": percentile_ms(delays, 99),
        f"{name}_p99_tenths": tuple(percentile_ms(part, 99) for part in _tenths(delays, at)),
    }


def _tenths(delays: Times, at: Times) -> list[Times]:
    if not len(at):
        return []
    edges = np.linspace(at.min(), at.max(), TENTHS + 1)[1:-1]
    tenth = np.searchsorted(edges, at)
    return [delays[tenth == number] for number in range(TENTHS)]


def _joined(parts: list[Times]) -> Times:
    return np.concatenate(parts) if parts else np.zeros(0)


def _lost(ways: list[Way], seconds: float) -> float:
    return sum(way.lost_ms for way in ways) / max(1.0, len(ways) * seconds * 1000) * 100


def _doubts(dialogs: list[Dialog], answered: list[Dialog], window: Window) -> list[str]:
    """Why this row is not to be trusted."""
    doubts: list[str] = []
    if len(answered) < len(dialogs):
        others: Counter[int | str] = Counter(dialog.status or "no answer" for dialog in dialogs)
        del others[200]
        doubts.append(f"not answered: {', '.join(f'{n} x {what}' for what, n in others.items())}")
    ended = sum(1 for dialog in answered if dialog.by_peer)
    if ended:
        doubts.append(f"{ended} calls were ended by the worker")
    if not window.pacing.is_valid:
        doubts.append(f"the generator was late (p99 {window.pacing.p99_ms:.1f} ms)")
    if window.cpu.foreign > QUIET_HOST_PERCENT:
        doubts.append(f"others used {window.cpu.foreign:.0f} % of the worker's core")
    return doubts


def _silences(ups: list[Way], downs: list[Way], orders: Orders) -> Iterator[str]:
    if not ups:
        yield "no sound came through"
    if not downs and orders.mode == "echo":
        yield "no sound came back"
