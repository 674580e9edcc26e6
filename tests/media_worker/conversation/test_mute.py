"""An agent that people mute: what it does not say, and what it owes once it may speak again."""

from __future__ import annotations

from media_worker.contract import ProblemKind, ToolUpdated
from media_worker.realtime.session import (
    Ended,
    ResponseStarted,
    SessionError,
    SpeechStarted,
    SpeechStopped,
    ToolRequested,
    TurnCommitted,
)
from tests.media_worker.conversation.stage import (
    GREETING,
    LOCAL,
    ScriptedSession,
    Stage,
    make_plan,
    tone,
)
from tests.media_worker.conversation.test_commands import WORDS, asked, notes, said
from tests.media_worker.conversation.test_tools import call_tool, outcome


async def test_a_muted_agent_stops_at_once_and_answers_nothing(stage: Stage):
    session = await stage.greeted()
    session.speak("answer", "This is a long answer that nobody needs.", 4000)
    await stage.run(500)
    before = stage.heard_ms
    assert await stage.conversation.mute("c1", True) == ""
    await stage.run(200)
    assert stage.heard_ms == before
    assert session.did("set_guard")[-1] is True
    assert [heard.item_id for heard in session.did("interrupt")] == ["answer"]
    session.caller_turn("u1", "Are you still there?")
    await stage.run(14_000)
    assert not stage.running.done(), "silence while muted is no failure"
    assert session.did("respond") == []
    assert stage.entry("u1").text == "Are you still there?"
    assert notes(stage) == [("muted", "", "c1")]


async def test_an_answer_that_began_before_the_provider_knew_is_not_heard(stage: Stage):
    session = await stage.greeted()
    await stage.conversation.mute("c1", True)
    before = stage.heard_ms
    session.speak("late", "I was about to say something.", 1000)
    await stage.run(1500)
    assert stage.heard_ms == before
    assert session.did("interrupt") == [None, None]
    assert [entry.item_id for entry in stage.entries()] == ["greeting"]


async def test_words_of_a_person_are_said_while_the_agent_is_muted(stage: Stage):
    session = await stage.greeted()
    await stage.conversation.mute("c1", True)
    before = stage.heard_ms
    task = asked(stage, stage.conversation.say("c2", WORDS))
    await said(stage, session, task)
    assert stage.heard_ms - before == 1000
    assert session.did("set_guard")[-1] is True


async def test_an_agent_that_is_unmuted_answers_again(stage: Stage):
    session = await stage.greeted()
    await stage.conversation.mute("c1", True)
    await stage.run(100)
    assert await stage.conversation.mute("c2", False) == ""
    await stage.run(100)
    assert session.did("set_guard")[-1] is False
    before = stage.heard_ms
    session.caller_turn("u1", "Hello?")
    session.speak("answer", "Here I am.", 1000)
    await stage.run(1500)
    assert stage.heard_ms - before == 1000
    assert [kind for kind, _, _ in notes(stage)] == ["muted", "unmuted"]


async def muted_and_asked(stage: Stage) -> ScriptedSession:
    """The agent is muted, and the caller has asked something."""
    session = await stage.greeted()
    await stage.conversation.mute("c1", True)
    session.caller_turn("u1", "When do you open?")
    await stage.run(3000)
    assert session.did("respond") == []
    return session


async def test_a_caller_who_waited_is_answered_once_the_agent_may_speak(stage: Stage):
    session = await muted_and_asked(stage)
    await stage.conversation.mute("c2", False)
    await stage.run(100)
    assert [name for name, _ in session.asked[-2:]] == ["set_guard", "respond"]
    session.speak("answer", "We open at nine.", 1000)
    await stage.run(5000)
    assert session.did("respond") == [None], "once"
    assert stage.entry("answer").final


async def test_what_a_person_answered_is_not_answered_again(stage: Stage):
    session = await muted_and_asked(stage)
    await said(stage, session, asked(stage, stage.conversation.say("c2", WORDS)))
    await stage.conversation.mute("c3", False)
    await stage.run(3000)
    assert session.did("respond") == []


async def test_a_caller_who_speaks_at_the_unmuting_is_let_finish(stage: Stage):
    session = await muted_and_asked(stage)
    session.emit(SpeechStarted("u2", 0))
    await stage.run(2000)
    await stage.conversation.mute("c2", False)
    await stage.run(3000)
    session.emit(SpeechStopped("u2", 5000), TurnCommitted("u2", "u1"))
    session.speak("answer", "Here I am.", 1000)
    await stage.run(5000)
    assert session.did("respond") == [], "the provider answered both turns by itself"
    assert stage.entry("answer").final


async def test_a_turn_that_ended_while_the_provider_was_told_is_asked_for(stage: Stage):
    """It had been told to answer nothing when it ended the turn, of which we hear later."""
    session = await stage.greeted()
    await stage.conversation.mute("c1", True)
    session.emit(SpeechStarted("u1", 0))
    await stage.run(1000)
    await stage.conversation.mute("c2", False)
    session.emit(SpeechStopped("u1", 900), TurnCommitted("u1", None))
    await stage.run(3000)
    assert session.did("respond") == [None]


