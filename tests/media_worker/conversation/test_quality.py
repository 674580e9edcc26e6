"""What is said of a call's quality at its end."""

from __future__ import annotations

import asyncio

import pytest

from media_worker.contract import CallEnded, CallMeasured, EndCause
from media_worker.conversation.leg import LegEnded, LineQuality
from tests.media_worker.conversation.stage import Stage, tone

LINE = LineQuality(
    packets_received=900, packets_lost=9, packets_discarded=3, packets_sent=905, remote_lost=None,
    jitter_ms=1.2345, jitter_max_ms=4.0, round_trip_ms=0.0, delay_ms=40.0, mos=4.2199,
)  # fmt: skip


async def test_line_and_our_own_counts_come_just_before_the_end(stage: Stage):
    await stage.greeted(1000)
    stage.leg.line = LINE
    await stage.run(3000)
    stage.leg.queue.put_nowait(LegEnded(by_caller=True, sip_status=200, reason=""))
    await stage.ended()
    measured, ended = stage.events[-2:]
    assert isinstance(ended, CallEnded)
    assert isinstance(measured, CallMeasured)
    assert (measured.packets_received, measured.packets_lost) == (900, 9)
    assert (measured.packets_discarded, measured.packets_sent) == (3, 905)
    assert measured.remote_lost == -1
    assert (measured.jitter_ms, measured.jitter_max_ms, measured.mos) == (1.23, 4.0, 4.22)
    assert measured.heard_ms == pytest.approx(stage.frames * 20, abs=100)
    assert measured.not_sent_ms == 0
    assert stage.conversation.counts().heard_ms == measured.heard_ms
    assert len(stage.of(CallMeasured)) == 1


@pytest.mark.parametrize("end", [EndCause.OPERATOR_HUNG_UP, EndCause.WORKER_STOPPED])
async def test_call_that_we_end_is_measured_too(stage: Stage, end: EndCause):
    await stage.greeted(1000)
    stage.leg.line = LINE
    stage.conversation.hang_up(end)
    assert (await stage.ended()).cause is end
    assert stage.of(CallMeasured)[0].packets_received == 900
    assert stage.leg.hung_up  # asked before the leg was gone


async def test_gaps_in_the_agents_speech_are_counted(stage: Stage):
    session = await stage.start()
    session.speak("item_1", "one two", 400, finish=False)
    await stage.run(1000)
    session.speak("item_1", "three", 400)
    await stage.run(1000)
    stage.conversation.hang_up(EndCause.OPERATOR_HUNG_UP)
    await stage.ended()
    assert stage.of(CallMeasured)[0].underruns == 1


async def test_what_we_counted_is_said_also_when_the_line_cannot_be_measured(stage: Stage):
    await stage.greeted(1000)
    stage.leg.line = RuntimeError("no statistics")
    stage.caller_says = tone(500)
    await stage.run(500)
    stage.conversation.hang_up(EndCause.OPERATOR_HUNG_UP)
    await stage.ended()
    (measured,) = stage.of(CallMeasured)
    assert (measured.packets_received, measured.mos) == (-1, None)
    assert measured.heard_ms > 1000


async def test_nothing_is_said_of_a_call_that_nobody_answered(stage: Stage):
    stage.leg.answers_by_itself = False
    stage.leg.queue.put_nowait(LegEnded(by_caller=True, sip_status=487, reason=""))
    stage.running = asyncio.create_task(stage.conversation.run())
    await stage.ended()
    assert stage.of(CallMeasured) == []
