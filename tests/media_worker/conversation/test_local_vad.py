"""Our own VAD: it silences the agent without asking, and ends turns where it owns them."""

from __future__ import annotations

import pytest

from media_worker.audio import g711
from media_worker.contract import (
    LocalVad,
    ProblemKind,
    ProviderProblem,
    Speaker,
    TurnMeasured,
    VadMode,
)
from media_worker.conversation.turns import CONFIRM_SECONDS, SURE_MS
from media_worker.realtime.session import (
    CallerText,
    Ended,
    ResponseStarted,
    SessionError,
    SpeechStarted,
    TurnCommitted,
)
from tests.media_worker.conversation.stage import FRAME_MS, Stage, is_sound, make_plan, tone

LONG = "We are open from Monday to Friday, from eight in the morning until six in the evening."


def local_plan(**settings):
    return make_plan(vad_mode=VadMode.LOCAL, local_vad=LocalVad.ENERGY, **settings)


async def speaking(stage: Stage):
    session = await stage.greeted()
    session.speak("a1", LONG, 5000)
    await stage.run(1000)
    return session


async def until_silent(stage: Stage) -> int:
    """The caller begins to speak; for how long the agent is still heard, in ms."""
    began = len(stage.heard)
    await stage.until(lambda: not is_sound(stage.heard[-1]), limit_ms=400)
    return (len(stage.heard) - began) * FRAME_MS


COUGH_MS = 200


async def test_local_onset_silences_the_agent_before_the_provider_says_anything(make_stage):
    stage = make_stage(make_plan(local_vad=LocalVad.ENERGY))
    session = await speaking(stage)
    stage.caller_says = tone(600)
    assert await until_silent(stage) <= 160  # 60 ms of onset, one tick, one frame
    assert session.did("interrupt") == []
    session.emit(SpeechStarted("u1", 4000))
    await stage.run(1000)
    (heard,) = session.did("interrupt")
    assert heard.item_id == "a1"
    assert 1000 < heard.milliseconds <= 1160
    assert stage.heard_ms == 3000 + heard.milliseconds
    turn = stage.of(TurnMeasured)[-1]
    assert turn.interrupted
    assert turn.playout_ended_ms - turn.first_packet_ms == pytest.approx(heard.milliseconds, abs=40)


async def test_a_cough_makes_a_pause_and_not_a_word_is_lost(make_stage):
    stage = make_stage(make_plan(local_vad=LocalVad.ENERGY, false_interruption_ms=1500))
    session = await speaking(stage)
    stage.caller_says = tone(COUGH_MS)
    await until_silent(stage)
    silent_from = len(stage.heard)
    await stage.until(lambda: is_sound(stage.heard[-1]))
    assert (len(stage.heard) - silent_from) * FRAME_MS == pytest.approx(1500, abs=60)
    await stage.run(5000)
    assert stage.heard_ms == 3000 + 5000
    assert {name for name, _ in session.asked} == {"say", "set_guard"}
    entry = stage.entry("a1")
    assert (entry.text, entry.cut_text, entry.final) == (LONG, "", True)
    turn = stage.of(TurnMeasured)[-1]
    assert not turn.interrupted
    assert turn.playout_ended_ms - turn.first_packet_ms == pytest.approx(6500, abs=80)


async def test_speech_that_only_we_hear_interrupts_and_the_agent_is_asked_to_go_on(make_stage):
    stage = make_stage(make_plan(local_vad=LocalVad.ENERGY))
    session = await speaking(stage)
    stage.caller_says = tone(SURE_MS + 100)
    await until_silent(stage)
    assert session.did("interrupt") == []
    await stage.run(SURE_MS)
    (heard,) = session.did("interrupt")
    assert stage.heard_ms == 3000 + heard.milliseconds
    await stage.run(500 + int(CONFIRM_SECONDS * 1000) - 200)
    assert session.did("respond") == []
    await stage.run(400)
    assert session.did("respond") == [None]


async def test_local_onset_interrupts_at_once_where_nothing_is_undone(make_stage):
    stage = make_stage(make_plan(local_vad=LocalVad.ENERGY, false_interruption_ms=0))
    session = await speaking(stage)
    stage.caller_says = tone(COUGH_MS)
    await until_silent(stage)
    await stage.settle()
    assert len(session.did("interrupt")) == 1


