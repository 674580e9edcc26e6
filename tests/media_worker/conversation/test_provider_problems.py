"""Whatever the provider does, the caller hears something and the record says why."""

from __future__ import annotations

import asyncio

import pytest

from media_worker.contract import EndCause, ProblemKind, ProviderProblem, SessionOpened
from media_worker.conversation.fallback import SENTENCES
from media_worker.conversation.leg import LegEnded
from media_worker.realtime.session import (
    AgentAudio,
    AgentAudioDone,
    AgentItem,
    AgentText,
    AgentTextDone,
    Ended,
    Problem,
    ResponseFinished,
    ResponseStarted,
    SessionError,
    SpeechStarted,
    SpeechStopped,
    TurnCommitted,
)
from tests.media_worker.conversation.stage import (
    APOLOGY,
    FRAME_MS,
    GREETING,
    Stage,
    failing,
    is_sound,
    speech_bytes,
)


def error(kind: ProblemKind, *, retryable: bool = False) -> SessionError:
    return SessionError(kind, f"because of {kind}", code=f"{kind}_code", retryable=retryable)


def problems(stage: Stage) -> list[tuple[ProblemKind, bool]]:
    return [(event.kind, event.fatal) for event in stage.of(ProviderProblem)]


async def apologised(stage: Stage, kind: ProblemKind) -> None:
    """The caller heard the apology, then the call ended with the reason on record."""
    end = await stage.ended()
    assert (end.cause, end.detail) == (EndCause.PROVIDER_FAILED, SENTENCES[kind])
    last_words = stage.heard[-(1000 + 400) // FRAME_MS :]
    assert sum(FRAME_MS for frame in last_words if is_sound(frame)) >= 960
    assert stage.leg.hung_up == [0]
    entry = stage.entries()[-1]
    assert (entry.item_id, entry.text, entry.final) == ("apology", APOLOGY, True)
    assert problems(stage)[-1] == (kind, True)
    assert sum(fatal for _, fatal in problems(stage)) == 1


# --- opening -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "kind",
    [
        ProblemKind.KEY_REFUSED,
        ProblemKind.QUOTA,
        ProblemKind.DIALECT_REFUSED,
        ProblemKind.SETTINGS_REFUSED,
        ProblemKind.MODEL_REFUSED,
        ProblemKind.PROTOCOL,
    ],
)
async def test_session_that_cannot_open_is_apologised_for_at_once(stage: Stage, kind):
    stage.prepare = failing(error(kind))
    await stage.start()
    await apologised(stage, kind)
    assert len(stage.sessions) == 1
    (event,) = stage.of(ProviderProblem)
    assert (event.account_id, event.code) == ("acc", f"{kind}_code")


async def test_session_that_cannot_open_now_is_tried_once_more(stage: Stage):
    stage.prepare = failing(error(ProblemKind.UNREACHABLE, retryable=True))
    await stage.start()
    await stage.until(lambda: bool(stage.of(SessionOpened)))
    await stage.settle()
    assert stage.session.did("say") == [GREETING]
    assert problems(stage) == [(ProblemKind.UNREACHABLE, False)]


async def test_session_that_cannot_open_twice_is_given_up(stage: Stage):
    fault = error(ProblemKind.RATE_LIMIT, retryable=True)
    stage.prepare = failing(fault, fault)
    await stage.start()
    await apologised(stage, ProblemKind.RATE_LIMIT)
    assert len(stage.sessions) == 2


async def test_session_that_takes_long_to_fail_is_not_tried_again(stage: Stage):
    async def fail_late() -> None:
        await stage.clock.sleep(5)
        raise error(ProblemKind.SILENT, retryable=True)

    stage.prepare = [lambda session: setattr(session, "on_open", fail_late)]
    await stage.start()
    await stage.run(5100)
    await apologised(stage, ProblemKind.SILENT)
    assert len(stage.sessions) == 1


