"""The caller interrupts: silence at once, only what was heard is kept, and the greeting's guard."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from media_worker.contract import CallPlan, LocalVad, TurnMeasured
from media_worker.conversation.turns import GOES_ON_MS, LIFTING_SECONDS
from media_worker.realtime.session import (
    AgentAudio,
    AgentText,
    AgentTextDone,
    CallerText,
    Heard,
    ResponseFinished,
    ResponseStarted,
    SpeechStarted,
    SpeechStopped,
    TurnCommitted,
)
from tests.media_worker.conversation.stage import (
    FRAME_MS,
    GREETING,
    Stage,
    is_sound,
    make_plan,
    speech_bytes,
    tone,
)

LONG = "We are open from Monday to Friday, from eight in the morning until six in the evening."
PADDING_MS = make_plan().settings.prefix_padding_ms


async def speaking(stage: Stage, heard_ms: int = 1000):
    """The agent is in the middle of a long answer after its greeting."""
    session = await stage.greeted()
    session.speak("a1", LONG, 5000, previous="u1")
    await stage.run(heard_ms)
    return session


async def test_playback_stops_with_the_next_frame(stage: Stage):
    session = await speaking(stage)
    assert is_sound(stage.heard[-1])
    session.emit(SpeechStarted("u2", 4000))
    await stage.settle()
    await stage.run(FRAME_MS)
    assert not is_sound(stage.heard[-1])
    await stage.run(2000)
    assert not any(is_sound(frame) for frame in stage.heard[-100:])


async def test_provider_is_told_how_many_milliseconds_of_which_item_were_heard(stage: Stage):
    session = await speaking(stage, heard_ms=1240)
    session.emit(SpeechStarted("u2", 4000))
    await stage.settle()
    assert session.did("interrupt") == [Heard("a1", 1240)]


async def test_transcript_keeps_only_what_was_heard(stage: Stage):
    session = await speaking(stage, heard_ms=2500)
    session.emit(SpeechStarted("u2", 4000))
    await stage.run(400)
    entry = stage.entry("a1")
    assert entry.text == "We are open from Monday to Friday, from"
    assert f"{entry.text} {entry.cut_text}" == LONG
    assert entry.final
    assert entry.duration_ms == 2500


async def test_late_audio_and_words_of_what_was_cut_off_are_not_heard(stage: Stage):
    session = await stage.greeted()
    session.speak("a1", "We are open", 2000, finish=False)
    await stage.run(1000)
    session.emit(SpeechStarted("u2", 4000))
    await stage.settle()
    session.emit(AgentAudio("a1", speech_bytes(session.info.output_format, 500)))
    session.emit(AgentText("a1", " every day."), AgentTextDone("a1", "We are open every day."))
    session.emit(ResponseFinished(response_id="resp_a1", status="cancelled", had_audio=True))
    await stage.run(1000)
    assert not any(is_sound(frame) for frame in stage.heard[-50:])
    entry = stage.entry("a1")
    assert (entry.text, entry.cut_text) == ("We", "are open every day.")


async def test_answer_that_nobody_heard_leaves_no_entry_and_is_cancelled(stage: Stage):
    session = await stage.greeted()
    session.emit(ResponseStarted("resp_a1"))
    await stage.settle()
    session.emit(SpeechStarted("u2", 4000))
    await stage.run(200)
    assert session.did("interrupt") == [None]
    assert [entry.item_id for entry in stage.entries()] == ["greeting"]


async def test_second_item_that_waited_is_dropped_too(stage: Stage):
    session = await speaking(stage)
    session.speak("a2", "And one thing more.", 1000, previous="a1")
    await stage.run(40)
    session.emit(SpeechStarted("u2", 4000))
    await stage.run(3000)
    assert session.did("interrupt") == [Heard("a1", 1040)]
    assert [entry.item_id for entry in stage.entries()] == ["greeting", "a1"]


async def test_speech_while_the_agent_is_silent_interrupts_nothing(stage: Stage):
    session = await stage.greeted()
    session.emit(SpeechStarted("u1", 4000))
    await stage.run(200)
    assert session.did("interrupt") == []


async def test_agent_goes_on_where_interruption_is_off(make_stage):
    stage = make_stage(make_plan(interrupt=False))
    session = await speaking(stage)
    session.emit(SpeechStarted("u2", 4000))
    await stage.run(4200)
    assert session.did("interrupt") == []
    assert stage.entry("a1").text == LONG


async def test_interrupted_turn_is_measured_as_such(stage: Stage):
    session = await speaking(stage)
    session.emit(SpeechStarted("u2", 4000))
    await stage.run(200)
    turn = stage.of(TurnMeasured)[-1]
    assert turn.interrupted
    assert turn.playout_ended_ms - turn.first_packet_ms == pytest.approx(1000, abs=40)


# --- the greeting's guard ------------------------------------------------------------------------


async def greeting(stage: Stage, heard_ms: int):
    session = await stage.start()
    session.speak("greeting", GREETING, 3000)
    await stage.run(heard_ms)
    return session


async def test_short_noise_within_the_guard_does_not_stop_the_greeting(stage: Stage):
    session = await greeting(stage, 300)
    session.emit(SpeechStarted("u1", 100))
    await stage.run(300)
    session.emit(SpeechStopped("u1", 500))
    await stage.run(3000)
    assert session.did("interrupt") == []
    assert stage.entry("greeting").text == GREETING
    assert stage.heard_ms == 3000


@pytest.mark.parametrize("at_ms", [600, 860])
async def test_cough_late_in_the_guard_does_not_stop_the_greeting(stage: Stage, at_ms: int):
    session = await greeting(stage, at_ms)
    stage.caller_says = tone(300)
    await stage.run(100)
    session.emit(SpeechStarted("u1", at_ms - PADDING_MS))
    await stage.run(700)  # over for long, but the provider waits for 500 ms of silence
    session.emit(SpeechStopped("u1", at_ms + 800))
    await stage.run(2500)
    assert session.did("interrupt") == []
    assert stage.entry("greeting").text == GREETING


@pytest.mark.parametrize("local_vad", [LocalVad.OFF, LocalVad.ENERGY])
async def test_cough_of_the_guard_that_is_known_after_it_does_not(
    make_stage: Callable[[CallPlan], Stage], local_vad: LocalVad
):
    stage = make_stage(make_plan(local_vad=local_vad))
    session = await greeting(stage, 960)
    stage.caller_says = tone(200)
    await stage.run(200)
    assert session.did("set_guard") == [False]
    session.emit(SpeechStarted("u1", 960 - PADDING_MS))
    await stage.run(600)
    session.emit(SpeechStopped("u1", 1660))
    await stage.run(2500)
    assert session.did("interrupt") == []
    assert stage.entry("greeting").text == GREETING


async def test_guard_is_lifted_a_second_after_the_greetings_first_frame(stage: Stage):
    session = await greeting(stage, 980)
    assert session.did("set_guard") == []
    await stage.run(120)
    assert session.did("set_guard") == [False]


async def test_caller_may_interrupt_the_greeting_after_the_guard(stage: Stage):
    session = await greeting(stage, 1500)
    session.emit(SpeechStarted("u1", 1400))
    await stage.run(200)
    assert session.did("interrupt") == [Heard("greeting", 1500)]
    assert stage.heard_ms == 1500


async def test_speech_that_goes_on_past_the_guard_stops_the_greeting(stage: Stage):
    session = await greeting(stage, 600)
    stage.caller_says = tone(2000)
    session.emit(SpeechStarted("u1", 500))
    await stage.run(380)
    assert session.did("interrupt") == []
    await stage.run(120)
    assert session.did("interrupt") == []
    await stage.run(GOES_ON_MS)
    (heard,) = session.did("interrupt")
    assert 1000 + GOES_ON_MS <= heard.milliseconds <= 1100 + GOES_ON_MS
    assert [name for name, _ in session.asked] == ["say", "set_guard", "interrupt"]


async def test_guard_ends_with_a_greeting_that_is_shorter(stage: Stage):
    session = await stage.start()
    session.speak("greeting", "Hello?", 500)
    await stage.run(460)
    assert session.did("set_guard") == []
    await stage.run(140)
    assert session.did("set_guard") == [False]


async def test_turn_that_ended_within_the_guard_is_answered_after_the_greeting(stage: Stage):
    session = await greeting(stage, 100)
    session.caller_turn("u1", "Hello, is that the doctor?", previous="greeting")
    await stage.run(2800)
    assert session.did("respond") == []
    await stage.run(200)
    assert session.did("respond") == [None]
    await stage.run(1000)
    assert session.did("respond") == [None]


async def test_turn_that_ends_after_the_guard_is_left_to_the_provider(stage: Stage):
    session = await greeting(stage, 100)
    session.emit(SpeechStarted("u1", 50))
    await stage.run(1000)
    session.emit(SpeechStopped("u1", 1500), TurnCommitted("u1", "greeting"))
    session.speak("a1", "Yes, it is.", 500, previous="u1")
    await stage.run(4000)
    assert session.did("respond") == []


async def test_turn_that_raced_with_the_end_of_the_guard_is_answered_after_all(stage: Stage):
    session = await greeting(stage, 1100)
    assert session.did("set_guard") == [False]
    session.caller_turn("u1", "Hello?", previous="greeting")
    await stage.run(int(LIFTING_SECONDS * 1000) - 80)
    assert session.did("respond") == []
    await stage.run(160)
    assert session.did("respond") == [None]


async def test_guard_of_no_length_still_covers_the_time_before_the_greeting(make_stage):
    stage = make_stage(make_plan(greeting_guard_ms=0))
    session = await stage.start()
    session.emit(SpeechStarted("u1", 0), SpeechStopped("u1", 100))
    await stage.run(200)
    assert session.asked == [("say", GREETING)]
    session.speak("greeting", GREETING, 3000)
    await stage.run(100)
    assert session.did("set_guard") == [False]
    session.emit(CallerText("u1", "Hm", final=True), SpeechStarted("u2", 300))
    await stage.run(100)
    assert len(session.did("interrupt")) == 1
