"""A whole call with a scripted provider: answer, greeting, talk, record, end."""

from __future__ import annotations

import asyncio

import pytest

from media_worker.contract import (
    AudioFormat,
    CallAnswered,
    CallEnded,
    EndCause,
    LocalVad,
    SessionOpened,
    Speaker,
    TranscriptUpdated,
    TurnMeasured,
    UsageReported,
    VadMode,
)
from media_worker.conversation.leg import LegAnswered, LegEnded, LegHeld
from media_worker.realtime.session import CallerText, SpeechStarted, SpeechStopped, TurnCommitted
from tests.media_worker.conversation.stage import GREETING, Stage, make_plan, tone


async def test_call_is_answered_at_once_and_greeted_as_soon_as_the_session_is_open(stage: Stage):
    opened = asyncio.Event()
    stage.prepare = [lambda session: setattr(session, "on_open", opened.wait)]
    session = await stage.start()
    assert stage.leg.answered == 1
    assert stage.of(CallAnswered) == [CallAnswered(codec="PCMU/8000")]
    assert session.asked == []
    await stage.run(400)
    opened.set()
    await stage.settle()
    assert session.did("say") == [GREETING]
    assert session.opened_guarded is True
    (event,) = stage.of(SessionOpened)
    assert (event.session_id, event.took_ms) == ("sess_1", 400)


async def test_call_without_a_greeting_waits_for_the_caller_unguarded(make_stage):
    stage = make_stage(make_plan(greets=False))
    session = await stage.start()
    assert session.opened_guarded is False
    await stage.run(9000)
    assert session.did("say") == []
    assert not stage.running.done()


async def test_caller_hears_the_agent_and_the_transcript_grows_with_what_was_heard(stage: Stage):
    session = await stage.start()
    session.speak("greeting", GREETING, 3000)
    await stage.run(1500)
    growing = [event.text for event in stage.of(TranscriptUpdated)]
    assert growing
    assert all(GREETING.startswith(text) for text in growing)
    assert growing == sorted(growing, key=len)
    assert 0.35 < len(growing[-1]) / len(GREETING) < 0.55
    assert len(growing) <= 8  # about five a second
    await stage.run(1600)
    entry = stage.entry("greeting")
    assert (entry.text, entry.cut_text, entry.final) == (GREETING, "", True)
    assert (entry.speaker, entry.duration_ms) == (Speaker.AGENT, 3000)
    assert stage.heard_ms == 3000


async def test_callers_audio_reaches_the_provider_in_its_format(stage: Stage):
    session = await stage.start()
    stage.caller_says = tone(400)
    await stage.run(1000)
    assert 960 * 8 <= len(session.sent) <= 1000 * 8  # PCMU: 8 bytes a ms, in chunks of 40 ms
    assert len(set(session.sent)) > 20


@pytest.mark.parametrize(
    ("chosen", "chunk_ms"),
    [
        ({"chunk_ms": 20}, 20),
        ({}, 40),
        ({"chunk_ms": 60}, 60),
        ({"chunk_ms": 100}, 100),
        ({"chunk_ms": 100, "local_vad": LocalVad.ENERGY}, 100),
        ({"chunk_ms": 80, "vad_mode": VadMode.LOCAL}, 80),
    ],
)
async def test_audio_goes_up_in_chunks_of_the_setting(make_stage, chosen, chunk_ms):
    stage = make_stage(make_plan(**chosen))
    session = await stage.start()
    await stage.run(200)  # the first one may be shorter
    session.chunks.clear()
    stage.caller_says = tone(1200)
    await stage.run(1200)
    assert set(session.chunks) == {chunk_ms * 8}
    assert abs(sum(session.chunks) - 1200 * 8) < chunk_ms * 8


async def test_pcm_session_is_resampled_both_ways(make_stage):
    stage = make_stage()
    stage.output_format = AudioFormat.PCM_24K
    session = await stage.start()
    session.speak("greeting", GREETING, 1000)
    await stage.run(1200)
    assert abs(len(session.sent) - 1200 * 48) < 80 * 48
    assert abs(stage.heard_ms - 1000) <= 40


async def test_audio_that_turns_out_to_be_another_format_is_played_as_what_it_is(stage: Stage):
    session = await stage.start()
    stage_info = session.info
    session.info = type(stage_info)(
        session_id="s", model="m", input_format=AudioFormat.PCMU, output_format=AudioFormat.PCM_24K
    )
    session.speak("greeting", GREETING, 1000)
    await stage.run(1300)
    assert abs(stage.heard_ms - 1000) <= 40


async def test_caller_and_agent_are_in_the_order_of_their_items_not_of_their_words(stage: Stage):
    session = await stage.greeted()
    session.caller_turn("u1", None, previous="greeting", at_ms=3000)
    session.speak("a1", "We open at nine.", 800, previous="u1")
    await stage.run(1000)
    session.caller_turn("u2", None, previous="a1", at_ms=5000)
    session.emit(CallerText("u2", "Thank you.", final=True))
    session.speak("a2", "You are welcome.", 800, previous="u2")
    await stage.run(400)
    session.emit(CallerText("u1", "When do you", final=False))
    session.emit(CallerText("u1", "When do you open?", final=True))
    await stage.run(800)
    assert [(entry.item_id, entry.text) for entry in stage.entries()] == [
        ("greeting", GREETING),
        ("u1", "When do you open?"),
        ("a1", "We open at nine."),
        ("u2", "Thank you."),
        ("a2", "You are welcome."),
    ]


