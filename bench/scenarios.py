"""What is measured, in which order. Each scenario prints a line as soon as it knows something."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, Final

import numpy as np

from bench.callers import Callers
from bench.host import memory_kb, open_files, udp_ports
from bench.house import House, known
from bench.load import SETTLE_SECONDS, Load, Rig, Row, empty, fill, warm_up
from bench.promptness import barge_in, far_provider, greeting, timed
from bench.provider import Orders
from bench.results import Overload, Pair, Promptness, RampStep, Soak, Vitals
from bench.sip import Dialog
from bench.targets import Floor, Product, Target

CONTINUOUS: Final[dict[str, Any]] = {
    "audio_format": "pcmu",
    "chunk_ms": 100,
    # The callers only pause for breath: little of the agent's speech would be left otherwise.
    "interrupt": False,
}
"""The worst case that the steps are measured in: audio both ways all the time."""

VARIANTS: Final[dict[str, dict[str, Any]]] = {
    "PCMU again": {},
    "PCM 24 kHz": {"audio_format": "pcm24k"},
    "energy VAD": {"local_vad": "energy"},
    "WebRTC VAD": {"local_vad": "webrtc"},
    "neural VAD": {"local_vad": "neural"},
    "recording": {"record": True},
    "20 ms chunks": {"chunk_ms": 20},
    "40 ms chunks": {"chunk_ms": 40},
}
PROMISED: Final = ("PCM 24 kHz", "energy VAD", "WebRTC VAD", "neural VAD", "recording")
CORE_CALLS: Final = 200
"""Calls at once that one core is to carry."""
FEWER_RUNS: Final = 2
"""Of what nothing is promised about."""
ANSWER_SECONDS: Final = 4.0
REFUSE_SECONDS: Final = 15.0
RAMP_SECONDS: Final = 10.0
SHORT_CALL_SECONDS: Final = 2.0
SETUP_LIMIT_MS: Final = 200.0
RATES: Final = (2.0, 5.0, 10.0, 15.0, 20.0, 25.0, 30.0, 40.0, 50.0)
WARM_CALLS: Final = 500
"""Short calls before the soak's first look: pools and caches have grown by then."""
IDLE_SECONDS: Final = 40.0
"""Until nothing of a call is left: SIP transactions linger for 32 s (RFC 3261, timers B and H)."""

Say = Callable[[str], None]


