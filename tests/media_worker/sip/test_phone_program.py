"""`python -m media_worker.phone`, as a person would run it."""

import asyncio
import json
import sys
import wave

import pytest

from media_worker.audio.activity import VoiceActivity
from media_worker.audio.vad import VadEnd, VadEvent
from media_worker.contract import LocalVad
from media_worker.conversation.leg import LegEnded
from tests.media_worker.audio.signals import loudest_hz, tone


class Program:
    """The program and the lines it prints."""

    def __init__(self, *arguments: str) -> None:
        self.arguments = arguments
        self.lines: list[dict] = []

    async def __aenter__(self) -> "Program":
        self.process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "media_worker.phone", *self.arguments,
            stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
        )  # fmt: skip
        return self

    async def __aexit__(self, *_) -> None:
        if self.process.returncode is None:
            self.process.kill()
            await self.process.wait()

    async def finish(self) -> int:
        out, err = await asyncio.wait_for(self.process.communicate(), 60)
        assert err == b""
        self.lines = [json.loads(line) for line in out.splitlines()]
        return self.process.returncode

    def events(self) -> list[str]:
        return [line["event"] for line in self.lines]


async def heard_a_sentence(taken) -> None:
    """The caller spoke and stopped, as the endpoint hears it."""
    activity, events = VoiceActivity(8000), list[VadEvent]()
    activity.open(taken.leg.capture, LocalVad.ENERGY, silence_ms=600, hears=events.append)
    async with asyncio.timeout(90):  # its sentences are being rendered
        while not any(isinstance(event, VadEnd) for event in events):
            await asyncio.sleep(0.02)
            activity.listen()


async def test_it_waits_speaks_and_hangs_up_after_the_last_reply(desk, tmp_path):
    heard = tmp_path / "heard.wav"
    sentences = "what are your opening hours | thank you"
    async with Program(
        "--to", desk.uri("100"), "--say", sentences, "--wav-out", str(heard)
    ) as program:
        taken = await desk.next_call()
        await taken.answer()
        taken.play(tone(500, 600), "greeting")
        for reply in ("first", "second"):
            await heard_a_sentence(taken)
            taken.play(tone(500, 600), reply)
        assert (await taken.ended()).by_caller
        assert await program.finish() == 0
    assert program.events() == [
        "calling", "answered", "heard", "said", "heard", "said", "heard", "ended",
    ]  # fmt: skip
    said = [line["text"] for line in program.lines if line["event"] == "said"]
    assert said == ["what are your opening hours", "thank you"]
    assert program.lines[0]["sip_call_id"] == taken.incoming.sip_call_id
    for line in program.lines:
        if line["event"] == "heard":
            assert line["ms"] == pytest.approx(600, abs=80)
    with wave.open(str(heard)) as file:
        assert loudest_hz(file.readframes(file.getnframes())) == pytest.approx(500, abs=5)


async def test_a_refused_call_fails(desk):
    async with Program("--to", desk.uri("999")) as program:
        taken = await desk.next_call()
        await taken.incoming.refuse(404)
        assert await program.finish() == 1
    assert program.events() == ["calling", "ended"]
    assert program.lines[-1]["status"] == 404


async def test_a_silent_agent_is_a_failure(desk):
    async with Program("--to", desk.uri(), "--say", "hello", "--reply-seconds", "1") as program:
        taken = await desk.next_call()
        await taken.answer()
        assert await program.finish() == 1
        assert isinstance(await taken.ended(), LegEnded)
    assert program.events() == ["calling", "answered", "failed", "ended"]
    assert "no speech was heard" in program.lines[2]["error"]


async def test_it_follows_a_transfer(desk, open_phone):
    sales = await open_phone(user="sales")
    async with Program("--to", desk.uri(), "--say", "connect me to sales please") as program:
        taken = await desk.next_call()
        await taken.answer()
        taken.play(tone(500, 600), "greeting")
        await heard_a_sentence(taken)
        taken.play(tone(500, 600), "reply")
        target = f"sip:sales@127.0.0.1:{sales.ports['udp']}"
        outcome = await taken.leg.transfer(target, timeout_seconds=10)
        assert outcome.succeeded
        await taken.leg.hang_up()
        assert await program.finish() == 0
    events = program.events()
    assert events.index("transferring") < events.index("transferred") < events.index("ended")


async def test_a_wrong_address_is_said_in_words():
    async with Program("--to", "nonsense") as program:
        assert await program.finish() == 1
    assert program.lines[-1]["event"] == "failed"
    assert "nonsense" in program.lines[-1]["error"]


async def test_an_unknown_language_is_said_in_words(desk):
    async with Program("--to", desk.uri(), "--say", "hello", "--language", "xx") as program:
        assert await program.finish() == 1
    assert program.events() == ["failed"]
