"""What people ask of a call that runs: say, mute, transfer, hang up; at each moment of it."""

from __future__ import annotations

import asyncio

import pytest

from media_worker.contract import (
    CallNoted,
    EndCause,
    NoteKind,
    ProblemKind,
    ToolSet,
    ToolUpdated,
)
from media_worker.conversation.leg import LegDtmf, LegEnded, LegHeld
from media_worker.realtime.session import (
    AgentAudio,
    AgentItem,
    Ended,
    ResponseFinished,
    ResponseStarted,
    SayRefused,
    SessionError,
    SpeechStarted,
    SpeechStopped,
    TurnCommitted,
)
from tests.media_worker.conversation.stage import (
    GREETING,
    Stage,
    make_plan,
    speech_bytes,
)
from tests.media_worker.conversation.test_tools import call_tool, outcome

WORDS = "A colleague will call you back."


def notes(stage: Stage) -> list[tuple[str, str, str]]:
    return [(note.kind.value, note.text, note.command_id) for note in stage.of(CallNoted)]


def asked(stage: Stage, work) -> asyncio.Task[str]:
    """The command is being done, beside the call."""
    return asyncio.create_task(work)


async def said(stage: Stage, session, task: asyncio.Task[str], item: str = "said") -> None:
    """The provider is asked for the words and speaks them to their end."""
    await stage.until(lambda: WORDS in session.did("say"))
    session.speak(item, WORDS, 1000, asked_for=session.asked_for)
    await stage.until(task.done)
    await stage.run(1200)


# --- say -----------------------------------------------------------------------------------------


async def test_words_of_a_person_are_said_and_marked_in_the_record(stage: Stage):
    session = await stage.greeted()
    task = asked(stage, stage.conversation.say("c1", WORDS))
    await said(stage, session, task)
    assert task.result() == ""
    entry = stage.entry("said")
    assert (entry.text, entry.command_id, entry.final) == (WORDS, "c1", True)
    assert stage.entry("greeting").command_id == ""
    assert notes(stage) == [("said", WORDS, "c1")]


async def test_words_wait_until_the_agent_has_finished(stage: Stage):
    session = await stage.greeted()
    session.caller_turn("u1", "Hello?")
    session.speak("answer", "Yes, I am here for you.", 2000, previous="u1")
    await stage.run(500)
    task = asked(stage, stage.conversation.say("c1", WORDS))
    await stage.run(1000)
    assert session.did("say") == [GREETING]
    await said(stage, session, task)
    assert stage.entry("answer").cut_text == ""
    assert stage.entry("said").position > stage.entry("answer").position


async def test_words_asked_for_during_the_greeting_come_behind_it(stage: Stage):
    session = await stage.start()
    session.speak("greeting", GREETING, 3000)
    await stage.run(500)
    task = asked(stage, stage.conversation.say("c1", WORDS))
    await stage.run(1500)
    assert session.did("say") == [GREETING]
    await said(stage, session, task)
    assert stage.entry("greeting").cut_text == ""


async def test_words_asked_for_before_there_is_a_session_are_said_by_it(make_stage):
    stage = make_stage(make_plan(greets=False))
    let = asyncio.Event()
    stage.prepare = [lambda session: setattr(session, "on_open", let.wait)]
    stage.running = asyncio.create_task(stage.conversation.run())
    await stage.until(lambda: bool(stage.sessions))
    task = asked(stage, stage.conversation.say("c1", WORDS))
    await stage.run(500)
    let.set()
    await said(stage, stage.session, task)
    assert stage.entry("said").command_id == "c1"


async def test_a_caller_who_speaks_is_let_finish_but_not_for_ever(stage: Stage):
    session = await stage.greeted()
    session.emit(SpeechStarted("u1", 3200))
    task = asked(stage, stage.conversation.say("c1", WORDS))
    await stage.run(3000)
    assert WORDS not in session.did("say")
    await stage.run(1500)
    assert WORDS in session.did("say")
    await said(stage, session, task)