async def test_turn_that_was_not_understood_leaves_no_entry(stage: Stage):
    session = await stage.greeted()
    session.caller_turn("u1", None, previous="greeting")
    session.emit(CallerText("u1", "", final=True, failed=True))
    session.caller_turn("u2", " ", previous="u1")
    session.speak("a1", "Pardon?", 400, previous="u2")
    await stage.run(600)
    stage.leg.queue.put_nowait(LegEnded(by_caller=True, sip_status=200, reason=""))
    await stage.ended()
    assert [entry.item_id for entry in stage.entries()] == ["greeting", "a1"]


async def test_words_that_come_after_the_caller_hung_up_are_kept(make_stage):
    stage = make_stage(make_plan(transcription_model="gpt-transcribe"))
    session = await stage.greeted()
    session.caller_turn("u1", None, previous="greeting")
    await stage.run(200)
    stage.leg.queue.put_nowait(LegEnded(by_caller=True, sip_status=200, reason="BYE"))
    await stage.run(700)
    assert stage.of(CallEnded) == []
    session.emit(CallerText("u1", "Call me back at noon.", final=True))
    end = await stage.ended(limit_ms=200)
    assert stage.entry("u1").text == "Call me back at noon."
    assert end.duration_ms == pytest.approx(3300, abs=100), "the call was over with the BYE"


async def test_words_that_never_come_hold_the_record_up_for_two_seconds_only(make_stage):
    stage = make_stage(make_plan(transcription_model="gpt-transcribe"))
    session = await stage.greeted()
    session.caller_turn("u1", None, previous="greeting")
    await stage.run(200)
    stage.leg.queue.put_nowait(LegEnded(by_caller=True, sip_status=200, reason="BYE"))
    await stage.ended(limit_ms=2200)


async def test_turn_that_was_not_understood_does_not_hold_the_record_up(make_stage):
    stage = make_stage(make_plan(transcription_model="gpt-transcribe"))
    session = await stage.greeted()
    session.caller_turn("u1", None, previous="greeting")
    session.emit(CallerText("u1", "", final=True, failed=True))
    await stage.run(200)
    stage.leg.queue.put_nowait(LegEnded(by_caller=True, sip_status=200, reason="BYE"))
    await stage.ended(limit_ms=100)


async def test_caller_hangs_up_and_the_record_is_closed(stage: Stage):
    session = await stage.greeted()
    session.speak("a1", "This is a long sentence of which only a part is heard.", 4000)
    await stage.run(2000)
    stage.leg.queue.put_nowait(LegEnded(by_caller=True, sip_status=200, reason="BYE"))
    end = await stage.ended()
    assert (end.cause, end.sip_status) == (EndCause.CALLER_HUNG_UP, 200)
    assert end.duration_ms == pytest.approx(5100, abs=100)
    assert stage.leg.hung_up == []
    assert session.closed == 1
    entry = stage.entry("a1")
    assert entry.final
    assert entry.text
    assert f"{entry.text} {entry.cut_text}" == (
        "This is a long sentence of which only a part is heard."
    )
    assert stage.of(CallEnded) == [end]


async def test_call_that_the_caller_gives_up_before_the_answer_has_a_record(stage: Stage):
    stage.leg.answers_by_itself = False
    stage.running = asyncio.create_task(stage.conversation.run())
    await stage.settle()
    stage.leg.queue.put_nowait(LegEnded(by_caller=True, sip_status=487, reason="CANCEL"))
    end = await stage.ended()
    assert (end.cause, end.duration_ms, end.sip_status) == (EndCause.CALLER_HUNG_UP, 0, 487)
    assert stage.of(CallAnswered) == []


async def test_call_whose_media_is_lost_says_so(stage: Stage):
    await stage.greeted()
    stage.leg.queue.put_nowait(LegEnded(by_caller=False, sip_status=408, reason="no RTP"))
    end = await stage.ended()
    assert (end.cause, end.detail) == (
        EndCause.MEDIA_LOST,
        "The telephone connection broke: no RTP.",
    )


@pytest.mark.parametrize("cause", [EndCause.OPERATOR_HUNG_UP, EndCause.WORKER_STOPPED])
async def test_call_is_ended_from_outside_with_a_bye(stage: Stage, cause):
    session = await stage.greeted()
    stage.conversation.hang_up(cause)
    assert (await stage.ended()).cause is cause
    assert stage.leg.hung_up == [0]
    assert session.closed == 1


