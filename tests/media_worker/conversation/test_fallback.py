"""What follows when the first provider account is of no use: the second one, then a person."""

from __future__ import annotations

import msgspec
import pytest

from media_worker.contract import (
    CallKind,
    CallNoted,
    EndCause,
    NoteKind,
    ProblemKind,
    ProviderAccess,
    ProviderProblem,
    SessionOpened,
    ToolUpdated,
)
from media_worker.conversation.leg import LegEnded, TransferOutcome
from media_worker.realtime.session import Ended, Problem, SessionError
from tests.media_worker.conversation.stage import GREETING, Stage, failing, make_plan

SECOND = ProviderAccess(account_id="second", name="Second", url="ws://y", api_key="k2")
WORKED = TransferOutcome(succeeded=True, sip_status=200, reason="OK")
BUSY = TransferOutcome(succeeded=False, sip_status=486, reason="Busy Here")


@pytest.fixture
def staged(make_stage):
    """A call with a second account, or other changes of its plan."""

    def make(**changes: object) -> Stage:
        return make_stage(msgspec.structs.replace(make_plan(), **(changes or {"fallback": SECOND})))

    return make


def error(kind: ProblemKind, *, retryable: bool = False) -> SessionError:
    return SessionError(kind, "no", retryable=retryable)


def used(stage: Stage) -> list[str]:
    return [note.text for note in stage.of(CallNoted) if note.kind is NoteKind.FALLBACK_USED]


def problems(stage: Stage) -> list[tuple[str, ProblemKind, bool]]:
    return [(one.account_id, one.kind, one.fatal) for one in stage.of(ProviderProblem)]


# --- the second account --------------------------------------------------------------------------


async def test_a_first_account_that_does_not_open_gives_way_to_the_second(staged):
    stage = staged()
    stage.prepare = failing(error(ProblemKind.KEY_REFUSED))
    await stage.start()
    await stage.until(lambda: bool(stage.of(SessionOpened)))
    await stage.settle()
    assert [session.account_id for session in stage.sessions] == ["acc", "second"]
    assert stage.session.did("say") == [GREETING]
    assert problems(stage) == [("acc", ProblemKind.KEY_REFUSED, False)]
    assert [event.account_id for event in stage.of(SessionOpened)] == ["second"]
    assert used(stage) == ["Second"]


async def test_the_first_account_is_tried_again_before_the_second(staged):
    stage = staged()
    fault = error(ProblemKind.UNREACHABLE, retryable=True)
    stage.prepare = failing(fault, fault, fault)
    await stage.start()
    await stage.until(lambda: bool(stage.of(SessionOpened)))
    accounts = [session.account_id for session in stage.sessions]
    assert accounts == ["acc", "acc", "second", "second"]


@pytest.mark.parametrize("kind", [ProblemKind.QUOTA, ProblemKind.PROTOCOL, ProblemKind.RATE_LIMIT])
async def test_a_session_that_no_new_one_mends_goes_on_with_the_second(staged, kind):
    stage = staged()
    session = await stage.greeted()
    session.caller_turn("u1", "When do you open?", previous="greeting")
    await stage.run(200)
    session.emit(Ended(problem=error(kind)))
    await stage.until(lambda: len(stage.sessions) == 2)
    await stage.run(100)
    second = stage.session
    assert (second.account_id, second.did("say"), second.did("respond")) == ("second", [], [None])
    assert "Caller: When do you open?" in second.context
    second.speak("a1", "We open at nine.", 800)
    await stage.run(1000)
    assert stage.entries()[-1].text == "We open at nine."
    assert problems(stage) == [("acc", kind, False)]


async def test_an_account_that_drops_twice_gives_way_to_the_second(staged):
    stage = staged()
    await stage.greeted()
    for sessions in (2, 3):
        stage.session.emit(Ended(problem=error(ProblemKind.DROPPED)))
        await stage.until(lambda count=sessions: len(stage.sessions) == count)
        await stage.run(100)
    assert [session.account_id for session in stage.sessions] == ["acc", "acc", "second"]


