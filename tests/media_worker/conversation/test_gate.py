"""Only speech goes up: what is sent, and that the session's audio clock still tells the time."""

from __future__ import annotations

import numpy as np
import pytest

from media_worker.audio import g711
from media_worker.audio.capture import Capture
from media_worker.contract import AudioFormat, LocalVad, Settings, TurnMeasured, VadMode
from media_worker.conversation.gate import (
    LAG_MS,
    SEMANTIC_TAIL_MS,
    SERVER_MARGIN_MS,
    Gate,
    gate_of,
)
from media_worker.conversation.leg import LegHeld
from media_worker.conversation.uplink import LIMIT_MS, Uplink
from media_worker.realtime.session import (
    CallerText,
    SessionInfo,
    SpeechStarted,
    SpeechStopped,
    TurnCommitted,
)
from tests.media_worker.conversation.stage import Stage, make_plan, tone

BYTES_A_MS = 16


def numbered(first: int, ms: int) -> bytes:
    """PCM whose every sample says which one it is."""
    return np.arange(first * 8, (first + ms) * 8).astype("<i2").tobytes()


# --- the gate alone ------------------------------------------------------------------------------


def test_silence_is_kept_back_but_for_what_may_precede_speech():
    gate = Gate(BYTES_A_MS, pre_roll_ms=300, tail_ms=500)
    gate.feed(numbered(0, 1000))
    assert gate.release(is_open=False) == (b"", 700 * BYTES_A_MS)
    gate.feed(numbered(1000, 100))
    assert gate.release(is_open=True) == (numbered(700, 400), 0)


def test_nothing_is_sent_twice():
    gate = Gate(BYTES_A_MS, pre_roll_ms=300, tail_ms=100)
    gate.feed(numbered(0, 200))
    assert gate.release(is_open=True) == (numbered(0, 200), 0)
    gate.feed(numbered(200, 200))
    assert gate.release(is_open=False) == (numbered(200, 100), 0)
    gate.feed(numbered(400, 40))
    assert gate.release(is_open=True) == (numbered(300, 140), 0)


def test_silence_after_speech_goes_out_for_a_while():
    gate = Gate(BYTES_A_MS, pre_roll_ms=100, tail_ms=300)
    gate.feed(numbered(0, 100))
    gate.release(is_open=True)
    sent = b""
    for start in range(100, 1000, 40):
        gate.feed(numbered(start, 40))
        sent += gate.release(is_open=False)[0]
    assert sent == numbered(100, 300)
    assert gate.kept_bytes == 100 * BYTES_A_MS


@pytest.mark.parametrize(
    ("choice", "pre_roll_ms", "tail_ms"),
    [
        ({"vad_mode": VadMode.SERVER}, 300, SERVER_MARGIN_MS),
        ({"vad_mode": VadMode.SERVER, "prefix_padding_ms": 800}, 800, SERVER_MARGIN_MS),
        ({"vad_mode": VadMode.SERVER, "prefix_padding_ms": 0}, 300, SERVER_MARGIN_MS),
        ({"vad_mode": VadMode.SEMANTIC}, 300, SEMANTIC_TAIL_MS - 500),
        ({"vad_mode": VadMode.SEMANTIC, "silence_duration_ms": 5000}, 300, 0),
        ({"vad_mode": VadMode.LOCAL}, 300, 0),
    ],
)
def test_gate_is_made_for_who_ends_the_turn(choice, pre_roll_ms, tail_ms):
    gate = gate_of(Settings(model="m", voice="v", **choice), 8000)
    gate.feed(bytes(5000 * BYTES_A_MS))
    assert len(gate.release(is_open=True)[0]) == 5000 * BYTES_A_MS
    gate.feed(bytes(5000 * BYTES_A_MS))
    out, kept_back = gate.release(is_open=False)
    assert len(out) == tail_ms * BYTES_A_MS
    assert kept_back == (5000 - tail_ms - pre_roll_ms - LAG_MS) * BYTES_A_MS


# --- the audio clock -----------------------------------------------------------------------------


class Receiver:
    """A session of which only what it was sent matters."""

    info = SessionInfo(
        session_id="s", model="m", input_format=AudioFormat.PCMU, output_format=AudioFormat.PCMU
    )

    def __init__(self) -> None:
        self.sent = b""

    def send_audio(self, data: bytes) -> None:
        self.sent += data

    @property
    def ms(self) -> float:
        return len(self.sent) / 8