async def test_words_that_the_session_lost_are_said_by_the_next(stage: Stage):
    session = await stage.greeted()
    task = asked(stage, stage.conversation.say("c1", WORDS))
    await stage.until(lambda: WORDS in session.did("say"))
    session.emit(Ended(problem=SessionError(ProblemKind.DROPPED, "gone")))
    await stage.until(lambda: len(stage.sessions) == 2)
    await said(stage, stage.session, task)
    assert [kind for kind, _, _ in notes(stage)] == ["session_replaced", "said"]


async def test_words_are_said_while_a_transfer_is_tried(stage: Stage):
    session = await stage.greeted()
    call_tool(session, "transfer_call", '{"target":"Sales"}')
    await stage.until(lambda: bool(stage.leg.transfers))
    task = asked(stage, stage.conversation.say("c1", WORDS))
    await said(stage, session, task)
    assert not stage.running.done()


async def test_words_on_hold_are_asked_for_all_the_same(stage: Stage):
    session = await stage.greeted()
    stage.leg.queue.put_nowait(LegHeld(held=True))
    task = asked(stage, stage.conversation.say("c1", WORDS))
    await said(stage, session, task)
    stage.leg.queue.put_nowait(LegHeld(held=False))
    await stage.run(40)
    assert [kind for kind, _, _ in notes(stage)] == ["held", "said", "resumed"]


async def test_a_response_of_the_providers_own_is_not_taken_for_the_words(stage: Stage):
    session = await stage.greeted()
    task = asked(stage, stage.conversation.say("c1", WORDS))
    await stage.until(lambda: WORDS in session.did("say"))
    session.emit(ResponseStarted("resp_own", "c1"), AgentItem("own", None, "resp_own"))
    await stage.run(20)
    session.emit(SayRefused("c1", comes_again=True))
    session.emit(AgentAudio("own", speech_bytes(session.info.output_format, 500)))
    session.emit(ResponseFinished(response_id="resp_own", status="completed", had_audio=True))
    await stage.run(800)
    session.speak("said", WORDS, 500, asked_for="c1")
    await stage.run(700)
    assert task.result() == ""
    assert stage.entry("said").command_id == "c1"
    assert all(entry.command_id == "" for entry in stage.entries() if entry.item_id == "own")


async def test_a_provider_that_refuses_the_words_does_not_cost_the_call(stage: Stage):
    session = await stage.greeted()
    task = asked(stage, stage.conversation.say("c1", WORDS))
    await stage.until(lambda: WORDS in session.did("say"))
    session.emit(SayRefused("c1", comes_again=False))
    await stage.until(task.done)
    assert task.result() == "The provider did not say it."
    await stage.run(14_000)
    assert not stage.running.done()
    assert notes(stage) == []


async def test_a_provider_that_says_nothing_of_it_does_not_cost_the_call(stage: Stage):
    session = await stage.greeted()
    task = asked(stage, stage.conversation.say("c1", WORDS))
    await stage.until(lambda: WORDS in session.did("say"))
    await stage.run(14_000)
    assert task.result() == "The provider did not answer in time."
    assert not stage.running.done()


async def test_words_that_are_interrupted_before_they_begin_are_asked_for_again(stage: Stage):
    session = await stage.greeted()
    task = asked(stage, stage.conversation.say("c1", WORDS))
    await stage.until(lambda: WORDS in session.did("say"))
    session.speak("other", "Let me see.", 2000)
    await stage.run(300)
    session.emit(SpeechStarted("u1", 4000))
    await stage.run(100)
    session.emit(SpeechStopped("u1", 4500), TurnCommitted("u1", None))
    await stage.until(lambda: session.did("say").count(WORDS) == 2)
    await said(stage, session, task)


async def test_words_that_are_not_said_by_the_end_are_told_so(stage: Stage):
    await stage.greeted()
    stage.leg.queue.put_nowait(LegEnded(by_caller=True, sip_status=200, reason=""))
    task = asked(stage, stage.conversation.say("c1", WORDS))
    await stage.ended()
    assert await task == "The call ended before this was said."
    assert await stage.conversation.say("c2", WORDS) == "The call is over."


