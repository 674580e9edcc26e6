"""Only speech goes to the provider: it understands every word and is sent little else."""

from __future__ import annotations

import time
from dataclasses import dataclass

import pytest

from tenants.models import Call, CallQuality
from tests.e2e.people import spoken, was_held_up
from tests.e2e.world import House, World, eventually
from tests.support.raw_phone import RawPhone

FIRST = "what are your opening hours"
SECOND = "are you open on saturday"
PAUSE_SECONDS = 6.0
CALLS = 5


async def say(phone: RawPhone, text: str) -> float:
    """Say it and hear the answer to its end; when it was begun."""
    began = time.monotonic()
    phone.say(spoken(text))
    await phone.speech(since=began + 0.5, seconds=60)
    await phone.silence(seconds_of_it=1.2)
    return began


@pytest.mark.parametrize("vad_mode", ["server_vad", "semantic_vad", "local"])
async def test_words_arrive_whole_and_silence_does_not(world: World, vad_mode: str) -> None:
    speech_ms = sum(len(spoken(text)) // 16 for text in (FIRST, SECOND))
    for _call in range(CALLS):
        house = world.house(local_vad="neural", vad_gates_audio=True, vad_mode=vad_mode)
        async with RawPhone(("127.0.0.1", house.stack.sip_port)) as phone:
            call = await converse(world, house, phone)
        await house.ended_call()
        first, second = callers(world, call.record)
        if "opening hours" in first.text.lower() or not was_held_up(phone, call.record):
            break

    assert "opening hours" in first.text.lower()
    assert "saturday" in second.text.lower()
    for entry, said_ms in zip((first, second), call.said_ms, strict=True):
        assert abs(entry.offset_ms - said_ms) < 700, (first, second)
    # a turn is sent with its pre-roll and what ends it, 3 s at the most
    assert speech_ms < call.appended_ms < speech_ms + 2 * 3000
    assert call.appended_ms < call.whole_ms / 2
    quality = CallQuality.all_tenants.get(call=call.record)
    assert abs(quality.heard_ms - quality.not_sent_ms - call.appended_ms) < 1500


@dataclass
class Conversation:
    """Milliseconds, those of `said_ms` from the answer on."""

    record: Call
    said_ms: list[float]
    appended_ms: float
    whole_ms: float


async def converse(world: World, house: House, phone: RawPhone) -> Conversation:
    """The greeting, two questions with a pause between them, and their answers."""
    await phone.call(house.number.number)
    answered = time.monotonic()
    await phone.speech()
    await phone.silence(seconds_of_it=1.2)
    said = [await say(phone, FIRST)]
    await phone.silence(seconds_of_it=PAUSE_SECONDS)
    said.append(await say(phone, SECOND))
    record = await house.call()
    await eventually(lambda: len(callers(world, record)) == 2, why="two entries of the caller")
    session = await house.session()
    whole_ms = (time.monotonic() - answered) * 1000
    await phone.hang_up()
    said_ms = [(at - answered) * 1000 for at in said]
    return Conversation(record, said_ms, session["appended_ms"], whole_ms)


def callers(world: World, record):
    return [entry for entry in world.entries(record) if entry.speaker == "caller" and entry.text]
