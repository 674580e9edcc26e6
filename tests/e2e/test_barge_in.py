"""A caller who interrupts: the agent stops at the RTP level, the record keeps what was heard."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise

import pytest

from tests.e2e.people import spoken
from tests.e2e.world import House, World
from tests.support.raw_phone import RawPhone, sound_seconds

STOPS_WITHIN_SECONDS = 0.100
"""The bar, for the best of the stops: one may fall together with a moment in which this machine
does something else."""
ALWAYS_WITHIN_SECONDS = 1.0
STALL_SECONDS = 0.2
ATTEMPTS = 4
STORY = spoken("tell me a long story")
INTERRUPTION = spoken("what are your opening hours")
COUGH = spoken("yes")[: 8000 * 2 * 3 // 10]
GREETING = "Welcome to the clinic. We are glad that you call us today. What can I do for you?"


@dataclass
class Stop:
    """`after`: seconds from the provider's word to the last packet that somebody would hear;
    `heard`: seconds of the story."""

    after: float
    heard: float


async def interrupt_a_story(house: House, phone: RawPhone) -> Stop:
    before = await phone.silence()
    phone.say(STORY)
    underway = await phone.speech(since=before, packets=100, seconds=60)
    first = next(packet for packet in phone.loud() if packet.at > before)
    phone.say(INTERRUPTION)
    stopped = await phone.silence(seconds_of_it=1.0)
    last = phone.loud()[-1]
    onset = next(
        event["at"]
        for event in (await house.session())["server_events"]
        if event["type"] == "input_audio_buffer.speech_started" and event["at"] > underway
    )
    await phone.speech(since=stopped)
    return Stop(stopped - onset, sound_seconds(first, last))


async def test_playback_stops_and_only_what_was_heard_is_kept(
    world: World, record_property: Callable[[str, object], None]
) -> None:
    house = world.house()
    async with RawPhone(("127.0.0.1", house.stack.sip_port)) as phone:
        await phone.call(house.number.number)
        stops = [await interrupt_a_story(house, phone)]
        while stops[-1].after >= STOPS_WITHIN_SECONDS and len(stops) < ATTEMPTS:
            stops.append(await interrupt_a_story(house, phone))
        record_property("stopped_after_ms", [round(stop.after * 1000) for stop in stops])
        assert min(stop.after for stop in stops) < STOPS_WITHIN_SECONDS
        assert max(stop.after for stop in stops) < ALWAYS_WITHIN_SECONDS
        await phone.silence()
        session = await house.session()
        await phone.hang_up()

    record = await house.ended_call()
    cuts = [entry for entry in world.entries(record) if entry.cut_text]
    truncated = {
        event["item_id"]: event["audio_end_ms"]
        for event in session["client_events"]
        if event["type"] == "conversation.item.truncate"
    }
    assert len(cuts) == len(truncated) == len(stops)
    for cut, stop in zip(cuts, stops, strict=True):
        assert cut.speaker == "agent"
        assert cut.text
        assert not set(cut.cut_text.split()[-3:]) <= set(cut.text.split()[-3:])
        assert abs(cut.duration_ms / 1000 - stop.heard) < 0.5
        assert abs(truncated[cut.item_id] - cut.duration_ms) <= 40
        spoken_share = len(cut.text) / (len(cut.text) + len(cut.cut_text))
        assert spoken_share < 0.7, "most of a long story was not heard"


async def cough_into_a_greeting(house: House, after_packets: int) -> tuple[float, float]:
    """Seconds of the greeting that were heard, and how long the machine was held up meanwhile."""
    async with RawPhone(("127.0.0.1", house.stack.sip_port)) as phone:
        await phone.call(house.number.number)
        await phone.speech(packets=after_packets)
        phone.say(COUGH)
        await phone.silence()
        first, last = phone.loud()[0], phone.loud()[-1]
        await house.call()
        await phone.hang_up()
    return sound_seconds(first, last), phone.longest_stall(until=first.at + 1.5)


@pytest.mark.parametrize("after_packets", [3, 25], ids=["at once", "half a second in"])
async def test_noise_in_the_first_second_does_not_cut_the_greeting(
    world: World, after_packets: int
) -> None:
    house = world.house(greeting=GREETING)
    heard, stall = await cough_into_a_greeting(house, after_packets)
    for _ in range(ATTEMPTS):
        if stall < STALL_SECONDS:
            break  # else it may have come after the first second
        await house.ended_call()
        heard, stall = await cough_into_a_greeting(house, after_packets)
    assert heard > 3.5, "the whole greeting was played"
    first = world.entries(await house.ended_call())[0]
    assert (first.text, first.cut_text) == (GREETING, "")


async def test_interruption_switched_off_lets_the_agent_go_on(world: World) -> None:
    house = world.house(interrupt=False)
    async with RawPhone(("127.0.0.1", house.stack.sip_port)) as phone:
        await phone.call(house.number.number)
        await phone.speech()
        greeted = await phone.silence()
        phone.say(STORY)
        underway = await phone.speech(since=greeted, packets=50, seconds=60)
        phone.say(INTERRUPTION)
        await phone.speech(since=underway + 6.0)
        loud = [packet for packet in phone.loud() if packet.at > underway]
        pauses = [sound_seconds(before, after) for before, after in pairwise(loud)]
        assert max(pauses) < 1.5, "the story went on"
        session = await house.session()
        await phone.hang_up()
    await house.ended_call()
    sent = [event["type"] for event in session["client_events"]]
    assert "conversation.item.truncate" not in sent
    assert "response.cancel" not in sent