async def test_an_answer_that_was_cut_by_the_muting_is_still_owed(stage: Stage):
    session = await stage.greeted()
    session.speak("answer", "This is a long answer that somebody waits for.", 4000)
    await stage.run(500)
    await stage.conversation.mute("c1", True)
    await stage.run(2000)
    await stage.conversation.mute("c2", False)
    await stage.run(100)
    assert session.did("respond") == [None]


async def test_a_tool_that_ended_while_muted_is_told_of_afterwards(stage: Stage):
    session = await stage.greeted()
    call_tool(session, "transfer_call", '{"target": "Sales"}', says_ms=0)
    await stage.until(lambda: bool(stage.leg.transfers))
    await stage.conversation.mute("c1", True)
    stage.leg.outcome.set_result(outcome(486))
    await stage.until(lambda: bool(session.did("tool_result")))
    assert session.did("tool_result")[0][2] is False, "not while it is muted"
    await stage.conversation.mute("c2", False)
    await stage.run(100)
    assert session.did("respond") == [None]


async def test_what_was_owed_to_a_caller_is_owed_by_the_next_session(stage: Stage):
    session = await muted_and_asked(stage)
    session.emit(Ended(problem=SessionError(ProblemKind.DROPPED, "broke")))
    await stage.until(lambda: len(stage.sessions) == 2)
    await stage.run(1000)
    assert stage.session.did("respond") == []
    await stage.conversation.mute("c2", False)
    await stage.run(100)
    assert stage.session.did("respond") == [None]


async def test_muting_during_the_greeting_ends_it(stage: Stage):
    session = await stage.start()
    session.speak("greeting", GREETING, 3000)
    await stage.run(500)
    await stage.conversation.mute("c1", True)
    await stage.run(3000)
    assert stage.heard_ms == 500
    assert stage.entry("greeting").cut_text
    assert False not in session.did("set_guard"), "the end of the greeting does not unmute"


async def test_a_caller_must_hear_first_that_the_call_is_recorded(make_stage):
    stage = make_stage(make_plan(consent="This call is recorded."), consent=tone(2000))
    session = await stage.start()
    await stage.run(500)
    assert "recorded" in await stage.conversation.mute("c1", True)
    assert notes(stage) == []
    await stage.run(2000)
    session.speak("greeting", GREETING, 2000)
    await stage.run(300)
    assert await stage.conversation.mute("c2", True) == ""


async def test_a_new_session_of_a_muted_agent_is_guarded_and_says_nothing(stage: Stage):
    session = await stage.greeted()
    session.caller_turn("u1", "Hello?")
    await stage.run(100)
    await stage.conversation.mute("c1", True)
    session.emit(Ended(problem=SessionError(ProblemKind.DROPPED, "gone")))
    await stage.until(lambda: len(stage.sessions) == 2)
    await stage.run(500)
    assert stage.session.opened_guarded is True
    assert stage.session.did("respond") == []
    assert False not in stage.session.did("set_guard")


async def test_a_tool_that_ends_while_the_agent_is_muted_makes_it_say_nothing(stage: Stage):
    session = await stage.greeted()
    call_tool(session, "transfer_call", '{"target":"Sales"}')
    await stage.until(lambda: bool(stage.leg.transfers))
    await stage.conversation.mute("c1", True)
    stage.leg.outcome.set_result(outcome(486))
    await stage.run(200)
    ((_, result, respond),) = session.did("tool_result")
    assert (result["message"], respond) == ("Sales is busy.", False)


async def test_a_muted_agent_calls_no_tool(stage: Stage):
    session = await stage.greeted()
    await stage.conversation.mute("c1", True)
    session.emit(ResponseStarted("r"), ToolRequested("t1", "i1", "hang_up", "{}"))
    await stage.run(2000)
    assert not stage.running.done()
    assert stage.of(ToolUpdated) == []
    ((_, result, respond),) = session.did("tool_result")
    assert (result["ok"], respond) == (False, False)


async def test_muting_an_agent_that_says_goodbye_keeps_the_call(stage: Stage):
    session = await stage.greeted()
    call_tool(session, "hang_up", says_ms=2000)
    await stage.run(500)
    await stage.conversation.mute("c1", True)
    await stage.run(3000)
    assert not stage.running.done()
    assert stage.tools()[-1] == (
        "failed", "A person muted the agent, so the call was not ended.",
    )  # fmt: skip


async def test_a_turn_that_our_own_vad_ends_is_not_answered_while_muted(make_stage):
    stage = make_stage(make_plan(vad_mode=LOCAL, silence_duration_ms=300))
    session = await stage.greeted()
    await stage.conversation.mute("c1", True)
    stage.caller_says = tone(1000)
    await stage.run(2500)
    assert session.did("commit_turn") == ["unanswered"]
    await stage.conversation.mute("c2", False)
    await stage.run(100)
    assert session.did("respond") == [None], "once it may speak"
