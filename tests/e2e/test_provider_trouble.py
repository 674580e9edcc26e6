"""Providers that misbehave while a call runs: never dead air, always a reason in the record."""

from __future__ import annotations

import pytest

from tenants.models import CallEvent, ProviderAccount
from tests.e2e.people import spoken
from tests.e2e.world import House, World, eventually
from tests.support.raw_phone import RawPhone, sound_seconds

NOBODY = "ws://127.0.0.1:9/v1/realtime"
"""The discard port: nothing answers there."""
QUESTION = spoken("what are your opening hours")


def server_of(house: House) -> tuple[str, int]:
    return ("127.0.0.1", house.stack.sip_port)


@pytest.mark.parametrize(
    ("misbehave", "kind"),
    [("text_only", "text_only"), ("silence", "silent"), ("garbage", "protocol")],
)
async def test_a_provider_without_speech_is_an_apology_and_a_goodbye(
    world: World, misbehave: str, kind: str
) -> None:
    house = world.house(misbehave=misbehave)
    async with RawPhone(server_of(house)) as phone:
        assert (await phone.call(house.number.number)).status == 200
        await phone.speech(packets=25, seconds=60)
        await phone.request("BYE")
    record = await house.ended_call()
    assert record.end_cause == "provider_failed"
    assert kind in [problem.kind for problem in world.problems(record)]


@pytest.mark.parametrize(
    ("misbehave", "kind"), [("drop_after:6", "dropped"), ("session_expired:6", "session_expired")]
)
async def test_a_session_that_dies_is_replaced_or_apologised_for(
    world: World, misbehave: str, kind: str
) -> None:
    house = world.house(misbehave=misbehave)
    async with RawPhone(server_of(house)) as phone:
        assert (await phone.call(house.number.number)).status == 200
        await phone.speech()
        record = await house.call()
        await eventually(
            lambda: kind in [problem.kind for problem in world.problems(record)],
            why=f"a problem {kind}",
        )
        phone.say(QUESTION)
        await phone.speech(since=phone.packets[-1].at, packets=20, seconds=60)
        if not any(request.startswith("BYE") for request in phone.requests):
            await phone.hang_up()
    ended = await house.ended_call()
    assert ended.end_cause in ("caller_hung_up", "provider_failed")
    account = ProviderAccount.all_tenants.get(pk=house.account.pk)
    assert account.last_problem_kind == kind


async def test_a_second_account_takes_over_and_the_log_says_so(world: World) -> None:
    house = world.house(url=NOBODY)
    second = ProviderAccount(tenant=house.tenant, name="Second", url=world.sandbox_url())
    second.set_secret("sandbox-test")
    second.save()
    house.agent.fallback_account = second
    house.agent.save()
    house.publish("with a second account")
    async with RawPhone(server_of(house)) as phone:
        assert (await phone.call(house.number.number)).status == 200
        await phone.speech(seconds=60)
        await phone.hang_up()
    record = await house.ended_call()
    assert (record.end_cause, record.account) == ("caller_hung_up", second)
    assert {problem.kind for problem in world.problems(record)} == {"unreachable"}
    notes = CallEvent.all_tenants.filter(call=record, kind="fallback_used")
    assert [note.text for note in notes] == ["Second"]


async def test_pcm_that_was_declared_as_g711_is_played_as_pcm(world: World) -> None:
    house = world.house(misbehave="wrong_audio")
    async with RawPhone(server_of(house)) as phone:
        await phone.call(house.number.number)
        await phone.silence()
        seconds = sound_seconds(phone.loud()[0], phone.loud()[-1])
        await phone.hang_up()
    record = await house.ended_call()
    assert "wrong_audio" in [problem.kind for problem in world.problems(record)]
    assert seconds < 8, "played as G.711 it would have been six times as long"


async def test_unknown_events_and_a_slow_provider_are_no_trouble(world: World) -> None:
    house = world.house(misbehave="unknown_events,slow:2")
    async with RawPhone(server_of(house)) as phone:
        await phone.call(house.number.number)
        await phone.speech(seconds=60)
        await phone.silence()
        await phone.hang_up()
    record = await house.ended_call()
    assert record.end_cause == "caller_hung_up"
    assert world.problems(record) == []