async def test_only_the_provider_stops_the_agent_where_our_vad_may_not(make_stage):
    stage = make_stage(make_plan(local_vad=LocalVad.ENERGY, vad_stops_agent=False))
    session = await speaking(stage)
    stage.caller_says = tone(1000)
    await stage.run(1500)
    assert stage.heard_ms == 3000 + 2500
    session.emit(SpeechStarted("u1", 4000))
    await stage.run(100)
    assert len(session.did("interrupt")) == 1


async def test_answer_that_comes_during_a_cough_waits_and_is_heard_whole(make_stage):
    stage = make_stage(make_plan(local_vad=LocalVad.ENERGY, false_interruption_ms=1000))
    session = await stage.greeted()
    session.caller_turn("u1", "When are you open?", previous="greeting")
    session.emit(ResponseStarted("resp_a1"))
    await stage.run(200)
    stage.caller_says = tone(COUGH_MS)
    await stage.run(200)
    session.speak("a1", LONG, 2000, previous="u1")
    heard_ms = stage.heard_ms
    await stage.run(600)
    assert stage.heard_ms == heard_ms  # paused
    await stage.run(3000)
    assert stage.heard_ms == heard_ms + 2000
    assert session.did("interrupt") == []


async def test_session_that_drops_while_the_agent_is_paused_takes_no_word_away(make_stage):
    stage = make_stage(make_plan(local_vad=LocalVad.ENERGY))
    session = await speaking(stage)
    stage.caller_says = tone(COUGH_MS)
    await until_silent(stage)
    session.emit(Ended(problem=SessionError(ProblemKind.DROPPED, "gone", retryable=True)))
    await stage.run(8000)
    assert stage.heard_ms == 3000 + 5000
    assert len(stage.sessions) == 2
    assert stage.entry("a1").cut_text == ""


async def test_long_pause_is_no_silence_of_the_provider(make_stage):
    stage = make_stage(make_plan(local_vad=LocalVad.ENERGY, false_interruption_ms=5000))
    session = await stage.greeted()
    session.caller_turn("u1", "When are you open?", previous="greeting")
    session.speak("a1", LONG, 400, previous="u1", finish=False)
    await stage.run(200)
    for _ in range(3):
        stage.caller_says = tone(COUGH_MS)
        await stage.run(4900)
    assert stage.of(ProviderProblem) == []


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


async def test_a_cough_is_no_turn_where_our_vad_ends_the_turns(make_stage):
    stage = make_stage(local_plan())
    session = await speaking(stage)
    stage.caller_says = tone(COUGH_MS)
    await until_silent(stage)
    await stage.run(COUGH_MS + 500 + 5000)
    assert stage.heard_ms == 3000 + 5000
    assert session.did("commit_turn") == []
    assert session.did("interrupt") == []


async def test_local_turn_interrupts_and_is_committed(make_stage):
    stage = make_stage(local_plan())
    session = await speaking(stage)
    stage.caller_says = tone(900)
    await stage.run(900 + 700)
    assert [name for name, _ in session.asked][-2:] == ["interrupt", "commit_turn"]


async def test_short_answer_is_a_local_turn_while_the_agent_waits_for_it(make_stage):
    stage = make_stage(local_plan())
    session = await stage.greeted()
    stage.caller_says = tone(COUGH_MS)
    await stage.run(COUGH_MS + 700)
    assert session.did("commit_turn") == [None]


@pytest.mark.parametrize("gated", [True, False])
@pytest.mark.parametrize("ms", [600, 620, 640, 660, 680])
async def test_every_word_is_sent_before_the_turn_is_ended(make_stage, gated, ms):
    """However large the chunks are, and however soon the turn ends after the last word."""
    plan = local_plan(silence_duration_ms=40, chunk_ms=100, vad_gates_audio=gated)
    stage = make_stage(plan)
    session = await stage.greeted()
    stage.caller_says = tone(ms)
    await stage.run(1500)
    assert session.did("commit_turn") == [None]
    pcm = g711.decode_mu_law(bytes(session.sent[: session.sent_at_commit]))
    frames = [pcm[at : at + 320] for at in range(0, len(pcm), 320)]
    assert sum(map(is_sound, frames)) * FRAME_MS == ms
