"""A caller who interrupts: the agent stops at the RTP level, the record keeps what was heard."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

import pytest

from tests.e2e.people import spoken
from tests.e2e.world import World, eventually
from tests.support.raw_phone import RawPhone

STOPS_WITHIN_SECONDS = 0.100
STORY = spoken("tell me a long story")
INTERRUPTION = spoken("what are your opening hours")
COUGH = spoken("yes")[: 8000 * 2 * 3 // 10]


async def test_playback_stops_and_only_what_was_heard_is_kept(
    world: World, record_property: Callable[[str, object], None]
) -> None:
    house = world.house()
    async with RawPhone(("127.0.0.1", house.stack.sip_port)) as phone:
        await phone.call(house.number.number)
        await phone.speech()
        await phone.silence()
        phone.say(STORY)
        greeted = await phone.silence()
        underway = await phone.speech(since=greeted + 0.5, packets=100, seconds=60)
        began = next(packet.at for packet in phone.loud() if packet.at > greeted + 0.5)
        phone.say(INTERRUPTION)
        record = await house.call()
        cut = await eventually(
            lambda: next((entry for entry in world.entries(record) if entry.cut_text), None),
            why="an entry that was cut off",
        )
        session = await house.session()
        onset = next(
            event["at"]
            for event in session["server_events"]
            if event["type"] == "input_audio_buffer.speech_started" and event["at"] > underway
        )
        await phone.silence(seconds_of_it=1.0)
        answer_began = await phone.speech(since=onset + 0.3)
        story_packets = [packet.at for packet in phone.loud() if packet.at < answer_began - 0.3]
        stopped_after = story_packets[-1] - onset
        record_property("stopped_after_ms", round(stopped_after * 1000))
        assert stopped_after < STOPS_WITHIN_SECONDS
        await phone.hang_up()

    await house.ended_call()
    heard_seconds = story_packets[-1] - began
    assert cut.speaker == "agent"
    assert cut.text
    assert not set(cut.cut_text.split()[-3:]) <= set(cut.text.split()[-3:])
    assert abs(cut.duration_ms / 1000 - heard_seconds) < 0.5
    [truncated] = [
        event
        for event in session["client_events"]
        if event["type"] == "conversation.item.truncate" and event["item_id"] == cut.item_id
    ]
    assert abs(truncated["audio_end_ms"] - cut.duration_ms) <= 40
    spoken_share = len(cut.text) / (len(cut.text) + len(cut.cut_text))
    assert spoken_share < 0.7, "most of a long story was not heard"


@pytest.mark.parametrize("after_packets", [3, 25], ids=["at once", "half a second in"])
async def test_noise_in_the_first_second_does_not_cut_the_greeting(
    world: World, after_packets: int
) -> None:
    greeting = "Welcome to the clinic. We are glad that you call us today. What can I do for you?"
    house = world.house(greeting=greeting)
    async with RawPhone(("127.0.0.1", house.stack.sip_port)) as phone:
        await phone.call(house.number.number)
        await phone.speech(packets=after_packets)
        phone.say(COUGH)
        ended = await phone.silence()
        began = phone.loud()[0].at
        assert ended - began > 3.5, "the whole greeting was played"
        record = await house.call()
        await phone.hang_up()
    await house.ended_call()
    first = world.entries(record)[0]
    assert (first.text, first.cut_text) == (greeting, "")


async def test_interruption_switched_off_lets_the_agent_go_on(world: World) -> None:
    house = world.house(interrupt=False)
    async with RawPhone(("127.0.0.1", house.stack.sip_port)) as phone:
        await phone.call(house.number.number)
        await phone.speech()
        greeted = await phone.silence()
        phone.say(STORY)
        underway = await phone.speech(since=greeted + 0.5, packets=50, seconds=60)
        phone.say(INTERRUPTION)
        await phone.speech(since=underway + 6.0)
        loud = [packet.at for packet in phone.loud() if packet.at > underway]
        pauses = [after - before for before, after in pairwise(loud)]
        assert max(pauses) < 1.0, "the story went on"
        session = await house.session()
        await phone.hang_up()
    await house.ended_call()
    sent = [event["type"] for event in session["client_events"]]
    assert "conversation.item.truncate" not in sent
    assert "response.cancel" not in sent
