"""How soon the caller hears something, and how soon the agent is silent when the caller speaks."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Final

import numpy as np
import soxr
from numpy.typing import NDArray

from bench.callers import Callers
from bench.load import Rig, empty
from bench.provider import Orders
from bench.results import Promptness
from bench.rtp import Heard
from bench.sip import Dialog
from bench.speech import FRAME_SAMPLES, RATE, Speech
from bench.targets import Product
from media_worker.audio import g711
from media_worker.audio.activity import VoiceActivity
from media_worker.audio.capture import Capture
from media_worker.audio.neural import NeuralVad
from media_worker.audio.vad import VadEvent, VadOnset
from media_worker.contract import LocalVad

PROVIDER_SECONDS: Final = 1.0
"""So far away is the provider."""
SPACING_SECONDS: Final = 0.7
GREETED_SECONDS: Final = 3.0
RENDER_SECONDS: Final = 60.0
PROMPT_READY_SECONDS: Final = 0.5
"""A greeting that comes sooner than the provider could was rendered before."""
ANSWER_SECONDS: Final = 30
LISTEN_SECONDS: Final = 3.0
"""The caller lets the agent talk for so long."""
INTERRUPT_SECONDS: Final = 2.0
SILENCE_PACKETS: Final = 10
"""The agent has stopped when so many packets in a row are silent."""


@contextmanager
def a_line_to(rig: Rig, target: Product, calls: int, orders: Orders) -> Iterator[Callers]:
    """The target started, silent callers, and a provider under these orders."""
    target.start()
    callers = Callers(target.server, rig.speech, at_once=calls + 8, known_calls=calls + 200)
    callers.silent = True
    rig.provider.obey(orders)
    try:
        yield callers
        empty(callers)
    finally:
        callers.close()
        rig.provider.obey(Orders())
        target.stop()


def far_provider(speech: Speech) -> Orders:
    """It takes a second to open a session; its speech API speaks for three."""
    frames = 3 * RATE // FRAME_SAMPLES
    return Orders(
        mode="speaker",
        open_seconds=PROVIDER_SECONDS,
        answer=speech.frames[:frames].tobytes(),
        speech=soxr.resample(speech.pcm(0, frames), RATE, 24000).tobytes(),
    )


def greeting(
    rig: Rig, target: Product, calls: int, orders: Orders, say: Callable[[str], None]
) -> list[Promptness]:
    """From the 200 OK to the first packet with sound, while the provider takes a second to open."""
    with a_line_to(rig, target, calls, orders) as callers:
        if not _wait_for_prompt(callers, target):
            say(f"no rendered greeting was played within {RENDER_SECONDS:.0f} s")
        dialogs: list[Dialog] = []

        def dial(place: int) -> None:
            dialogs.append(callers.dial(target.number(place)))

        for place in range(calls):
            callers.later(place * SPACING_SECONDS, partial(dial, place))
        callers.run(calls * SPACING_SECONDS + GREETED_SECONDS)
        waits = [greeted_after(callers, dialog) for dialog in dialogs]
    return [timed("first greeting audio after the 200 OK", waits)]


def greeted_after(callers: Callers, dialog: Dialog) -> float:
    """Seconds; NaN: nothing was heard."""
    return float(callers.rtp.first_loud[dialog.call]) - dialog.final_at


def _wait_for_prompt(callers: Callers, target: Product) -> bool:
    """Call until the greeting comes without the provider: the jobs have rendered it then."""
    for _ in range(int(RENDER_SECONDS / (GREETED_SECONDS + 1))):
        dialog = callers.dial(target.number(0))
        callers.run(GREETED_SECONDS)
        waited = greeted_after(callers, dialog)
        callers.hang_up(dialog)
        callers.run(1.0)
        if waited < PROMPT_READY_SECONDS:
            return True
    return False


def barge_in(rig: Rig, target: Product, calls: int) -> list[Promptness]:
    """The caller speaks into a long answer: until the last packet with the agent's voice.

    Counted from the moment in which the worker's detector says so (its debug log), from the
    caller's packet in which the same detector, fed with the same audio, hears speech begin, and
    from the first packet with speech.
    """
    answer = np.tile(rig.speech.frames, (3, 1))[: ANSWER_SECONDS * RATE // FRAME_SAMPLES].tobytes()
    mode = LocalVad(target.name)
    with a_line_to(rig, target, calls, Orders(mode="monologue", answer=answer)) as callers:
        heard = callers.record([])
        began: dict[int, tuple[int, int]] = {}
        dialogs: list[Dialog] = []

        def dial(place: int) -> None:
            dialogs.append(callers.dial(target.number(place)))

        def speak(place: int) -> None:
            call = dialogs[place].call
            frame = callers.speech.spoken_from(callers.first_frame_of(place))
            began[call] = (callers.rtp.next_packet(call), frame)
            callers.rtp.say(call, frame)

        for place in range(calls):
            callers.later(place * SPACING_SECONDS, partial(dial, place))
            callers.later(place * SPACING_SECONDS + LISTEN_SECONDS, partial(speak, place))
        callers.run(calls * SPACING_SECONDS + LISTEN_SECONDS + INTERRUPT_SECONDS)
        callers.stop_recording()
        return _stops(callers, mode, heard, began, onsets(target.said()))


def _stops(
    callers: Callers,
    mode: LocalVad,
    heard: Heard,
    began: dict[int, tuple[int, int]],
    told: NDArray[np.float64],
) -> list[Promptness]:
    from_speech, from_packet, from_onset = [], [], []
    for call, (packet, frame) in began.items():
        onset = packet + onset_packet(callers.speech, mode, frame)
        spoke_at, onset_at = callers.rtp.sent_at(call, np.array([packet, onset]))
        last = last_voice(heard, call, float(spoke_at))
        from_speech.append(last - float(spoke_at))
        from_packet.append(last - float(onset_at))
        later = told[told > spoke_at]
        from_onset.append(last - float(later[0]) if len(later) else float("nan"))
    return [
        timed(f"{mode}: last agent packet after the VAD's onset", from_onset),
        timed(f"{mode}: last agent packet after the packet of the onset", from_packet),
        timed(f"{mode}: last agent packet after the first word", from_speech),
    ]


def onsets(log: str) -> NDArray[np.float64]:
    """When (CLOCK_MONOTONIC) the worker's VAD heard a caller begin; no two calls begin at once."""
    found = re.findall(r"dialogue\.local_onset.*?\bat=([\d.]+)", log)
    return np.array([float(at) for at in found])