async def test_session_that_never_opens_is_given_up_in_time(stage: Stage):
    stage.prepare = [lambda session: setattr(session, "on_open", asyncio.Event().wait)]
    await stage.start()
    await stage.run(7900)
    assert not stage.of(ProviderProblem)
    await apologised(stage, ProblemKind.UNREACHABLE)
    assert stage.sessions[0].closed == 1


async def test_apology_waits_for_the_answer(stage: Stage):
    stage.leg.answers_by_itself = False
    stage.prepare = failing(error(ProblemKind.KEY_REFUSED))
    stage.running = asyncio.create_task(stage.conversation.run())
    await stage.run(1000)
    assert stage.heard_ms == 0
    assert not stage.running.done()
    stage.leg.queue.put_nowait(LegEnded(by_caller=True, sip_status=487, reason=""))
    assert (await stage.ended()).cause is EndCause.CALLER_HUNG_UP


async def test_call_ends_with_its_reason_where_there_is_no_apology_to_play(stage: Stage):
    stage.apology_pcm = RuntimeError("no voice")
    stage.prepare = failing(error(ProblemKind.KEY_REFUSED))
    await stage.start()
    end = await stage.ended()
    assert end.cause is EndCause.PROVIDER_FAILED
    assert stage.heard_ms == 0


# --- in the middle -------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [ProblemKind.KEY_REFUSED, ProblemKind.QUOTA, ProblemKind.PROTOCOL])
async def test_session_that_ends_for_good_is_apologised_for(stage: Stage, kind):
    session = await stage.greeted()
    session.emit(Ended(problem=error(kind)))
    await apologised(stage, kind)
    assert session.closed == 1


@pytest.mark.parametrize("kind", [ProblemKind.SESSION_EXPIRED, ProblemKind.DROPPED])
async def test_session_that_drops_is_replaced_with_the_conversation_so_far(stage: Stage, kind):
    session = await stage.greeted()
    session.caller_turn("u1", "When do you open?", previous="greeting")
    session.speak("a1", "We open at nine.", 800, previous="u1")
    await stage.run(1000)
    session.emit(Ended(problem=error(kind)))
    await stage.until(lambda: len(stage.sessions) == 2)
    await stage.settle()
    new = stage.session
    assert new.context == (f"Agent: {GREETING}\nCaller: When do you open?\nAgent: We open at nine.")
    assert new.opened_guarded is False
    assert new.did("say") == []
    assert new.did("respond") == []
    assert problems(stage) == [(kind, False)]
    await stage.run(9000)
    new.caller_turn("u2", "Thanks.")
    new.speak("a2", "You are welcome.", 600, previous="u2")
    await stage.run(800)
    assert [entry.item_id for entry in stage.entries()] == ["greeting", "u1", "a1", "u2", "a2"]
    assert len(stage.of(SessionOpened)) == 2


async def test_new_session_answers_what_the_old_one_owed(stage: Stage):
    session = await stage.greeted()
    session.caller_turn("u1", "When do you open?", previous="greeting")
    await stage.run(200)
    session.emit(Ended(problem=error(ProblemKind.DROPPED)))
    await stage.run(100)
    assert stage.session.did("respond") == [None]


async def test_new_session_goes_on_where_the_old_one_broke_off(stage: Stage):
    session = await stage.greeted()
    session.speak("a1", "We are open from nine to", 1500, finish=False)
    await stage.run(500)
    before = stage.heard_ms
    session.emit(Ended(problem=error(ProblemKind.DROPPED)))
    await stage.run(1200)
    assert stage.heard_ms - before == 1000  # what had come is heard to its end
    assert stage.session.did("respond") == [None]
    assert stage.entry("a1").text == "We are open from nine to"


async def test_words_whose_sound_never_came_were_not_heard(stage: Stage):
    session = await stage.greeted()
    text = "We are open from nine to five on weekdays, and from ten to two on Saturdays."
    session.speak("a1", text, 1000, finish=False)
    await stage.run(500)
    session.emit(Ended(problem=error(ProblemKind.DROPPED)))
    await stage.run(800)
    entry = stage.entry("a1")
    assert entry.final
    assert entry.cut_text
    assert f"{entry.text} {entry.cut_text}" == text
    assert entry.duration_ms == 1000
    assert len(entry.text) <= 30


