"""Events in any order, with any ids: a call never ends because of an error of our own."""

from __future__ import annotations

import random

import pytest

from media_worker.audio.neural import NeuralVad
from media_worker.contract import (
    CallEnded,
    EndCause,
    LocalVad,
    ProblemKind,
    TranscriptUpdated,
    TurnMeasured,
    VadMode,
)
from media_worker.conversation.leg import LegEnded, LegHeld, TransferOutcome
from media_worker.realtime.session import (
    AgentAudio,
    AgentAudioDone,
    AgentItem,
    AgentText,
    AgentTextDone,
    CallerText,
    Ended,
    Problem,
    ResponseFinished,
    ResponseStarted,
    SessionError,
    SessionEvent,
    SpeechStarted,
    SpeechStopped,
    ToolRequested,
    TurnCommitted,
)
from tests.media_worker.conversation.stage import RATE, Stage, make_plan, speech_bytes, tone

ITEMS = ["i1", "i2", "i3", "i4"]
RESPONSES = ["r1", "r2", "r3"]


def any_event(chance: random.Random, stage: Stage) -> SessionEvent:
    item, response = chance.choice(ITEMS), chance.choice(RESPONSES)
    previous = chance.choice([None, *ITEMS])
    sound = speech_bytes(stage.session.info.output_format, chance.choice([20, 200, 1000]))
    status = chance.choice(["completed", "cancelled", "failed", "incomplete"])
    makers = [
        lambda: SpeechStarted(item, chance.randrange(-10, 100_000)),
        lambda: SpeechStopped(item, chance.randrange(-10, 100_000)),
        lambda: TurnCommitted(item, previous),
        lambda: CallerText(item, chance.choice(["", "words", "more words"]), final=True),
        lambda: ResponseStarted(response),
        lambda: AgentItem(item, previous, response),
        lambda: AgentAudio(item, chance.choice([b"", sound, sound, sound[:7]])),
        lambda: AgentAudioDone(item),
        lambda: AgentText(item, " and so on"),
        lambda: AgentTextDone(item, chance.choice(["", "All of it."])),
        lambda: ToolRequested(
            f"c{chance.randrange(9)}", item, chance.choice(["hang_up", "transfer_call", "x"]),
            chance.choice(["{}", '{"target":"Sales"}', "["]),
        ),
        lambda: ResponseFinished(
            response_id=response, status=status, had_audio=chance.random() < 0.8,
            had_tool_calls=chance.random() < 0.2,
        ),
        lambda: Problem(kind=chance.choice([ProblemKind.PROTOCOL, ProblemKind.RATE_LIMIT])),
    ]  # fmt: skip
    if chance.random() < 0.01:
        return Ended(problem=SessionError(chance.choice(list(ProblemKind)), "over"))
    return chance.choice(makers)()


@pytest.fixture(scope="module")
def neural() -> NeuralVad:
    return NeuralVad(RATE)


@pytest.mark.parametrize("seed", range(32))
async def test_events_in_any_order_never_end_in_an_error_of_our_own(make_stage, neural, seed):
    chance = random.Random(seed)
    stage = make_stage(
        make_plan(
            greets=chance.random() < 0.7,
            interrupt=chance.random() < 0.8,
            vad_mode=chance.choice(list(VadMode)),
            local_vad=chance.choice(list(LocalVad)),
            vad_gates_audio=chance.random() < 0.5,
            vad_stops_agent=chance.random() < 0.7,
            false_interruption_ms=chance.choice([0, 100, 1500]),
            idle_timeout_ms=chance.choice([0, 5000]),
            chunk_ms=chance.choice([20, 40, 100]),
            max_duration_seconds=60,
        ),
        neural,
    )
    await stage.start()
    for _ in range(150):
        if stage.running.done():
            break
        for _ in range(chance.randrange(6)):
            stage.session.emit(any_event(chance, stage))
        if chance.random() < 0.03:
            stage.leg.queue.put_nowait(LegHeld(chance.random() < 0.5))
        if chance.random() < 0.1:
            stage.caller_says += tone(chance.choice([40, 500]))
        if stage.leg.transfers and not stage.leg.outcome.done() and chance.random() < 0.2:
            stage.leg.outcome.set_result(
                TransferOutcome(succeeded=False, sip_status=486, reason="")
            )
        await stage.run(chance.choice([0, 20, 100, 400]))
    stage.leg.queue.put_nowait(LegEnded(by_caller=True, sip_status=200, reason=""))
    end = await stage.ended(limit_ms=100_000)
    assert end.cause is not EndCause.INTERNAL_ERROR
    assert len(stage.of(CallEnded)) == 1
    assert all(entry.final for entry in stage.entries())
    assert len({turn.number for turn in stage.of(TurnMeasured)}) == len(stage.of(TurnMeasured))
    first = {update.item_id: update for update in reversed(stage.of(TranscriptUpdated))}
    assert all(update.text for update in first.values())
    uplink = stage.conversation._dialogue.caller.uplink
    assert 0 <= uplink.not_sent_ms <= uplink.heard_ms
    assert not stage.leg.playout.is_paused
