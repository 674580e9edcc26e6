"""Only speech goes to the provider: it understands every word and is sent little else."""

from __future__ import annotations

import time

import pytest

from tenants.models import CallQuality
from tests.e2e.people import spoken
from tests.e2e.world import World, eventually
from tests.support.raw_phone import RawPhone

FIRST = "what are your opening hours"
SECOND = "are you open on saturday"
PAUSE_SECONDS = 6.0


async def say(phone: RawPhone, text: str) -> float:
    """Say it and hear the answer to its end; when it was begun."""
    began = time.monotonic()
    phone.say(spoken(text))
    await phone.speech(since=began + 0.5, seconds=60)
    await phone.silence(seconds_of_it=1.2)
    return began


@pytest.mark.parametrize("vad_mode", ["server_vad", "semantic_vad", "local"])
async def test_words_arrive_whole_and_silence_does_not(world: World, vad_mode: str) -> None:
    house = world.house(local_vad="neural", vad_gates_audio=True, vad_mode=vad_mode)
    speech_ms = sum(len(spoken(text)) // 16 for text in (FIRST, SECOND))
    async with RawPhone(("127.0.0.1", house.stack.sip_port)) as phone:
        await phone.call(house.number.number)
        answered = time.monotonic()
        await phone.speech()
        await phone.silence(seconds_of_it=1.2)
        said = [await say(phone, FIRST)]
        await phone.silence(seconds_of_it=PAUSE_SECONDS)
        said.append(await say(phone, SECOND))
        record = await house.call()
        entries = await eventually(
            lambda: len(found := callers(world, record)) == 2 and found,
            why="two entries of the caller",
        )
        session = await house.session()
        call_ms = (time.monotonic() - answered) * 1000
        await phone.hang_up()
    await house.ended_call()

    first, second = callers(world, record)
    assert "opening hours" in first.text.lower()
    assert "saturday" in second.text.lower()
    for entry, at in zip((first, second), said, strict=True):
        assert abs(entry.offset_ms - (at - answered) * 1000) < 700, entries
    # a turn is sent with its pre-roll and what ends it, 3 s at the most
    assert speech_ms < session["appended_ms"] < speech_ms + 2 * 3000
    assert session["appended_ms"] < call_ms / 2
    quality = CallQuality.all_tenants.get(call=record)
    assert abs(quality.heard_ms - quality.not_sent_ms - session["appended_ms"]) < 1500


def callers(world: World, record):
    return [entry for entry in world.entries(record) if entry.speaker == "caller" and entry.text]