def onset_packet(speech: Speech, mode: LocalVad, frame: int) -> int:
    """How many packets after the first with speech the detector knows; quiet came before."""
    events: list[VadEvent] = []
    activity = VoiceActivity(RATE, NeuralVad(RATE) if mode is LocalVad.NEURAL else None)
    line = Capture(RATE)
    activity.open(line, mode, silence_ms=500, hears=events.append)

    def hear(octets: bytes) -> None:
        line.put(g711.decode_mu_law(octets))
        activity.listen()

    for quiet in speech.frames[speech.quiet_start :]:
        hear(quiet.tobytes())
    for count in range(50):
        hear(speech.frames[(frame + count) % speech.loop].tobytes())
        if any(isinstance(event, VadOnset) for event in events):
            return count
    return 50


def last_voice(heard: Heard, call: int, since: float) -> float:
    """Arrival of the agent's last packet with sound before it was silent; NaN: it never was."""
    own = np.flatnonzero(heard.call[: heard.count] == call)
    at, quiet = heard.at[own], heard.quiet[own]
    runs = np.convolve(quiet, np.ones(SILENCE_PACKETS), "valid") == SILENCE_PACKETS
    silent_from = np.flatnonzero(runs & (at[: len(runs)] > since))
    if not len(silent_from):
        return float("nan")
    before = np.flatnonzero(~quiet[: silent_from[0]])
    return float(at[before[-1]]) if len(before) else float("nan")


def timed(name: str, seconds: list[float]) -> Promptness:
    values: NDArray[np.float64] = np.array(seconds) * 1000
    known = values[~np.isnan(values)]
    if len(known) < len(values):
        name = f"{name} ({len(values) - len(known)} of {len(values)} never)"
    if not len(known):
        known = np.array([float("nan")])
    return Promptness(
        name=name,
        count=len(values),
        p50=float(np.percentile(known, 50)),
        p95=float(np.percentile(known, 95)),
        worst=float(known.max()),
    )