class Bench:
    """The rig with the product beside it."""

    def __init__(self, rig: Rig, house: House, say: Say) -> None:
        self.rig = rig
        self.house = house
        self.say = say

    def product(
        self, name: str, calls: int, settings: dict[str, Any], worker: str = "first"
    ) -> Product:
        first = 0 if worker == "first" else calls
        address = self.rig.provider.url
        return Product(self.house, address, name, calls, settings, first=first, worker=worker)

    def floor(self, client: str = "websockets", *, first: int = 0) -> Floor:
        return Floor(self.rig.provider, self.rig.cores, client, first=first)

    # --- load ------------------------------------------------------------------------------------

    def steps(self, calls: list[int], seconds: float, runs: int) -> list[Row]:
        """Floor and product in turn, so that both meet the same noise of the machine."""
        targets: list[Target] = [self.floor(), self.product("product", max(calls), CONTINUOUS)]
        return [
            self._step(target, count, seconds)
            for count in calls
            for _ in range(runs if count == CORE_CALLS else min(runs, FEWER_RUNS))
            for target in targets
        ]

    def pairs(self, calls: int, seconds: float, runs: int) -> list[Pair]:
        """PCMU, and beside it at the same moment a worker with one setting changed.

        So both meet the same noise of the machine. In turn the one or the other is started first.
        """
        plain = self.product("PCMU", calls, CONTINUOUS)
        beside: list[tuple[Target, int]] = [
            (self.floor(first=calls), runs),
            (self.floor("picows", first=calls), FEWER_RUNS),
        ]
        for name, settings in VARIANTS.items():
            if not known(settings):
                self.say(f"{name}: this product does not have it")
                continue
            times = runs if name in PROMISED else FEWER_RUNS
            beside.append((self.product(name, calls, {**CONTINUOUS, **settings}, "second"), times))
        return [
            self._pair(plain, target, calls, seconds, plain_first=run % 2 == 0)
            for run in range(runs)
            for target, times in beside
            if run < times
        ]

    def _pair(
        self, plain: Target, target: Target, calls: int, seconds: float, *, plain_first: bool
    ) -> Pair:
        both = [plain, target] if plain_first else [target, plain]
        rows = {row.target: row for row, _ in self.rig.steps_at_once(both, calls, seconds)}
        pair = Pair(plain=rows[plain.name], beside=rows[target.name])
        self.say(f"{one_line(pair.plain)}\n{one_line(pair.beside)}\n    {pair.ratio:.3f} times")
        return pair

    def steady(self, calls: int, seconds: float) -> list[Row]:
        return [self._step(self.product("product", calls, CONTINUOUS), calls, seconds)]

    def _step(self, target: Target, calls: int, seconds: float) -> Row:
        row, _ = self.rig.step(target, calls, seconds)
        self.say(one_line(row))
        return row

    def turns(self, calls: int, seconds: float, runs: int) -> tuple[list[Row], list[Promptness]]:
        """As calls really are: the provider answers every few seconds, in bursts."""
        speech = self.rig.speech
        answer = speech.frames[: int(ANSWER_SECONDS * 50)].tobytes()
        orders = Orders(mode="answers", answer=answer)
        target = self.product("turns", calls, CONTINUOUS)
        found = [self.rig.step(target, calls, seconds, orders) for _ in range(runs)]
        for row, _ in found:
            self.say(one_line(row))
        waits = [wait for _, some in found for wait in some]
        times = [timed("an answer's first audio, provider to caller", waits)]
        return [row for row, _ in found], self._said(times)

    # --- more than it can take -------------------------------------------------------------------

    def overload(self, capacity: int, seconds: float) -> Overload:
        """Fill the worker, then offer half as many calls again while the first ones are watched."""
        target = self.product("product", capacity, CONTINUOUS)
        pid = target.start(max_calls=capacity)
        extra = capacity // 2
        callers = self._callers(target, capacity + 2, extra)
        try:
            self.rig.provider.obey(Orders())
            warm_up(callers, [target])
            before_kb = memory_kb(pid)
            [admitted] = fill(callers, [target], capacity)
            callers.run(SETTLE_SECONDS)
            refused: list[Dialog] = []

            def dial(place: int) -> None:
                refused.append(callers.dial(target.number(place)))

            for place in range(extra):
                callers.later((place + 0.5) * seconds / extra, partial(dial, place))
            load = Load(target, pid, before_kb, admitted)
            [window] = self.rig.watch(callers, [load], seconds, Orders())
            callers.run(REFUSE_SECONDS, lambda: all(dialog.final_at for dialog in refused))
            row = self.rig.row(load, callers, window)
            empty(callers)
        finally:
            callers.close()
            target.stop()
        found = _overload(row, refused)
        self.say(one_line(row))
        self.say(
            f"{found.refused_503} of {found.offered} refused with 503, in"
            f" {found.refusal_p50:.1f} / {found.refusal_p95:.1f} ms (p50 / p95)"
        )
        return found

    # --- many calls ------------------------------------------------------------------------------

    def ramp(self) -> list[RampStep]:
        """Short calls, more of them a second at each step, until setup takes too long."""
        target = self.product("product", 200, CONTINUOUS)
        target.start()
        found: list[RampStep] = []
        try:
            for rate in RATES:
                callers = self._callers(target, 512, int(rate * RAMP_SECONDS))
                dialogs = short_calls(callers, target, int(rate * RAMP_SECONDS), rate)
                callers.run(SHORT_CALL_SECONDS)
                callers.close()
                found.append(_ramp_step(rate, dialogs))
                self.say(
                    f"{rate:3.0f} calls a second: setup p95 {found[-1].setup_p95:.0f} ms,"
                    f" {found[-1].answered} of {found[-1].dialled} answered"
                )
                if found[-1].setup_p95 > SETUP_LIMIT_MS or found[-1].answered < len(dialogs):
                    break
        finally:
            target.stop()
        return found

    def soak(self, calls: int, rate: float) -> Soak:
        """Thousands of short calls; the worker is looked at while it has none."""
        target = self.product("product", 200, CONTINUOUS)
        pid = target.start()
        vitals: list[Vitals] = []
        failed = done = 0
        try:
            for count in [min(WARM_CALLS, calls), *portions(calls, 4)]:
                callers = self._callers(target, 512, count)
                dialogs = short_calls(callers, target, count, rate)
                callers.run(IDLE_SECONDS)
                callers.close()
                failed += sum(1 for dialog in dialogs if dialog.status != 200 or dialog.by_peer)
                done += count
                vitals.append(look(pid, done))
                self.say(
                    f"{done} calls: {vitals[-1].memory:.1f} MB, {vitals[-1].files} files,"
                    f" {vitals[-1].udp_ports} UDP ports, {failed} failed"
                )
        finally:
            target.stop()
        return Soak(rate=rate, failed=failed, vitals=tuple(vitals))

    # --- promptness ------------------------------------------------------------------------------

    def greeting(self, calls: int) -> list[Promptness]:
        orders = far_provider(self.rig.speech)
        self.rig.provider.obey(orders)  # publishing has the greeting rendered
        settings = {"greetings": {"en": GREETING}}
        address = self.rig.provider.front_url
        target = Product(self.house, address, "greeting", calls, settings)
        return self._said(greeting(self.rig, target, calls, orders, self.say))

    def barge_in(self, calls: int) -> list[Promptness]:
        found: list[Promptness] = []
        for name in ("energy", "webrtc", "neural"):
            settings = {"local_vad": name, "false_interruption_ms": 0}
            if known(settings):
                target = Product(
                    self.house, self.rig.provider.url, name, calls, settings, debug=True
                )
                found += self._said(barge_in(self.rig, target, calls))
            else:
                self.say(f"{name} VAD: this product does not have it")
        return found

    def _said(self, found: list[Promptness]) -> list[Promptness]:
        for time in found:
            self.say(
                f"{time.name}: {time.p50:.0f} / {time.p95:.0f} / {time.worst:.0f} ms"
                f" (p50 / p95 / worst of {time.count})"
            )
        return found

    def _callers(self, target: Target, at_once: int, more: int) -> Callers:
        return Callers(
            target.server, self.rig.speech, at_once=at_once, known_calls=at_once + more + 2
        )