async def test_a_provider_that_stays_silent_gives_way_and_each_gets_two_answers_to_fail(staged):
    stage = staged()
    session = await stage.greeted()
    session.caller_turn("u1", "Hello?", previous="greeting")
    await stage.until(lambda: len(stage.sessions) == 2)
    await stage.run(100)
    assert stage.session.did("respond") == [None]
    stage.session.emit(Problem(kind=ProblemKind.RATE_LIMIT, message="slow down"))
    stage.session.speak("a1", "Here I am.", 500)
    await stage.run(700)
    assert stage.entry("a1").final
    assert problems(stage)[0] == ("acc", ProblemKind.SILENT, False)


async def test_there_is_no_third(staged):
    stage = staged()
    refused = error(ProblemKind.KEY_REFUSED)
    stage.prepare = failing(refused, refused)
    await stage.start()
    end = await stage.ended()
    assert end.cause is EndCause.PROVIDER_FAILED
    assert problems(stage) == [
        ("acc", ProblemKind.KEY_REFUSED, False),
        ("second", ProblemKind.KEY_REFUSED, True),
    ]
    assert stage.entries()[-1].item_id == "apology"


async def test_the_same_account_is_no_second_one(staged):
    stage = staged(fallback=make_plan().provider)
    stage.prepare = failing(error(ProblemKind.KEY_REFUSED))
    await stage.start()
    await stage.ended()
    assert (len(stage.sessions), used(stage)) == (1, [])


# --- a person ------------------------------------------------------------------------------------


async def test_a_call_without_a_provider_is_given_to_a_person_after_the_apology(staged):
    stage = staged(fallback_target="Sales")
    stage.prepare = failing(error(ProblemKind.KEY_REFUSED))
    await stage.start()
    await stage.until(lambda: bool(stage.leg.transfers))
    assert stage.leg.transfers == ["sip:sales@192.0.2.1"]
    assert stage.heard_ms == 1000
    stage.leg.outcome.set_result(WORKED)
    end = await stage.ended()
    assert (end.cause, end.detail) == (EndCause.TRANSFERRED, "Connected to Sales.")
    assert used(stage) == ["Sales"]
    assert problems(stage) == [("acc", ProblemKind.KEY_REFUSED, True)]
    assert [(tool.tool_call_id, tool.command_id) for tool in stage.of(ToolUpdated)] == [
        ("fallback", ""), ("fallback", ""),
    ]  # fmt: skip


async def test_a_person_who_is_busy_leaves_the_call_to_end(staged):
    stage = staged(fallback_target="Sales")
    stage.leg.outcome.set_result(BUSY)
    stage.prepare = failing(error(ProblemKind.KEY_REFUSED))
    await stage.start()
    end = await stage.ended()
    assert end.cause is EndCause.PROVIDER_FAILED
    assert stage.tools()[-1] == ("failed", "Sales is busy.")
    assert used(stage) == []


async def test_a_target_that_the_plan_does_not_have_is_nobody(staged):
    stage = staged(fallback_target="Night")
    stage.prepare = failing(error(ProblemKind.KEY_REFUSED))
    await stage.start()
    assert (await stage.ended()).cause is EndCause.PROVIDER_FAILED
    assert stage.leg.transfers == []


@pytest.mark.parametrize(
    ("kind", "what"),
    [(CallKind.PHONE, "telephone connection"), (CallKind.BROWSER, "connection to the browser")],
)
async def test_the_connection_that_broke_is_named_as_what_it_is(staged, kind, what):
    stage = staged(kind=kind)
    await stage.greeted()
    stage.leg.queue.put_nowait(LegEnded(by_caller=False, sip_status=408, reason="ICE failed"))
    end = await stage.ended()
    assert (end.cause, end.detail) == (EndCause.MEDIA_LOST, f"The {what} broke: ICE failed.")
