"""What the caller hears first: prompts that were rendered before, or live where there is none."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import numpy as np
import pytest

from media_worker.contract import (
    AudioFormat,
    EndCause,
    LocalVad,
    ProblemKind,
    TranscriptUpdated,
    TurnMeasured,
)
from media_worker.conversation.leg import LegEnded
from media_worker.conversation.turns import CONFIRM_SECONDS
from media_worker.conversation.uplink import LIMIT_MS
from media_worker.realtime.session import (
    AgentAudioDone,
    Ended,
    Heard,
    ResponseFinished,
    ResponseStarted,
    SessionError,
    SpeechStarted,
)
from tests.media_worker.conversation.stage import (
    APOLOGY,
    FRAME_MS,
    GREETING,
    LOCAL,
    ScriptedSession,
    Stage,
    failing,
    is_sound,
    make_plan,
    tone,
)

CONSENT = "This call is recorded."
GREETING_MS = 3000
CONSENT_MS = 2000
PADDING_MS = make_plan().settings.prefix_padding_ms
MakeStage = Callable[..., Stage]
DROPPED = SessionError(ProblemKind.DROPPED, "gone", retryable=True)


def greeting_pcm(ms: int = GREETING_MS) -> bytes:
    return tone(ms)


def consent_pcm(ms: int = CONSENT_MS) -> bytes:
    return tone(ms, level=3000)


def kind_of(frame: bytes) -> str:
    peak = int(np.abs(np.frombuffer(frame, "<i2").astype(int)).max())
    return "" if peak < 500 else "consent" if peak < 2500 else "greeting"


def heard(stage: Stage) -> list[str]:
    """What the caller heard, without repetitions; "" is silence."""
    kinds = [kind_of(frame) for frame in stage.heard]
    return [kind for at, kind in enumerate(kinds) if not at or kind != kinds[at - 1]]


def opens_after(stage: Stage, seconds: float) -> None:
    """The (next) session takes so long to open."""
    stage.prepare.append(
        lambda session: setattr(session, "on_open", lambda: stage.clock.sleep(seconds))
    )


async def ring(stage: Stage) -> None:
    """Answered; the session may not be open."""
    await begin(stage)
    await stage.until(lambda: bool(stage.answered_events))


async def begin(stage: Stage) -> None:
    stage.running = asyncio.create_task(stage.conversation.run())
    await stage.settle()


def names(session: ScriptedSession) -> list[str]:
    return [name for name, _ in session.asked]


# --- played at once ------------------------------------------------------------------------------


async def test_the_greeting_waits_in_the_playout_when_the_call_is_answered(make_stage: MakeStage):
    stage = make_stage(greeting=greeting_pcm())
    queued: list[int] = []
    answer = stage.leg.answer

    async def look_and_answer(audio_format: AudioFormat | None) -> None:
        queued.append(stage.leg.playout.queued_ms)
        await answer(audio_format)

    stage.leg.answer = look_and_answer
    await ring(stage)
    assert queued == [GREETING_MS]


async def test_it_is_heard_while_the_session_is_opened(make_stage: MakeStage):
    stage = make_stage(greeting=greeting_pcm())
    opens_after(stage, 1.0)
    await begin(stage)
    await stage.run(500)
    assert heard(stage) == ["greeting"], "from the first frame on"
    assert stage.session.asked == []
    await stage.run(GREETING_MS)
    session = stage.session
    assert session.opened_guarded is True
    assert session.did("said") == [GREETING]
    assert session.did("say") == session.did("respond") == []
    assert stage.heard_ms == GREETING_MS
    entry = stage.entry("greeting")
    assert (entry.text, entry.final, entry.duration_ms) == (GREETING, True, GREETING_MS)
    assert entry.offset_ms <= FRAME_MS


async def test_words_appear_as_they_are_heard(make_stage: MakeStage):
    stage = make_stage(greeting=greeting_pcm())
    await ring(stage)
    await stage.run(1500)
    so_far = stage.entry("greeting")
    assert not so_far.final
    assert GREETING.startswith(so_far.text)
    assert 0.3 < len(so_far.text) / len(GREETING) < 0.6


async def test_it_is_the_first_turn(make_stage: MakeStage):
    stage = make_stage(greeting=greeting_pcm())
    await ring(stage)
    await stage.run(GREETING_MS + 200)
    [turn] = stage.of(TurnMeasured)
    assert (turn.number, turn.first_audio_ms, turn.interrupted) == (1, 0, False)
    assert turn.first_packet_ms is not None
    assert turn.first_packet_ms <= FRAME_MS
    assert abs(turn.playout_ended_ms - GREETING_MS) <= 2 * FRAME_MS


async def test_a_long_greeting_is_no_silence_of_the_provider(make_stage: MakeStage):
    stage = make_stage(greeting=greeting_pcm(15_000))
    session = await stage.start()
    await stage.run(25_000)
    assert not stage.running.done()
    assert session.closed == 0


async def test_who_gives_up_before_the_answer_leaves_no_words(make_stage: MakeStage):
    stage = make_stage(greeting=greeting_pcm())
    stage.leg.answers_by_itself = False
    await begin(stage)
    stage.leg.queue.put_nowait(LegEnded(by_caller=True, sip_status=487, reason=""))
    await stage.settle()
    await stage.until(lambda: stage.running.done())
    assert stage.of(TranscriptUpdated) == []
    assert stage.of(TurnMeasured) == []


async def test_without_a_prompt_the_provider_says_it(make_stage: MakeStage):
    stage = make_stage()
    session = await stage.greeted(GREETING_MS)
    assert session.did("say") == [GREETING]
    assert session.did("said") == []


# --- the caller speaks ---------------------------------------------------------------------------


async def test_what_is_cut_off_is_taken_back(make_stage: MakeStage):
    stage = make_stage(greeting=greeting_pcm())
    session = await stage.start()
    await stage.run(1500)
    session.emit(SpeechStarted("u1", 1500 - PADDING_MS))
    await stage.run(200)
    told, corrected = session.did("said")
    assert told == GREETING
    assert GREETING.startswith(corrected)
    assert 0.2 < len(corrected) / len(GREETING) < 0.7
    assert names(session) == ["said", "set_guard", "interrupt", "said"]
    assert session.did("interrupt") == [None], "the session has nothing to cut"
    entry = stage.entry("greeting")
    assert (entry.text, entry.final) == (corrected, True)
    assert f"{entry.text} {entry.cut_text}" == GREETING
    assert stage.heard_ms <= 1600
    [turn] = stage.of(TurnMeasured)
    assert turn.interrupted


async def test_noise_within_the_guard_does_not_stop_it(make_stage: MakeStage):
    stage = make_stage(greeting=greeting_pcm())
    session = await stage.start()
    await stage.run(400)
    session.emit(SpeechStarted("u1", 0))
    await stage.run(300)
    session.caller_turn("u1", "hm", at_ms=0)
    await stage.run(GREETING_MS)
    assert stage.heard_ms == GREETING_MS
    assert names(session) == ["said", "set_guard", "respond"], "answered when it was over"


async def test_the_caller_may_interrupt_before_there_is_a_session(make_stage: MakeStage):
    stage = make_stage(make_plan(local_vad=LocalVad.ENERGY), greeting=greeting_pcm())
    opens_after(stage, 2.5)
    await begin(stage)
    await stage.run(1300)
    stage.caller_says = tone(700)
    await stage.run(1100)
    assert stage.heard_ms < 2000
    assert stage.session.asked == []
    await stage.run(300)
    session = stage.session
    [told] = session.did("said")
    assert GREETING.startswith(told)
    assert told != GREETING
    assert "interrupt" not in names(session)
    assert names(session)[:2] == ["set_guard", "said"]


async def test_what_the_caller_says_meanwhile_reaches_the_session(make_stage: MakeStage):
    stage = make_stage(greeting=greeting_pcm())
    opens_after(stage, 1.5)
    await begin(stage)
    await stage.run(500)
    stage.caller_says = tone(400)
    await stage.run(2000)
    loud = [byte for byte in stage.session.sent if byte not in (0xFF, 0x7F)]
    assert abs(len(loud) / 8 - 400) < 60, "all of it, as PCMU"
    assert len(stage.session.sent) / 8 > 2000


async def test_what_waits_is_bounded(make_stage: MakeStage):
    stage = make_stage(greeting=greeting_pcm(6000))
    opens_after(stage, 4.0)
    await begin(stage)
    await stage.until(lambda: bool(stage.sessions) and bool(stage.session.sent))
    assert abs(len(stage.session.sent) / 8 - LIMIT_MS) <= 80


async def test_live_greetings_do_not_send_what_came_before_the_session(make_stage: MakeStage):
    stage = make_stage()
    opens_after(stage, 1.5)
    await begin(stage)
    await stage.until(lambda: bool(stage.sessions) and bool(stage.session.sent))
    assert len(stage.session.sent) / 8 <= 100


async def test_the_session_knows_the_state_of_things_before_it_hears_the_caller(
    make_stage: MakeStage,
):
    stage = make_stage(greeting=greeting_pcm(500))
    opens_after(stage, 1.5)
    await begin(stage)
    known: list[list[str]] = []

    def listen(session: ScriptedSession) -> None:
        send = session.send_audio

        def send_audio(data: bytes) -> None:
            known.append(names(session))
            send(data)

        session.send_audio = send_audio

    listen(stage.session)
    await stage.run(2000)
    assert known[0] == ["set_guard", "said"]


async def test_a_turn_before_the_session_is_answered_by_it(make_stage: MakeStage):
    """The provider hears it late and answers by itself; only where it does not, we ask."""
    stage = make_stage(make_plan(local_vad=LocalVad.ENERGY), greeting=greeting_pcm())
    opens_after(stage, 5.0)
    await begin(stage)
    await stage.run(2700)
    stage.caller_says = tone(600)
    await stage.run(2400)
    session = stage.session
    assert session.did("said")
    await stage.run(200)
    session.emit(SpeechStarted("u1", 300))
    session.caller_turn("u1", "hello")
    session.speak("a1", "Hello to you.", 600)
    await stage.run(int(CONFIRM_SECONDS * 1000) + 500)
    assert session.did("respond") == []


async def test_a_turn_before_the_session_that_it_does_not_hear_is_answered(make_stage: MakeStage):
    stage = make_stage(make_plan(local_vad=LocalVad.ENERGY), greeting=greeting_pcm())
    opens_after(stage, 5.0)
    await begin(stage)
    await stage.run(1500)
    stage.caller_says = tone(600)
    await stage.run(3600)
    assert stage.session.did("respond") == []
    await stage.run(int(CONFIRM_SECONDS * 1000) + 200)
    assert stage.session.did("respond") == [None]


async def test_own_turns_that_ended_before_the_session_are_committed(make_stage: MakeStage):
    stage = make_stage(
        make_plan(vad_mode=LOCAL, local_vad=LocalVad.ENERGY), greeting=greeting_pcm(1000)
    )
    opens_after(stage, 3.5)
    await begin(stage)
    await stage.run(1500)
    stage.caller_says = tone(700)
    await stage.run(2100)
    session = stage.session
    await stage.run(600)
    assert names(session) == ["set_guard", "said", "commit_turn"]
    assert len(session.sent) / 8 >= LIMIT_MS, "it was sent before"


async def test_an_answer_that_waits_behind_it_is_taken_back_whole(make_stage: MakeStage):
    stage = make_stage(greeting=greeting_pcm())
    session = await stage.start()
    await stage.run(1200)
    session.speak("a1", "Are you there?", 800)
    await stage.run(200)
    session.emit(SpeechStarted("u1", 1400 - PADDING_MS))
    await stage.run(200)
    assert session.did("interrupt") == [Heard("a1", 0)]


# --- the announcement of a recording -------------------------------------------------------------


async def test_the_announcement_comes_first(make_stage: MakeStage):
    plan = make_plan(consent=CONSENT)
    stage = make_stage(plan, consent=consent_pcm(), greeting=greeting_pcm())
    session = await stage.start()
    await stage.run(CONSENT_MS + GREETING_MS + 300)
    assert heard(stage) == ["consent", "greeting", ""]
    assert session.did("said") == [f"{CONSENT} {GREETING}"]
    assert [entry.text for entry in stage.entries()] == [CONSENT, GREETING]


async def test_the_announcement_cannot_be_interrupted(make_stage: MakeStage):
    plan = make_plan(consent=CONSENT, greeting_guard_ms=500)
    stage = make_stage(plan, consent=consent_pcm(), greeting=greeting_pcm())
    session = await stage.start()
    await stage.run(1500)
    session.emit(SpeechStarted("u1", 1500 - PADDING_MS))
    await stage.run(CONSENT_MS - 1500 + 400)
    assert "interrupt" not in names(session)
    assert "set_guard" not in names(session), "the guard counts from the greeting"
    stage.caller_says = tone(2000)
    await stage.run(1000)
    assert session.did("interrupt") == [None], "who goes on may interrupt the greeting"
    assert stage.entry("consent").text == CONSENT
    assert session.did("said")[-1].startswith(f"{CONSENT} ")


async def test_the_announcement_alone(make_stage: MakeStage):
    plan = make_plan(consent=CONSENT, greets=False)
    stage = make_stage(plan, consent=consent_pcm())
    session = await stage.start()
    await stage.run(CONSENT_MS - 200)
    assert names(session) == ["said"]
    await stage.run(400)
    assert names(session) == ["said", "set_guard"]


async def test_a_live_greeting_behind_the_announcement(make_stage: MakeStage):
    stage = make_stage(make_plan(consent=CONSENT), consent=consent_pcm())
    session = await stage.start()
    assert names(session) == ["said", "say"]
    session.speak("g1", GREETING, GREETING_MS)
    await stage.run(CONSENT_MS + 900)
    assert "set_guard" not in names(session)
    await stage.run(300)
    assert session.did("set_guard") == [False]
    await stage.run(GREETING_MS)
    assert heard(stage)[0] == "consent"
    assert session.did("said") == [CONSENT]
    assert stage.entry("g1").text == GREETING


async def test_a_live_announcement_before_the_greeting(make_stage: MakeStage):
    stage = make_stage(make_plan(consent=CONSENT), greeting=consent_pcm(1500))
    session = await stage.start()
    assert session.asked == [("say", CONSENT)]
    session.speak("c1", CONSENT, 1000)
    await stage.run(500)
    assert session.asked == [("say", CONSENT), ("said", GREETING)]
    await stage.run(3000)
    assert [entry.text for entry in stage.entries()] == [CONSENT, GREETING]
    assert stage.heard_ms == 2500


async def test_both_live(make_stage: MakeStage):
    stage = make_stage(make_plan(consent=CONSENT))
    session = await stage.start()
    assert session.asked == [("say", CONSENT)]
    session.speak("c1", CONSENT, 1000)
    await stage.run(100)
    assert session.asked == [("say", CONSENT), ("say", GREETING)]
    session.speak("g1", GREETING, 2000)
    await stage.run(3200)
    assert [entry.text for entry in stage.entries()] == [CONSENT, GREETING]
    assert names(session) == ["say", "say", "set_guard"]


async def test_a_live_announcement_that_broke_off_is_made_again(make_stage: MakeStage):
    stage = make_stage(make_plan(consent=CONSENT))
    first = await stage.start()
    first.speak("c1", CONSENT, 1000, finish=False)
    await stage.run(300)
    first.emit(Ended(problem=DROPPED))
    await stage.until(lambda: len(stage.sessions) == 2 and bool(stage.session.asked))
    assert stage.session.asked == [("say", CONSENT)]


async def test_a_live_announcement_that_failed_is_asked_for_again(make_stage: MakeStage):
    stage = make_stage(make_plan(consent=CONSENT))
    session = await stage.start()
    session.emit(ResponseStarted("r1"), ResponseFinished(response_id="r1", status="failed"))
    await stage.until(lambda: len(session.asked) == 2)
    assert session.asked == [("say", CONSENT), ("say", CONSENT)]


# --- the provider fails --------------------------------------------------------------------------


async def test_the_greeting_is_heard_and_then_the_apology(make_stage: MakeStage):
    stage = make_stage(greeting=greeting_pcm())
    stage.prepare = failing(SessionError(ProblemKind.KEY_REFUSED, "no"))
    stage.apology_pcm = consent_pcm(1000)
    await begin(stage)
    end = await stage.ended()
    assert end.cause is EndCause.PROVIDER_FAILED
    assert heard(stage)[:2] == ["greeting", "consent"]
    assert [entry.text for entry in stage.entries()] == [GREETING, APOLOGY]
    assert stage.heard_ms == GREETING_MS + 1000


async def test_a_session_that_is_replaced_meanwhile_is_told_too(make_stage: MakeStage):
    stage = make_stage(greeting=greeting_pcm())
    first = await stage.start()
    await stage.run(500)
    first.emit(Ended(problem=DROPPED))
    await stage.until(lambda: len(stage.sessions) == 2 and bool(stage.session.asked))
    second = stage.session
    await stage.run(GREETING_MS)
    assert second.did("said") == [GREETING]
    assert second.did("say") == []
    assert stage.heard_ms == GREETING_MS, "heard once, without a gap"
    assert heard(stage) == ["greeting", ""]


async def test_a_later_session_has_it_from_its_context(make_stage: MakeStage):
    stage = make_stage(greeting=greeting_pcm())
    first = await stage.start()
    await stage.run(GREETING_MS + 200)
    first.emit(Ended(problem=DROPPED))
    await stage.until(lambda: len(stage.sessions) == 2)
    await stage.run(500)
    assert stage.session.context == f"Agent: {GREETING}"
    assert stage.session.did("said") == []


async def test_an_empty_audio_of_the_provider_does_not_end_it(make_stage: MakeStage):
    """Events of items that nobody began are not taken for the greeting's."""
    stage = make_stage(greeting=greeting_pcm())
    session = await stage.start()
    session.emit(AgentAudioDone("greeting"))
    await stage.run(GREETING_MS + 100)
    assert stage.heard_ms == GREETING_MS


@pytest.mark.parametrize("paused_ms", [300])
async def test_a_cough_pauses_it_and_no_more(make_stage: MakeStage, paused_ms: int):
    stage = make_stage(make_plan(local_vad=LocalVad.ENERGY), greeting=greeting_pcm())
    session = await stage.start()
    await stage.run(1500)
    stage.caller_says = tone(paused_ms)
    await stage.run(GREETING_MS + 2500)
    assert stage.heard_ms == GREETING_MS
    assert session.did("said") == [GREETING]
    assert not any(is_sound(frame) for frame in stage.heard[-10:])