GREETING: Final = "Good morning, this is the clinic at the river. What can I do for you today?"


def one_line(row: Row) -> str:
    return (
        f"{row.target:14} {row.calls:4} calls  {row.cpu_a_call:6.3f} % a call"
        f"  up p95 {row.up_p95:5.0f}  down p95 {row.down_p95:5.0f}"
        f"  gap p90 {row.gap_p90:4.0f} ms  late {row.late:.3f} %"
        f"  {'; '.join(row.notes)}"
    )


def short_calls(callers: Callers, target: Target, count: int, rate: float) -> list[Dialog]:
    """Dial so many, hang each up after a moment; returns when all are over."""
    dialogs: list[Dialog] = []

    def hang_up_later(dialog: Dialog) -> None:
        if dialog.is_up:
            callers.later(SHORT_CALL_SECONDS, partial(callers.hang_up, dialog))

    def dial(place: int) -> None:
        dialogs.append(callers.dial(target.number(place)))

    callers.watch = hang_up_later
    for place in range(count):
        callers.later(place / rate, partial(dial, place))
    callers.run(
        count / rate + 40,
        lambda: len(dialogs) == count and all(dialog.ended_at for dialog in dialogs),
    )
    return dialogs


def portions(total: int, parts: int) -> list[int]:
    return [total // parts + (1 if part < total % parts else 0) for part in range(parts)]


def look(pid: int, calls_done: int) -> Vitals:
    return Vitals(
        calls_done=calls_done,
        memory=memory_kb(pid) / 1024,
        files=open_files(pid),
        udp_ports=len(udp_ports(pid)),
    )


def _overload(row: Row, refused: list[Dialog]) -> Overload:
    turned_away = [dialog for dialog in refused if dialog.status == 503]
    times = np.array([dialog.setup_seconds for dialog in turned_away]) * 1000
    if not len(times):
        times = np.array([float("nan")])
    return Overload(
        admitted=row,
        offered=len(refused),
        refused_503=len(turned_away),
        with_retry_after=sum(1 for dialog in turned_away if dialog.retry_after),
        refusal_p50=float(np.percentile(times, 50)),
        refusal_p95=float(np.percentile(times, 95)),
        refusal_worst=float(times.max()),
    )


def _ramp_step(rate: float, dialogs: list[Dialog]) -> RampStep:
    answered = [dialog for dialog in dialogs if dialog.status == 200]
    times = np.array([dialog.setup_seconds for dialog in answered] or [float("nan")]) * 1000
    return RampStep(
        rate=rate,
        dialled=len(dialogs),
        answered=len(answered),
        setup_p50=float(np.percentile(times, 50)),
        setup_p95=float(np.percentile(times, 95)),
    )