class Rig:
    """An uplink on a virtual clock: 20 ms of the caller at a time."""

    def __init__(self, gate: Gate | None) -> None:
        self.capture = Capture(8000)
        self.uplink = Uplink(self.capture, 8000, 20, gate)
        self.session = Receiver()
        self.ms = 0

    def hear(self, ms: int, *, is_open: bool = True) -> None:
        for _ in range(ms // 20):
            self.capture.put(numbered(self.ms, 20))
            self.ms += 20
            self.uplink.pull()
            self.uplink.send(is_open=is_open)

    def moment(self, audio_ms: float) -> float:
        return round(self.uplink.moment(audio_ms, self.ms / 1000) * 1000)


def test_audio_clock_knows_of_what_the_gate_kept_back():
    rig = Rig(Gate(BYTES_A_MS, pre_roll_ms=300, tail_ms=500))
    rig.uplink.open(rig.session)
    rig.hear(2000, is_open=False)
    rig.hear(1000)  # sent: 1700 to 3500
    rig.hear(5000, is_open=False)
    rig.hear(1000)  # sent: 7700 to 9000
    assert rig.session.ms == 1300 + 500 + 1300
    assert [rig.moment(at) for at in (0, 100, 1799)] == [1700, 1800, 3499]
    assert [rig.moment(at) for at in (1800, 2000, 3100)] == [7700, 7900, 9000]
    assert rig.moment(99_999) == 9000
    assert (rig.uplink.heard_ms, rig.uplink.not_sent_ms) == (9000, 9000 - 3100)


def test_audio_clock_knows_of_a_hold():
    rig = Rig(None)
    rig.uplink.open(rig.session)
    rig.hear(1000)
    rig.uplink.held = True
    rig.hear(3000)
    rig.uplink.held = False
    rig.hear(500)
    assert rig.session.ms == 1500
    assert [rig.moment(at) for at in (999, 1000, 1400)] == [999, 4000, 4400]
    assert rig.uplink.not_sent_ms == 3000


def test_hold_forgets_what_came_before_it():
    rig = Rig(Gate(BYTES_A_MS, pre_roll_ms=300, tail_ms=0))
    rig.uplink.open(rig.session)
    rig.hear(1000, is_open=False)
    rig.uplink.held = True
    rig.hear(1000, is_open=False)
    rig.uplink.held = False
    rig.hear(100)
    assert rig.session.ms == 100
    assert rig.moment(0) == 2000
    assert rig.uplink.not_sent_ms == 2000


def test_audio_clock_of_the_next_session_begins_with_what_waited_for_it():
    rig = Rig(None)
    rig.uplink.open(rig.session)
    rig.hear(1000)
    rig.uplink.close()
    rig.hear(3000)
    assert rig.uplink.dropped_ms == 3000 - LIMIT_MS
    rig.session = Receiver()
    rig.uplink.open(rig.session)
    rig.hear(20)
    assert rig.session.ms == LIMIT_MS
    assert rig.moment(0) == 4020 - LIMIT_MS


def test_many_gaps_are_remembered_in_bounded_space():
    rig = Rig(Gate(BYTES_A_MS, pre_roll_ms=20, tail_ms=0))
    rig.uplink.open(rig.session)
    for _ in range(500):
        rig.hear(100, is_open=False)
        rig.hear(20)
    assert len(rig.uplink._gaps) <= 64
    assert rig.moment(rig.session.ms - 1) == rig.ms - 1
    assert rig.moment(rig.session.ms - 41) == rig.ms - 121


# --- in a call -----------------------------------------------------------------------------------


def gated(make_stage, **settings) -> Stage:
    return make_stage(make_plan(local_vad=LocalVad.ENERGY, vad_gates_audio=True, **settings))


def sent_ms(session) -> float:
    return len(session.sent) / 8


def sound_ms(session) -> float:
    """Of what was sent, how much was not silence."""
    pcm = np.frombuffer(g711.decode_mu_law(bytes(session.sent)), dtype="<i2")
    return float((np.abs(pcm.reshape(-1, 160)).max(axis=1) > 500).sum() * 20)


async def test_provider_gets_each_word_and_little_else(make_stage):
    stage = gated(make_stage)
    session = await stage.greeted()
    for _ in range(3):
        stage.caller_says = tone(1000)
        await stage.run(10_000)
    # pre-roll and lag, speech, the silence that ends it for us, the margin
    each_ms = 500 + 1000 + 500 + SERVER_MARGIN_MS
    assert sent_ms(session) == pytest.approx(3 * each_ms, abs=3 * 120)
    assert sound_ms(session) == pytest.approx(3 * 1000, abs=60)
    uplink = stage.conversation._dialogue.caller.uplink
    assert uplink.not_sent_ms == pytest.approx(uplink.heard_ms - sent_ms(session), abs=300)


async def test_all_is_sent_where_no_gate_is_set(make_stage):
    stage = make_stage(make_plan(local_vad=LocalVad.ENERGY))
    session = await stage.greeted()
    before = sent_ms(session)
    await stage.run(5000)
    assert sent_ms(session) - before == pytest.approx(5000, abs=60)


async def test_a_gate_without_a_detector_lets_all_through(make_stage):
    stage = make_stage(make_plan(vad_gates_audio=True))
    session = await stage.greeted()
    before = sent_ms(session)
    await stage.run(2000)
    assert sent_ms(session) - before == pytest.approx(2000, abs=60)


async def test_transcript_and_timings_are_right_across_the_gaps(make_stage):
    """The second turn comes after 20 s of which the provider was sent nothing."""
    stage = gated(make_stage)
    session = await stage.greeted()  # 3100 ms of the call
    for number, began in enumerate((5000, 25_000)):
        await stage.run(began - round((stage.clock.time - 1000) * 1000))
        clock_ms = sent_ms(session)
        stage.caller_says = tone(1000)
        await stage.run(300)
        # the provider finds the beginning where it lies in what it was sent, less its padding
        session.emit(SpeechStarted(f"u{number}", round(clock_ms + 500 - 100 - 300)))
        await stage.run(1300)
        session.emit(SpeechStopped(f"u{number}", round(clock_ms + 500 - 100 + 1000 + 500)))
        session.emit(TurnCommitted(f"u{number}", None), CallerText(f"u{number}", "Hi", final=True))
        session.speak(f"a{number}", "Good day.", 600, previous=f"u{number}")
        await stage.run(2000)
        entry = stage.entry(f"u{number}")
        assert entry.offset_ms == pytest.approx(began, abs=200)
        assert entry.duration_ms == pytest.approx(1000, abs=200)
        turn = stage.of(TurnMeasured)[-1]
        assert turn.caller_stopped_ms == pytest.approx(began + 1000, abs=200)


async def test_provider_that_still_hears_the_caller_hears_on(make_stage):
    """Its VAD takes for speech what ours does not; without more audio it would wait for ever."""
    stage = gated(make_stage)
    session = await stage.greeted()
    stage.caller_says = tone(600)
    await stage.run(400)
    session.emit(SpeechStarted("u1", 100))
    await stage.run(5000)
    before = sent_ms(session)
    await stage.run(3000)
    assert sent_ms(session) - before == pytest.approx(3000, abs=60)
    session.emit(SpeechStopped("u1", 8000), TurnCommitted("u1", None))
    await stage.run(1000)
    before = sent_ms(session)
    await stage.run(3000)
    assert sent_ms(session) == before


async def test_provider_that_counts_silence_gets_it(make_stage):
    stage = gated(make_stage, idle_timeout_ms=5000)
    session = await stage.greeted()
    await stage.run(200)
    before = sent_ms(session)
    await stage.run(6000)
    assert sent_ms(session) - before == pytest.approx(6000, abs=60)
    session.speak("a1", "Are you still there? I can wait if you like.", 4000)
    await stage.run(1000)
    before = sent_ms(session)
    await stage.run(2000)
    assert sent_ms(session) == before  # the agent speaks: nobody waits for the caller


async def test_own_turns_are_sent_up_to_the_commit_and_not_beyond(make_stage):
    stage = gated(make_stage, vad_mode=VadMode.LOCAL)
    session = await stage.greeted()
    stage.caller_says = tone(1000)
    await stage.until(lambda: session.did("commit_turn") == [None])
    at_commit = sent_ms(session)
    assert at_commit == pytest.approx(500 + 1000 + 500, abs=120)
    await stage.run(4000)
    assert sent_ms(session) == at_commit


async def test_what_is_said_in_a_hold_stays_with_the_caller(make_stage):
    stage = gated(make_stage)
    session = await stage.greeted()
    before = sent_ms(session)
    stage.leg.queue.put_nowait(LegHeld(True))
    await stage.settle()
    stage.caller_says = tone(2000)
    await stage.run(3000)
    stage.leg.queue.put_nowait(LegHeld(False))
    await stage.run(1000)
    assert sent_ms(session) == before
