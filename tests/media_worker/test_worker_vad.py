"""Our own VAD in a real worker, on the wire: how soon the agent is silent, what is lost."""

from __future__ import annotations

import asyncio
import json
import random
import re

import pytest

from media_worker import speech
from media_worker.contract import LocalVad, Settings, TranscriptUpdated, TurnMeasured
from tests.media_worker.realtime.stub import Line, Stub
from tests.media_worker.test_worker import ended_call, house, of, plan_at
from tests.media_worker.test_worker_talk import WORDS, speak_bytes
from tests.support.raw_phone import FRAME_BYTES, RawPhone

AGENT_SECONDS = 30
STOPS = 3
TRIES = 12
STOPS_WITHIN = 0.060
"""Must be met by so many of the tries: the machine may stand still at one or the other."""
SOUND = speech.render("what are your opening hours", "en", 8000)
COUGH = SOUND[40 * 16 : 300 * 16]
"""Speech, but too little of it."""


def agent_sound() -> bytes:
    """Loud mu-law noise in which every frame is another: what is missing would show."""
    chance = random.Random(1)
    loud = [byte for byte in range(256) if (byte & 0x7F) < 0x30]
    return bytes(chance.choices(loud, k=AGENT_SECONDS * 8000))


class Provider:
    """Greets with `agent_sound`, answers nothing, and keeps what it is asked."""

    def __init__(self) -> None:
        self.sound = agent_sound()
        self.asked: list[dict] = []

    async def script(self, line: Line) -> None:
        await line.greet()
        await line.expect("response.create")
        await speak_bytes(line, "item_1", self.sound)
        async for frame in line.websocket:
            event = json.loads(frame)
            if event["type"] not in ("input_audio_buffer.append", "session.update"):
                self.asked.append(event)

    def asked_for(self, kind: str) -> list[dict]:
        return [event for event in self.asked if event["type"] == kind]


def onsets(output: str) -> list[float]:
    """When (time.monotonic) the worker's VAD heard the caller begin, by its debug log."""
    return [float(at) for at in re.findall(r"dialogue\.local_onset.*?\bat=([\d.]+)", output)]


@pytest.mark.parametrize("local_vad", [LocalVad.ENERGY, LocalVad.WEBRTC, LocalVad.NEURAL])
async def test_a_cough_pauses_the_agent_at_once_and_not_a_frame_is_lost(
    tmp_path, local_vad, record_property
):
    provider = Provider()
    settings = Settings(
        model="m", voice="marin", local_vad=local_vad, false_interruption_ms=500,
        greeting_guard_ms=0,
    )  # fmt: skip
    async with (
        Stub(provider.script) as stub,
        house(tmp_path, plan_at(stub.url, settings=settings), PBXAI_DEBUG="1") as (web, _, worker),
        RawPhone(("127.0.0.1", worker.sip_port)) as phone,
    ):
        await phone.call("100")
        await phone.speech(packets=50)
        waits = []
        while len(waits) < TRIES and sum(wait <= STOPS_WITHIN for wait in waits) < STOPS:
            number = len(waits)
            phone.say(COUGH)
            await worker.said("dialogue.local_onset", times=number + 1)
            last = await phone.silence(seconds_of_it=0.3)
            waits.append(last - onsets(worker.output)[number])
            await phone.speech(since=last, packets=40)
        record_property("stopped_after_ms", [round(wait * 1000) for wait in waits])
        assert sum(wait <= STOPS_WITHIN for wait in waits) == STOPS, waits
        assert max(waits) < 1.0
        assert provider.asked == []

        phone.say(SOUND)  # this goes on, and so it is no cough
        await worker.said("dialogue.local_onset", times=len(waits) + 1)
        last = await phone.silence(seconds_of_it=1.5)
        assert last - onsets(worker.output)[-1] < 2.0
        heard = b"".join(packet.payload for packet in phone.loud())
        assert len(heard) % FRAME_BYTES == 0
        assert heard == provider.sound[: len(heard)]
        (truncated,) = provider.asked_for("conversation.item.truncate")
        assert truncated["audio_end_ms"] == len(heard) // 8
        await phone.hang_up()
        _, events = await ended_call(web.link)
    entry = [event for event in events if isinstance(event, TranscriptUpdated)][-1]
    assert f"{entry.text} {entry.cut_text}" == WORDS
    (turn,) = [event for event in events if isinstance(event, TurnMeasured)]
    assert turn.interrupted
    assert turn.playout_ended_ms - turn.first_packet_ms > len(heard) // 8 + len(waits) * 400


async def test_what_the_provider_confirms_is_cut_where_the_pause_began(tmp_path):
    provider = Provider()
    confirm = asyncio.Event()

    async def script(line: Line) -> None:
        async def tell() -> None:
            await confirm.wait()
            await line.send("input_audio_buffer.speech_started", item_id="u", audio_start_ms=1000)

        telling = asyncio.create_task(tell())
        await provider.script(line)
        await telling

    settings = Settings(
        model="m", voice="marin", local_vad=LocalVad.ENERGY, false_interruption_ms=5000,
        greeting_guard_ms=0,
    )  # fmt: skip
    async with (
        Stub(script) as stub,
        house(tmp_path, plan_at(stub.url, settings=settings)) as (web, _, worker),
        RawPhone(("127.0.0.1", worker.sip_port)) as phone,
    ):
        await phone.call("100")
        await phone.speech(packets=50)
        phone.say(COUGH)
        await phone.silence(seconds_of_it=0.5)
        assert provider.asked == []
        confirm.set()
        await web.link.until(lambda: bool(of(web.link, TurnMeasured)))
        (truncated,) = provider.asked_for("conversation.item.truncate")
        assert truncated["audio_end_ms"] == len(phone.loud()) * 20
        await phone.hang_up()
        await ended_call(web.link)