async def test_new_session_greets_where_the_old_one_had_not(stage: Stage):
    session = await stage.start()
    session.emit(Ended(problem=error(ProblemKind.DROPPED)))
    await stage.run(100)
    assert stage.session is not session
    assert stage.session.opened_guarded is True
    assert stage.session.did("say") == [GREETING]


async def test_what_the_caller_says_while_the_session_is_replaced_is_sent(stage: Stage):
    session = await stage.greeted()
    opened = asyncio.Event()
    stage.prepare = [lambda session: setattr(session, "on_open", opened.wait)]
    session.emit(Ended(problem=error(ProblemKind.DROPPED)))
    await stage.run(1000)
    assert len(stage.session.sent) == 0
    opened.set()
    await stage.run(80)
    assert len(stage.session.sent) >= 1000 * 8


async def test_session_that_drops_again_at_once_is_given_up(stage: Stage):
    session = await stage.greeted()
    session.emit(Ended(problem=error(ProblemKind.DROPPED)))
    await stage.until(lambda: len(stage.sessions) == 2)
    await stage.run(1000)
    stage.session.emit(Ended(problem=error(ProblemKind.DROPPED)))
    await apologised(stage, ProblemKind.DROPPED)
    assert len(stage.sessions) == 2


async def test_replacement_that_cannot_open_is_given_up(stage: Stage):
    session = await stage.greeted()
    stage.prepare = failing(error(ProblemKind.QUOTA))
    session.emit(Ended(problem=error(ProblemKind.SESSION_EXPIRED)))
    await apologised(stage, ProblemKind.QUOTA)


async def test_response_that_fails_is_asked_for_once_more(stage: Stage):
    session = await stage.greeted()
    session.emit(ResponseStarted("r1"))
    session.emit(Problem(kind=ProblemKind.RATE_LIMIT, code="rate_limit_exceeded", message="slow"))
    session.emit(ResponseFinished(response_id="r1", status="failed"))
    await stage.run(900)
    assert session.did("respond") == []
    await stage.run(200)
    assert session.did("respond") == [None]
    session.speak("a1", "Here I am.", 500)
    await stage.run(700)
    assert stage.entry("a1").final
    assert problems(stage) == [(ProblemKind.RATE_LIMIT, False)]


async def test_response_that_fails_twice_is_given_up(stage: Stage):
    session = await stage.greeted()
    for number in (1, 2):
        session.emit(ResponseStarted(f"r{number}"))
        session.emit(Problem(kind=ProblemKind.RATE_LIMIT, message="slow down"))
        session.emit(ResponseFinished(response_id=f"r{number}", status="failed"))
        await stage.run(100)
    await apologised(stage, ProblemKind.RATE_LIMIT)


async def test_greeting_that_fails_is_said_again(stage: Stage):
    session = await stage.start()
    session.emit(ResponseStarted("r1"))
    session.emit(Problem(kind=ProblemKind.RATE_LIMIT, message="slow down"))
    session.emit(ResponseFinished(response_id="r1", status="failed"))
    session.emit(SpeechStarted("u1", 100), SpeechStopped("u1", 300))  # noise meanwhile
    await stage.run(1200)
    assert session.did("say") == [GREETING, GREETING]
    session.speak("greeting", GREETING, 1000)
    await stage.run(1200)
    assert session.did("set_guard") == [False]


async def test_answer_in_text_only_is_given_up(stage: Stage):
    session = await stage.greeted()
    session.emit(ResponseStarted("r1"))
    session.emit(Problem(kind=ProblemKind.TEXT_ONLY, message="text instead of speech"))
    session.emit(ResponseFinished(response_id="r1", status="completed"))
    await apologised(stage, ProblemKind.TEXT_ONLY)


