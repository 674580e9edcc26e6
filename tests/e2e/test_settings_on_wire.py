"""A setting changed at a level is in the session.update that the provider got."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tenants.models import PlatformSettings
from tests.e2e.stack import RunningStack
from tests.e2e.world import House, World
from tests.support.raw_phone import RawPhone


@pytest.fixture
def platform(world: World) -> Iterator[PlatformSettings]:
    """The platform's defaults, put back afterwards."""
    found = PlatformSettings.objects.get()
    before = {field.attname: getattr(found, field.attname) for field in found._meta.fields}
    yield found
    for name, value in before.items():
        setattr(found, name, value)
    found.save()


async def first_update(house: House) -> dict[str, Any]:
    """The session of the first session.update of a call to this house."""
    async with RawPhone(("127.0.0.1", house.stack.sip_port)) as phone:
        answer = await phone.call(house.number.number)
        assert answer.status == 200
        await phone.speech()
        session = await house.session()
        await phone.hang_up()
    await house.ended_call()
    updates = [event for event in session["client_events"] if event["type"] == "session.update"]
    return updates[0]["session"]


async def test_threshold_voice_and_codec_of_each_level_reach_the_wire(
    world: World, platform: PlatformSettings, stack: RunningStack
) -> None:
    house = world.house()
    platform.vad_threshold, platform.voice, platform.audio_format = 0.31, "cedar", "pcma"
    platform.save()
    sent = await first_update(house)
    assert sent["audio"]["input"]["turn_detection"]["threshold"] == 0.31
    assert sent["audio"]["output"]["voice"] == "cedar"
    assert sent["audio"]["input"]["format"] == {"type": "audio/pcma"}
    assert sent["audio"]["output"]["format"] == {"type": "audio/pcma"}

    own = house.settings
    own.vad_threshold, own.voice, own.audio_format = 0.42, "sage", "pcm24k"
    own.save()
    sent = await first_update(house)
    assert sent["audio"]["input"]["turn_detection"]["threshold"] == 0.42
    assert sent["audio"]["output"]["voice"] == "sage"
    assert sent["audio"]["input"]["format"] == {"type": "audio/pcm", "rate": 24000}

    agent = house.agent
    agent.vad_threshold, agent.voice, agent.audio_format = 0.53, "verse", "pcmu"
    agent.save()
    sent = await first_update(house)
    assert sent["audio"]["output"]["voice"] == "sage", "a draft changes no call"
    house.publish("own voice")
    sent = await first_update(house)
    assert sent["audio"]["input"]["turn_detection"]["threshold"] == 0.53
    assert sent["audio"]["output"]["voice"] == "verse"
    assert sent["audio"]["input"]["format"] == {"type": "audio/pcmu"}


async def test_turn_taking_tools_and_limits_reach_the_wire(world: World) -> None:
    target = {"name": "sales", "uri": "sip:sales@127.0.0.1:9", "description": "the sales desk"}
    house = world.house(
        transfer_targets=[target],
        prefix_padding_ms=250,
        silence_duration_ms=650,
        idle_timeout_ms=7000,
        noise_reduction="near_field",
        speed=1.1,
        max_output_tokens="700",
        transcription_model="gpt-live-transcribe",
        transcription_language="en",
    )
    sent = await first_update(house)
    turn = sent["audio"]["input"]["turn_detection"]
    assert turn["type"] == "server_vad"
    assert (turn["prefix_padding_ms"], turn["silence_duration_ms"]) == (250, 650)
    assert turn["idle_timeout_ms"] == 7000
    assert sent["audio"]["input"]["noise_reduction"]["type"] == "near_field"
    transcription = sent["audio"]["input"]["transcription"]
    assert transcription == {"model": "gpt-live-transcribe", "language": "en"}
    assert sent["audio"]["output"]["speed"] == 1.1
    assert sent["max_output_tokens"] == 700
    names = [tool["name"] for tool in sent["tools"]]
    assert sorted(names) == ["hang_up", "transfer_call"]


async def test_the_beta_dialect_holds_a_conversation_with_its_own_shape(world: World) -> None:
    house = world.house(dialect="openai-beta", temperature=0.9)
    sent = await first_update(house)
    assert "type" not in sent
    assert sent["temperature"] == 0.9
    assert sent["input_audio_format"] == "g711_ulaw"
    assert sent["turn_detection"]["type"] == "server_vad"
