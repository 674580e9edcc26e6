"""A greeting that was rendered before the call: heard at once, however far away the provider is."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from tenants.models import Prompt, ProviderAccount, Turn
from tenants.models.choices import PromptState
from tests.e2e.people import spoken
from tests.e2e.world import House, World, eventually
from tests.support.raw_phone import RawPhone

PROVIDER_SECONDS = 2.0
"""So far away is the provider: a session takes that long to open."""
AT_ONCE_SECONDS = 0.150
MOST_SECONDS = 1.5
"""On a machine with much else to do; still clearly before there is a session."""
AT_ONCE = 2
CALLS = 8
"""At most, until so many were greeted at once: the machine may stand still at one or the other."""
GREETING = "Good morning, you have reached the clinic. What can I do for you today?"
QUESTION = spoken("what did you say")
INTERRUPTION = spoken("what are your opening hours")


async def ready(house: House) -> Prompt:
    """The greeting, once the jobs have had it spoken."""
    return await eventually(
        lambda: Prompt.all_tenants.filter(tenant=house.tenant, state=PromptState.READY).first(),
        why="a rendered greeting",
    )


async def answered(world: World, house: House, words: str) -> None:
    """The agent has said this in the newest call."""
    record = await house.call()
    await eventually(
        lambda: [entry for entry in world.entries(record) if words in entry.text],
        why=f"an answer with {words!r}",
    )


def phone_of(house: House) -> RawPhone:
    return RawPhone(("127.0.0.1", house.stack.sip_port))


async def seconds_to_the_greeting(house: House) -> float:
    """From the answer of a call to its first sound."""
    async with phone_of(house) as phone:
        answer = await phone.call(house.number.number)
        await phone.speech(packets=1)
        await phone.hang_up()
    await house.ended_call()
    return phone.loud()[0].at - answer.at


async def test_it_is_heard_with_the_answer_and_the_agent_knows_it(
    world: World, record_property: Callable[[str, object], None]
) -> None:
    house = world.house(greeting=GREETING, misbehave=f"slow_open:{PROVIDER_SECONDS}")
    await ready(house)
    await seconds_to_the_greeting(house)  # the first may have to fetch the file
    waits: list[float] = []
    while len(waits) < CALLS and sum(wait <= AT_ONCE_SECONDS for wait in waits) < AT_ONCE:
        waits.append(await seconds_to_the_greeting(house))
    record_property("first_audio_ms", [round(wait * 1000) for wait in waits])
    assert sum(wait <= AT_ONCE_SECONDS for wait in waits) == AT_ONCE, waits
    assert max(waits) <= MOST_SECONDS, waits

    async with phone_of(house) as phone:
        await phone.call(house.number.number)
        await phone.silence()
        phone.say(QUESTION)
        await answered(world, house, "I said: Good morning")
        await phone.hang_up()
    record = await house.ended_call()
    greeting, _question, reply = world.entries(record)[:3]
    assert (greeting.speaker, greeting.text, greeting.cut_text) == ("agent", GREETING, "")
    assert greeting.offset_ms < MOST_SECONDS * 1000
    assert reply.text.startswith("I said: Good morning")
    assert world.problems(record) == []
    turn = Turn.all_tenants.get(call=record, number=1)
    assert turn.first_packet_ms < PROVIDER_SECONDS * 1000
    session = await house.session()
    asked = [event["type"] for event in session["client_events"]]
    assert "response.create" not in asked, "the provider was not asked to greet"


async def test_who_interrupts_it_is_understood_and_the_rest_is_taken_back(world: World) -> None:
    house = world.house(greeting=GREETING)
    await ready(house)
    async with phone_of(house) as phone:
        await phone.call(house.number.number)
        await phone.speech(packets=70)
        phone.say(INTERRUPTION)
        record = await house.call()
        cut = await eventually(
            lambda: next((entry for entry in world.entries(record) if entry.cut_text), None),
            why="a greeting that was cut off",
        )
        await answered(world, house, "five")
        session = await house.session()
        await phone.hang_up()
    await house.ended_call()
    assert GREETING.startswith(cut.text)
    assert cut.text
    told = [
        event["item"]["content"][0]["text"]
        for event in session["client_events"]
        if event["type"] == "conversation.item.create"
    ]
    assert told == [GREETING, cut.text]


async def test_what_the_caller_says_before_there_is_a_session_is_answered(world: World) -> None:
    house = world.house(greeting="Yes?", misbehave="slow_open:3", greeting_guard_ms=0)
    await ready(house)
    async with phone_of(house) as phone:
        await phone.call(house.number.number)
        await phone.speech(packets=3)
        await asyncio.sleep(0.7)
        phone.say(INTERRUPTION)
        await answered(world, house, "five")
        await phone.hang_up()
    ended = await house.ended_call()
    assert world.problems(ended) == []


async def test_the_greeting_comes_before_the_apology(world: World) -> None:
    house = world.house(greeting=GREETING)
    prompt = await ready(house)
    ProviderAccount.all_tenants.filter(pk=house.account.pk).update(
        url=world.sandbox_url("refuse_key")
    )
    async with phone_of(house) as phone:
        await phone.call(house.number.number)
        await phone.request("BYE", seconds=60)
        heard_ms = len(phone.loud()) * 20
    record = await house.ended_call()
    assert record.end_cause == "provider_failed"
    texts = [entry.text for entry in world.entries(record)]
    assert texts[0] == GREETING
    assert len(texts) == 2
    assert heard_ms > prompt.duration_ms * 0.6


async def test_without_a_speech_api_the_provider_greets(world: World) -> None:
    house = world.house(greeting=GREETING, misbehave="no_speech_api")
    failed = await eventually(
        lambda: Prompt.all_tenants.filter(tenant=house.tenant, state=PromptState.FAILED).first(),
        why="a prompt that cannot be made",
    )
    assert "no speech API" in failed.error
    async with phone_of(house) as phone:
        await phone.call(house.number.number)
        await phone.speech()
        await phone.silence()
        record = await house.call()
        session = await house.session()
        await phone.hang_up()
    await house.ended_call()
    assert world.entries(record)[0].text == GREETING
    assert "response.create" in [event["type"] for event in session["client_events"]]