async def test_quota_that_runs_out_in_a_response_is_given_up_at_once(stage: Stage):
    session = await stage.greeted()
    session.emit(ResponseStarted("r1"), Problem(kind=ProblemKind.QUOTA, message="no credit"))
    await apologised(stage, ProblemKind.QUOTA)


async def test_complaint_that_is_no_failure_is_recorded_and_the_call_goes_on(stage: Stage):
    session = await stage.greeted()
    for _ in range(200):
        session.emit(Problem(kind=ProblemKind.PROTOCOL, code="odd", message="odd"))
    await stage.run(9000)
    assert not stage.running.done()
    assert 1 <= len(stage.of(ProviderProblem)) <= 50


# --- dead air ------------------------------------------------------------------------------------


async def test_greeting_that_never_comes_is_given_up(stage: Stage):
    await stage.start()
    await stage.run(7900)
    assert not stage.of(ProviderProblem)
    await apologised(stage, ProblemKind.SILENT)


async def test_answer_that_never_comes_is_given_up(stage: Stage):
    session = await stage.greeted()
    session.caller_turn("u1", "Hello?", previous="greeting")
    await stage.run(7900)
    assert not stage.of(ProviderProblem)
    await apologised(stage, ProblemKind.SILENT)


async def test_answer_that_begins_and_never_speaks_is_given_up(stage: Stage):
    session = await stage.greeted()
    session.emit(ResponseStarted("r1"), AgentItem("a1", None, "r1"), AgentText("a1", "Well"))
    await apologised(stage, ProblemKind.SILENT)


async def test_answer_that_dries_up_in_the_middle_is_given_up(stage: Stage):
    session = await stage.greeted()
    session.emit(ResponseStarted("r1"), AgentItem("a1", None, "r1"), AgentText("a1", "Well, I"))
    session.emit(AgentAudio("a1", speech_bytes(session.info.output_format, 600)))
    await stage.run(700)
    await apologised(stage, ProblemKind.SILENT)


async def test_empty_answer_is_asked_for_again_then_given_up(stage: Stage):
    session = await stage.greeted()
    session.caller_turn("u1", "Hello?", previous="greeting")
    session.emit(ResponseStarted("r1"), ResponseFinished(response_id="r1", status="completed"))
    await stage.run(1200)
    assert session.did("respond") == [None]
    session.emit(ResponseStarted("r2"), ResponseFinished(response_id="r2", status="completed"))
    await apologised(stage, ProblemKind.SILENT)


async def test_silence_of_a_caller_who_thinks_is_no_failure(stage: Stage):
    await stage.greeted()
    await stage.run(15_000)
    assert not stage.running.done()
    assert not stage.of(ProviderProblem)


async def test_response_that_is_never_said_to_be_over_is_no_failure(stage: Stage):
    session = await stage.greeted()
    session.speak("a1", "We open at nine.", 800, finish=False)
    session.emit(AgentAudioDone("a1"), AgentTextDone("a1", "We open at nine."))
    await stage.run(12_000)
    assert stage.entry("a1").final
    assert problems(stage) == []
    assert stage.running is not None
    assert not stage.running.done()


async def test_long_speech_of_the_caller_is_no_failure(stage: Stage):
    session = await stage.greeted()
    session.emit(SpeechStarted("u1", 3000))
    await stage.run(12_000)
    session.emit(SpeechStopped("u1", 15_000), TurnCommitted("u1", "greeting"))
    await stage.run(7_000)
    assert not stage.of(ProviderProblem)
    session.speak("a1", "I see.", 400)
    await stage.run(10_000)
    assert not stage.of(ProviderProblem)


async def test_caller_who_hangs_up_during_the_apology_ends_the_call(stage: Stage):
    stage.prepare = failing(error(ProblemKind.KEY_REFUSED))
    await stage.start()
    await stage.run(300)
    stage.leg.queue.put_nowait(LegEnded(by_caller=True, sip_status=200, reason=""))
    end = await stage.ended()
    assert end.cause is EndCause.CALLER_HUNG_UP
    assert problems(stage) == [(ProblemKind.KEY_REFUSED, True)]
