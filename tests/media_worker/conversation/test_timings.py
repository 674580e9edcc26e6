"""Which moments belong to which turn of the agent."""

from __future__ import annotations

import pytest

from media_worker.contract import TurnMeasured
from media_worker.realtime.session import SpeechStarted, SpeechStopped, TurnCommitted
from tests.media_worker.conversation.stage import ScriptedSession, Stage
from tests.media_worker.conversation.test_tools import call_tool

SILENCE_MS = 500
"""silence_duration_ms of the plan."""


async def caller_stops(stage: Stage, session: ScriptedSession, item_id: str = "u1") -> int:
    """The caller has just been silent long enough; when that was, in ms of the call."""
    sent_ms = len(session.sent) // 8
    session.emit(SpeechStarted(item_id, max(0, sent_ms - 1500)), SpeechStopped(item_id, sent_ms))
    session.emit(TurnCommitted(item_id, None))
    await stage.settle()
    return stage.frames * 20


def last(stage: Stage) -> TurnMeasured:
    return stage.of(TurnMeasured)[-1]


async def test_answer_after_a_tool_counts_from_the_caller(stage: Stage):
    session = await stage.greeted(1000)
    await stage.run(1000)
    stopped = await caller_stops(stage, session)
    call_tool(session, "transfer_call", '{"target": "Nobody"}', says_ms=0)
    await stage.run(600)
    session.speak("a1", "I know nobody of that name.", 400, previous="u1")
    await stage.run(600)
    turn = last(stage)
    assert turn.number == 2
    assert turn.end_known_ms == pytest.approx(stopped, abs=60)
    assert turn.caller_stopped_ms == pytest.approx(stopped - SILENCE_MS, abs=60)
    assert turn.first_audio_ms == pytest.approx(stopped + 600, abs=60)


async def test_second_answer_to_one_turn_waited_for_nobody(stage: Stage):
    session = await stage.greeted(1000)
    await stage.run(500)
    await caller_stops(stage, session)
    session.speak("a1", "One moment.", 400, previous="u1")
    await stage.run(1000)
    session.speak("a2", "Here it is.", 400, previous="a1")
    await stage.run(1000)
    first, second = stage.of(TurnMeasured)[-2:]
    assert first.caller_stopped_ms is not None
    assert (second.caller_stopped_ms, second.end_known_ms) == (None, None)
    assert second.first_packet_ms is not None


async def test_caller_who_goes_on_has_not_stopped_before(stage: Stage):
    session = await stage.greeted(1000)
    await stage.run(1000)
    await caller_stops(stage, session, "u1")
    await stage.run(1000)
    stopped = await caller_stops(stage, session, "u2")
    session.speak("a1", "Yes.", 400, previous="u2")
    await stage.run(600)
    assert last(stage).caller_stopped_ms == pytest.approx(stopped - SILENCE_MS, abs=60)


async def test_answer_that_nobody_heard_has_no_packet(stage: Stage):
    session = await stage.greeted(1000)
    await stage.run(500)
    await caller_stops(stage, session, "u1")
    session.speak("a1", "Yes.", 3000, previous="u1")
    await stage.settle()  # it has come, and no frame of it has been played
    session.emit(SpeechStarted("u2", len(session.sent) // 8))
    await stage.run(100)
    turn = last(stage)
    assert turn.interrupted
    assert turn.first_audio_ms is not None
    assert (turn.first_packet_ms, turn.playout_ended_ms) == (None, None)


async def test_jitter_buffer_is_not_counted_as_the_callers_time(stage: Stage):
    session = await stage.greeted(1000)
    stage.leg.capture_delay_ms = 60.0
    await stage.run(1000)
    stopped = await caller_stops(stage, session)
    session.speak("a1", "Yes.", 400, previous="u1")
    await stage.run(600)
    turn = last(stage)
    assert turn.caller_stopped_ms == pytest.approx(stopped - SILENCE_MS - 60, abs=50)
    assert turn.end_known_ms == pytest.approx(stopped, abs=20)
