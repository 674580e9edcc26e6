"""Hang-up and transfer as the agent asks for them, and everything that may go wrong with them."""

from __future__ import annotations

import pytest

from media_worker.contract import (
    EndCause,
    ProblemKind,
    ToolSet,
    ToolState,
    ToolUpdated,
    TransferTarget,
)
from media_worker.conversation.leg import LegEnded, TransferOutcome
from media_worker.realtime.session import (
    AgentAudio,
    AgentAudioDone,
    AgentItem,
    AgentText,
    Ended,
    ResponseFinished,
    ResponseStarted,
    SessionError,
    SpeechStarted,
    ToolRequested,
)
from tests.media_worker.conversation.stage import Stage, make_plan, speech_bytes


def call_tool(
    session, name: str, arguments: str = "{}", *, says_ms: int = 1000, call_id: str = "call_1"
) -> None:
    """A response in which the agent says a sentence and calls a tool."""
    session.emit(ResponseStarted("resp_t"))
    if says_ms:
        session.emit(
            AgentItem("words", None, "resp_t"),
            AgentText("words", "One moment please."),
            AgentAudio("words", speech_bytes(session.info.output_format, says_ms)),
        )
    session.emit(ToolRequested(call_id, f"item_{call_id}", name, arguments))
    if says_ms:
        session.emit(AgentAudioDone("words"))
    session.emit(
        ResponseFinished(
            response_id="resp_t", status="completed", had_audio=bool(says_ms), had_tool_calls=True
        )
    )


def outcome(status: int, reason: str = "") -> TransferOutcome:
    return TransferOutcome(succeeded=status == 200, sip_status=status, reason=reason)


# --- hang up -------------------------------------------------------------------------------------


async def test_hang_up_lets_the_last_sentence_finish(stage: Stage):
    session = await stage.greeted()
    before = stage.heard_ms
    call_tool(session, "hang_up", '{"reason":"done"}', says_ms=2000)
    end = await stage.ended()
    assert end.cause is EndCause.AGENT_HUNG_UP
    assert stage.heard_ms - before == 2000
    assert stage.leg.hung_up == [0]
    assert stage.tools() == [("running", ""), ("succeeded", "The agent ended the call.")]
    assert stage.of(ToolUpdated)[0].arguments == {"reason": "done"}
    assert stage.entry("words").text == "One moment please."


async def test_hang_up_without_a_word_ends_the_call_at_once(stage: Stage):
    session = await stage.greeted()
    call_tool(session, "hang_up", says_ms=0)
    assert (await stage.ended(limit_ms=600)).cause is EndCause.AGENT_HUNG_UP


async def test_caller_who_speaks_during_the_goodbye_keeps_the_call(stage: Stage):
    session = await stage.greeted()
    call_tool(session, "hang_up", says_ms=2000)
    await stage.run(500)
    session.emit(SpeechStarted("u2", 4000))
    await stage.run(4000)
    assert not stage.running.done()
    assert [state for state, _ in stage.tools()] == ["running", "failed"]
    ((call_id, result, respond),) = session.did("tool_result")
    assert (call_id, result["ok"], respond) == ("call_1", False, True)


async def test_hang_up_is_no_tool_where_it_is_switched_off(make_stage):
    stage = make_stage(make_plan(tools=ToolSet(hang_up=False)))
    session = await stage.greeted()
    call_tool(session, "hang_up")
    await stage.run(2000)
    assert not stage.running.done()
    assert stage.tools() == [("failed", "There is no such tool.")]


# --- transfer ------------------------------------------------------------------------------------


async def test_transfer_waits_for_the_announcement_and_ends_the_call_when_it_succeeds(stage: Stage):
    session = await stage.greeted()
    call_tool(session, "transfer_call", '{"target":"sales"}')
    await stage.run(900)
    assert stage.leg.transfers == []
    await stage.run(600)
    assert stage.leg.transfers == ["sip:sales@192.0.2.1"]
    assert not stage.running.done()
    stage.leg.outcome.set_result(outcome(200))
    end = await stage.ended()
    assert (end.cause, end.detail) == (EndCause.TRANSFERRED, "Connected to Sales.")
    assert stage.leg.hung_up == [0]
    running, done = stage.of(ToolUpdated)
    assert (running.state, running.arguments) == (ToolState.RUNNING, {"target": "sales"})
    assert (done.state, done.result) == (
        ToolState.SUCCEEDED,
        "The caller was connected to Sales.",
    )
    assert done.duration_ms >= 1000
    assert running.position == done.position > stage.entry("words").position