async def test_call_ends_at_its_longest_duration(make_stage):
    stage = make_stage(make_plan(max_duration_seconds=5))
    await stage.greeted()
    end = await stage.ended()
    assert end.cause is EndCause.MAX_DURATION
    assert end.duration_ms == pytest.approx(5000, abs=100)
    assert stage.leg.hung_up == [0]


async def test_nothing_is_sent_while_the_call_is_on_hold(stage: Stage):
    session = await stage.greeted()
    stage.leg.queue.put_nowait(LegHeld(True))
    await stage.run(100)
    sent = len(session.sent)
    stage.caller_says = tone(2000)
    await stage.run(3000)
    assert len(session.sent) == sent
    stage.leg.queue.put_nowait(LegHeld(False))
    await stage.run(400)
    assert len(session.sent) == pytest.approx(sent + 400 * 8, abs=80 * 8)


async def test_what_the_caller_said_before_the_session_opened_is_not_sent(stage: Stage):
    opened = asyncio.Event()
    stage.prepare = [lambda session: setattr(session, "on_open", opened.wait)]
    session = await stage.start()
    stage.caller_says = tone(1000)
    await stage.run(1200)
    opened.set()
    await stage.run(400)
    assert len(session.sent) <= 400 * 8
    assert set(session.sent) <= {0xFF, 0x7F}  # mu-law silence


async def test_turns_are_measured(stage: Stage):
    session = await stage.greeted(2000)
    await stage.run(1000)
    sent_ms = len(session.sent) // 8
    session.emit(SpeechStarted("u1", sent_ms - 900), SpeechStopped("u1", sent_ms))
    session.emit(TurnCommitted("u1", "greeting"))
    await stage.run(400)
    session.speak("a1", "Yes.", 600, previous="u1")
    await stage.run(1000)
    greeting, turn = stage.of(TurnMeasured)
    assert (greeting.number, greeting.caller_stopped_ms, greeting.interrupted) == (1, None, False)
    assert greeting.playout_ended_ms == pytest.approx(2000, abs=60)
    assert turn.number == 2
    assert turn.end_known_ms == pytest.approx(3100, abs=60)
    # the provider's place of the end includes the silence it waited for
    assert turn.caller_stopped_ms == pytest.approx(turn.end_known_ms - 500, abs=60)
    assert turn.first_audio_ms == pytest.approx(turn.end_known_ms + 400, abs=60)
    assert 0 <= turn.first_packet_ms - turn.first_audio_ms <= 40
    assert turn.playout_ended_ms == pytest.approx(turn.first_packet_ms + 600, abs=60)


async def test_usage_is_reported_as_the_provider_counted_it(stage: Stage):
    session = await stage.start()
    usage = UsageReported(model="m", input_audio_tokens=10, output_audio_tokens=40)
    session.speak("greeting", GREETING, 400, usage=usage)
    await stage.run(100)
    assert stage.of(UsageReported) == [usage]


async def test_error_of_our_own_ends_the_call_with_a_record(stage: Stage, monkeypatch):
    session = await stage.greeted()

    def broken(*_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(stage.conversation._dialogue.agent, "audio", broken)
    session.speak("a1", "Never heard.", 400)
    end = await stage.ended()
    assert end.cause is EndCause.INTERNAL_ERROR
    assert stage.leg.hung_up == [0]


async def test_error_of_our_own_in_a_tick_ends_the_call_with_a_record(stage: Stage, monkeypatch):
    await stage.greeted()

    def broken(*_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(stage.conversation._dialogue.agent, "tick", broken)
    await stage.until(lambda: stage.running.done())
    (end,) = stage.of(CallEnded)
    assert end.cause is EndCause.INTERNAL_ERROR
    assert stage.leg.hung_up == [0]


async def test_session_opens_while_the_telephone_is_still_being_answered(stage: Stage):
    stage.leg.answers_by_itself = False
    stage.running = asyncio.create_task(stage.conversation.run())
    await stage.settle()
    assert stage.session.opened_guarded is True
    assert stage.session.did("say") == []
    stage.leg.queue.put_nowait(LegAnswered("PCMA/8000"))
    await stage.settle()
    assert stage.session.did("say") == [GREETING]


async def test_provider_that_is_slow_to_close_does_not_hold_the_call(stage: Stage):
    session = await stage.greeted()
    closing = asyncio.Event()
    session.on_close = closing.wait
    stage.conversation.hang_up(EndCause.OPERATOR_HUNG_UP)
    await stage.settle()
    assert stage.of(CallEnded)
    assert stage.leg.hung_up == [0]
    assert not stage.running.done()
    closing.set()
    await stage.ended()


async def test_turn_that_the_provider_commits_without_speech_begins_now(stage: Stage):
    session = await stage.greeted(2000)
    session.caller_turn("u1", "Hello", previous="greeting", at_ms=1000)
    session.speak("a1", "Yes?", 400, previous="u1")
    await stage.run(5000)
    session.emit(TurnCommitted("u2", "a1"), CallerText("u2", "mm", final=True))
    await stage.run(100)
    assert stage.entry("u2").offset_ms == pytest.approx(7100, abs=60)
    assert stage.entry("u2").duration_ms == 0
