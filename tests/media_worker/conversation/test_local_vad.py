"""Our own VAD: it stops the agent without asking, and ends turns where it owns them."""

from __future__ import annotations

import pytest

from media_worker.contract import LocalVad, Speaker, TurnMeasured, VadMode
from media_worker.conversation.turns import CONFIRM_SECONDS
from media_worker.realtime.session import CallerText, SpeechStarted, TurnCommitted
from tests.media_worker.conversation.stage import FRAME_MS, Stage, is_sound, make_plan, tone

LONG = "We are open from Monday to Friday, from eight in the morning until six in the evening."


def local_plan(**settings):
    return make_plan(vad_mode=VadMode.LOCAL, local_vad=LocalVad.ENERGY, **settings)


async def speaking(stage: Stage):
    session = await stage.greeted()
    session.speak("a1", LONG, 5000)
    await stage.run(1000)
    return session


async def test_local_onset_stops_the_agent_before_the_provider_says_anything(make_stage):
    stage = make_stage(make_plan(local_vad=LocalVad.ENERGY))
    session = await speaking(stage)
    stage.caller_says = tone(600)
    began = len(stage.heard)
    await stage.until(lambda: not is_sound(stage.heard[-1]), limit_ms=400)
    assert (len(stage.heard) - began) * FRAME_MS <= 160  # 60 ms of onset, one tick, one frame
    (heard,) = session.did("interrupt")
    assert heard.item_id == "a1"
    assert 1000 < heard.milliseconds <= 1160
    session.emit(SpeechStarted("u1", 4000))
    await stage.run(1000)
    assert len(session.did("interrupt")) == 1


async def test_agent_goes_on_when_the_provider_heard_nothing(make_stage):
    stage = make_stage(make_plan(local_vad=LocalVad.ENERGY))
    session = await speaking(stage)
    stage.caller_says = tone(200)
    await stage.run(200 + 500 + int(CONFIRM_SECONDS * 1000) - 100)
    assert session.did("respond") == []
    await stage.run(300)
    assert session.did("respond") == [None]


async def test_local_onset_stops_nothing_where_interruption_is_off(make_stage):
    stage = make_stage(make_plan(local_vad=LocalVad.ENERGY, interrupt=False))
    session = await speaking(stage)
    stage.caller_says = tone(600)
    await stage.run(3000)
    assert session.did("interrupt") == []


async def test_no_local_vad_listens_where_it_is_off(make_stage):
    stage = make_stage(make_plan())
    session = await speaking(stage)
    stage.caller_says = tone(600)
    await stage.run(2000)
    assert session.did("interrupt") == []


async def test_local_turn_is_committed_after_the_silence_that_is_set(make_stage):
    stage = make_stage(local_plan(silence_duration_ms=700))
    session = await stage.greeted()
    stage.caller_says = tone(1000)
    await stage.run(1000 + 600)
    assert session.did("commit_turn") == []
    await stage.run(300)
    assert session.did("commit_turn") == [None]
    session.emit(TurnCommitted("u1", "greeting"), CallerText("u1", "Hello", final=True))
    session.speak("a1", "Good day.", 600, previous="u1")
    await stage.run(1000)
    entries = [(entry.speaker, entry.text) for entry in stage.entries()[1:]]
    assert entries == [(Speaker.CALLER, "Hello"), (Speaker.AGENT, "Good day.")]
    caller = stage.entry("u1")
    assert caller.offset_ms == pytest.approx(3100, abs=100)
    assert caller.duration_ms == pytest.approx(1000, abs=100)
    turn = stage.of(TurnMeasured)[-1]
    assert turn.end_known_ms - turn.caller_stopped_ms == pytest.approx(700, abs=80)


async def test_local_turn_within_the_guard_is_committed_after_the_greeting(make_stage):
    stage = make_stage(local_plan(greeting_guard_ms=2000))
    session = await stage.start()
    session.speak("greeting", "Good morning to you.", 2000)
    stage.caller_says = tone(400)
    await stage.run(1900)
    assert session.did("commit_turn") == []
    await stage.run(200)
    assert session.did("commit_turn") == [None]
    assert session.did("interrupt") == []


async def test_local_turns_work_where_no_detector_was_chosen(make_stage):
    stage = make_stage(make_plan(vad_mode=VadMode.LOCAL))
    session = await stage.greeted()
    stage.caller_says = tone(1000)
    await stage.run(2500)
    assert session.did("commit_turn") == [None]