@pytest.mark.parametrize(
    ("status", "sentence"),
    [
        (486, "Sales is busy."),
        (408, "Sales did not answer."),
        (404, "The number of Sales does not exist."),
        (603, "Sales did not take the call."),
        (500, "Sales could not be reached (SIP 500)."),
    ],
)
async def test_transfer_that_fails_is_told_to_the_agent_and_the_call_goes_on(
    stage: Stage, status, sentence
):
    session = await stage.greeted()
    call_tool(session, "transfer_call", '{"target":"Sales"}')
    await stage.until(lambda: bool(stage.leg.transfers))
    stage.leg.outcome.set_result(outcome(status))
    await stage.run(100)
    assert session.did("tool_result") == [("call_1", {"ok": False, "message": sentence}, True)]
    assert stage.tools()[-1] == ("failed", sentence)
    session.speak("a2", "They are busy, can I help?", 1000)
    await stage.run(1200)
    assert not stage.running.done()
    assert stage.entry("a2").final


@pytest.mark.parametrize(
    "arguments",
    ["{}", '{"target":"Nobody"}', "[]", "not json", '{"target":7}', "[" * 5000, '"' + "x" * 20000],
)
async def test_transfer_to_nobody_we_know_is_refused(stage: Stage, arguments):
    session = await stage.greeted()
    call_tool(session, "transfer_call", arguments)
    await stage.run(3000)
    assert stage.leg.transfers == []
    assert stage.tools() == [("failed", "The target must be one of: Sales.")]
    ((_, result, _),) = session.did("tool_result")
    assert result["message"] == "The target must be one of: Sales."


async def test_unknown_tool_is_refused(stage: Stage):
    session = await stage.greeted()
    call_tool(session, "order_pizza", '{"size":"large"}')
    await stage.run(100)
    assert stage.tools() == [("failed", "There is no such tool.")]


async def test_same_call_told_twice_is_made_once(stage: Stage):
    session = await stage.greeted()
    call_tool(session, "transfer_call", '{"target":"Sales"}')
    session.emit(ToolRequested("call_1", "item_call_1", "transfer_call", '{"target":"Sales"}'))
    await stage.run(2000)
    assert len(stage.leg.transfers) == 1
    assert stage.tools() == [("running", "")]


async def test_second_tool_beside_a_running_one_is_refused(stage: Stage):
    session = await stage.greeted()
    call_tool(session, "transfer_call", '{"target":"Sales"}')
    session.emit(ToolRequested("call_2", "item_2", "hang_up", "{}"))
    await stage.run(2000)
    assert ("failed", "Something else is being done right now.") in stage.tools()
    stage.leg.outcome.set_result(outcome(200))
    assert (await stage.ended()).cause is EndCause.TRANSFERRED


async def test_phone_that_hangs_up_as_soon_as_its_transfer_works_was_transferred(stage: Stage):
    session = await stage.greeted()
    call_tool(session, "transfer_call", '{"target":"Sales"}')
    await stage.until(lambda: bool(stage.leg.transfers))
    stage.leg.queue.put_nowait(LegEnded(by_caller=True, sip_status=200, reason="BYE"))
    await stage.run(100)
    stage.leg.outcome.set_result(outcome(200))
    end = await stage.ended()
    assert end.cause is EndCause.TRANSFERRED
    assert stage.tools()[-1][0] == "succeeded"


async def test_caller_who_hangs_up_during_a_transfer_leaves_a_closed_record(stage: Stage):
    session = await stage.greeted()
    call_tool(session, "transfer_call", '{"target":"Sales"}')
    await stage.until(lambda: bool(stage.leg.transfers))
    stage.leg.queue.put_nowait(LegEnded(by_caller=True, sip_status=200, reason="BYE"))
    end = await stage.ended()
    assert end.cause is EndCause.CALLER_HUNG_UP
    assert stage.tools()[-1] == ("failed", "The call ended before this was done.")


async def test_provider_that_breaks_during_a_transfer_does_not_end_it(stage: Stage):
    session = await stage.greeted()
    call_tool(session, "transfer_call", '{"target":"Sales"}')
    await stage.until(lambda: bool(stage.leg.transfers))
    session.emit(Ended(problem=SessionError(ProblemKind.QUOTA, "no credit")))
    await stage.run(3000)
    assert not stage.running.done()
    stage.leg.outcome.set_result(outcome(200))
    assert (await stage.ended()).cause is EndCause.TRANSFERRED


async def test_transfer_that_raises_counts_as_failed(stage: Stage, monkeypatch):
    async def broken(uri: str, *, timeout_seconds: float) -> TransferOutcome:
        raise OSError("socket")

    monkeypatch.setattr(stage.leg, "transfer", broken)
    session = await stage.greeted()
    call_tool(session, "transfer_call", '{"target":"Sales"}')
    await stage.run(2000)
    assert stage.tools()[-1] == ("failed", "Sales could not be reached (SIP 500).")
    assert not stage.running.done()


async def test_agent_that_calls_tools_for_ever_and_says_nothing_is_ended(make_stage):
    targets = (TransferTarget(name="Sales", uri="sip:s@192.0.2.1"),)
    stage = make_stage(make_plan(tools=ToolSet(transfer_targets=targets)))
    session = await stage.greeted()
    for number in range(11):
        call_tool(session, "nonsense", says_ms=0, call_id=f"call_{number}")
    end = await stage.ended()
    assert end.cause is EndCause.PROVIDER_FAILED