async def test_hang_up_of_the_agent_waits_for_a_persons_words(stage: Stage):
    session = await stage.greeted()
    call_tool(session, "hang_up", says_ms=1000)
    task = asked(stage, stage.conversation.say("c1", WORDS))
    await stage.until(lambda: WORDS in session.did("say"))
    session.speak("said", WORDS, 1000, asked_for="c1")
    end = await stage.ended()
    assert end.cause is EndCause.AGENT_HUNG_UP
    assert task.result() == ""
    assert stage.entry("said").text == WORDS


# --- transfer and hang up ------------------------------------------------------------------------


async def test_a_person_transfers_the_call(stage: Stage):
    await stage.greeted()
    task = asked(stage, stage.conversation.transfer("c1", "sip:boss@192.0.2.9", "The boss"))
    await stage.until(lambda: bool(stage.leg.transfers))
    assert stage.leg.transfers == ["sip:boss@192.0.2.9"]
    stage.leg.outcome.set_result(outcome(200))
    end = await stage.ended()
    assert (end.cause, end.detail) == (EndCause.TRANSFERRED, "Connected to The boss.")
    assert task.result() == ""
    running, done = stage.of(ToolUpdated)
    assert (running.command_id, running.arguments) == ("c1", {"target": "The boss"})
    assert done.state.value == "succeeded"
    assert notes(stage) == [("transfer_asked", "The boss", "c1")]


async def test_a_persons_transfer_that_fails_is_told_to_nobody_but_them(stage: Stage):
    session = await stage.greeted()
    task = asked(stage, stage.conversation.transfer("c1", "sip:boss@192.0.2.9", "The boss"))
    await stage.until(lambda: bool(stage.leg.transfers))
    stage.leg.outcome.set_result(outcome(486))
    await stage.until(task.done)
    assert task.result() == "The boss is busy."
    assert session.did("tool_result") == []
    assert session.did("respond") == []
    assert not stage.running.done()
    assert notes(stage) == []


async def test_a_persons_transfer_does_not_wait_for_an_agent_that_talks_on(stage: Stage):
    session = await stage.greeted()
    session.speak("story", "Once upon a time there was a telephone.", 20_000)
    await stage.run(200)
    asked(stage, stage.conversation.transfer("c1", "sip:boss@192.0.2.9", ""))
    await stage.run(5400)
    assert stage.leg.transfers == ["sip:boss@192.0.2.9"]


async def test_a_second_transfer_waits_for_nothing_and_is_refused(stage: Stage):
    session = await stage.greeted()
    call_tool(session, "transfer_call", '{"target":"Sales"}')
    await stage.until(lambda: bool(stage.leg.transfers))
    why_not = await stage.conversation.transfer("c1", "sip:boss@192.0.2.9", "The boss")
    assert why_not == "Something else is being done right now."


async def test_a_person_may_transfer_where_the_agent_may_not(make_stage):
    stage = make_stage(make_plan(tools=ToolSet(hang_up=False)))
    await stage.greeted()
    asked(stage, stage.conversation.transfer("c1", "sip:boss@192.0.2.9", "The boss"))
    await stage.until(lambda: bool(stage.leg.transfers))


async def test_a_person_ends_the_call_and_the_log_says_so(stage: Stage):
    await stage.greeted()
    stage.conversation.hang_up(EndCause.OPERATOR_HUNG_UP, "c1")
    assert (await stage.ended()).cause is EndCause.OPERATOR_HUNG_UP
    assert notes(stage) == [("hang_up_asked", "", "c1")]


# --- the log -------------------------------------------------------------------------------------


@pytest.mark.parametrize("digit", ["5", "#"])
async def test_a_key_that_the_caller_presses_is_in_the_log(stage: Stage, digit: str):
    await stage.greeted()
    stage.leg.queue.put_nowait(LegDtmf(digit))
    await stage.run(40)
    (note,) = stage.of(CallNoted)
    assert (note.kind, note.text) == (NoteKind.DTMF, digit)
    assert note.offset_ms > 3000
