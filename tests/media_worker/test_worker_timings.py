"""The moments of a turn that the worker reports, against the clocks of caller and provider.

All three run on this machine's CLOCK_MONOTONIC. The caller is a raw phone, so that its moments are
those of RTP packets; the provider hears the end of speech in the audio that it gets.
"""

from __future__ import annotations

import base64
import json
from contextlib import asynccontextmanager
from statistics import median
from time import monotonic

from media_worker.audio import g711
from media_worker.contract import LocalVad, Settings, TurnMeasured, VadMode
from tests.media_worker.control.web_stub import WebStub
from tests.media_worker.realtime.signals import tone
from tests.media_worker.realtime.stub import Line, Stub
from tests.media_worker.test_worker import ended_call, plan_at
from tests.media_worker.worker_process import WorkerProcess
from tests.support.punctual import punctual
from tests.support.raw_phone import FRAME_BYTES, RawPhone, is_loud

RATE = 8000
FRAME_MS = 20
SILENCE_MS = 300
PADDING_MS = 100
TURNS = 5
CALLS = 3
BOUND = 0.06
"""Seconds by which the median of a moment may be off; a busy machine moves single ones further."""


class Provider:
    """Hears speech by its level, like a server VAD, and answers each turn with a tone."""

    def __init__(self) -> None:
        self.stops: list[float] = []
        """When it said that the caller had stopped."""
        self.answers: list[float] = []
        """When it sent the first audio of each response."""
        self._heard_ms = 0
        self._last_loud_ms: int | None = None
        self._responses = 0

    async def __call__(self, line: Line) -> None:
        """The script of `Stub`."""
        update = await line.greet()
        hears = update["session"]["audio"]["input"]["turn_detection"] is not None
        async for message in line.websocket:
            event = json.loads(message)
            match event["type"]:
                case "input_audio_buffer.append" if hears:
                    await self._hear(line, base64.b64decode(event["audio"]))
                case "input_audio_buffer.commit":
                    self.stops.append(monotonic())
                    await line.send(
                        "input_audio_buffer.committed", item_id="u", previous_item_id=None
                    )
                case "response.create":
                    await self._speak(line)

    async def _hear(self, line: Line, sound: bytes) -> None:
        for at in range(0, len(sound), FRAME_BYTES):
            self._heard_ms += FRAME_MS
            if is_loud(sound[at : at + FRAME_BYTES]):
                if self._last_loud_ms is None:
                    start = max(0, self._heard_ms - FRAME_MS - PADDING_MS)
                    await line.send(
                        "input_audio_buffer.speech_started", item_id="u", audio_start_ms=start
                    )
                self._last_loud_ms = self._heard_ms
            elif self._last_loud_ms is not None and self._is_over():
                self._last_loud_ms = None
                await self._stop(line)

    def _is_over(self) -> bool:
        return self._heard_ms - (self._last_loud_ms or 0) >= SILENCE_MS

    async def _stop(self, line: Line) -> None:
        item_id = f"user_{self._responses}"
        self.stops.append(monotonic())
        await line.send(
            "input_audio_buffer.speech_stopped", item_id=item_id, audio_end_ms=self._heard_ms
        )
        await line.send("input_audio_buffer.committed", item_id=item_id, previous_item_id=None)
        await self._speak(line)

    async def _speak(self, line: Line) -> None:
        self._responses += 1
        response_id, item_id = f"resp_{self._responses}", f"item_{self._responses}"
        item = {"id": item_id, "type": "message", "role": "assistant", "content": []}
        place = {"response_id": response_id, "output_index": 0}
        spot = {**place, "item_id": item_id, "content_index": 0}
        await line.send("response.created", response={"id": response_id, "status": "in_progress"})
        await line.send("response.output_item.added", item=item, **place)
        await line.send("conversation.item.added", item=item, previous_item_id=None)
        await line.send("response.output_audio_transcript.delta", delta="Yes.", **spot)
        self.answers.append(monotonic())
        delta = base64.b64encode(g711.encode_mu_law(tone(400, RATE))).decode()
        await line.send("response.output_audio.delta", delta=delta, **spot)
        await line.send("response.output_audio.done", **spot)
        await line.send("response.output_audio_transcript.done", transcript="Yes.", **spot)
        await line.send("response.done", response={"id": response_id, "status": "completed"})


@asynccontextmanager
async def talking(tmp_path, provider: Provider, **settings):
    """A phone in an answered call with this provider, and when the answer came."""
    asked = Settings(
        model="m", voice="v", silence_duration_ms=SILENCE_MS, prefix_padding_ms=PADDING_MS,
        **settings,
    )  # fmt: skip
    with punctual():
        async with (
            Stub(provider) as stub,
            WebStub(plan_at(stub.url, settings=asked)) as web,
            WorkerProcess(tmp_path, web.url) as worker,
        ):
            await worker.said("worker.started")
            async with RawPhone(("127.0.0.1", worker.sip_port)) as phone:
                await phone.call("100")
                yield web, phone, monotonic()


async def turns_of(web: WebStub) -> list[TurnMeasured]:
    _, events = await ended_call(web.link)
    return [event for event in events if isinstance(event, TurnMeasured)]


async def converse(phone: RawPhone) -> tuple[list[float], list[float]]:
    """Hear the greeting, then speak and hear an answer some times.

    When each of our speeches ended, and when the greeting and each answer began.
    """
    stopped, heard = [], [await phone.speech(packets=1)]
    await phone.silence()
    for number in range(TURNS):
        frames = 25 + number  # so that it ends at another place in the chunks
        said = len(phone.said_at) + frames
        phone.say(tone(frames * FRAME_MS, RATE))
        heard.append(await phone.speech(since=heard[-1] + 0.5, packets=1))
        stopped.append(phone.said_at[said - 1])
        await phone.silence()
    await phone.hang_up()
    return stopped, heard


def off(begins: str, ends: str, turns: list[TurnMeasured], true: list[tuple[float, float]]):
    """By how many seconds the time between two moments is reported wrongly, in the median."""
    return median(
        abs((getattr(turn, ends) - getattr(turn, begins)) / 1000 - (end - begin))
        for turn, (begin, end) in zip(turns, true, strict=True)
    )


async def wrong_by(tmp_path, **settings) -> dict[tuple[str, str], float]:
    """By how many seconds the parts of the waits of a call are reported wrongly."""
    provider = Provider()
    async with talking(tmp_path, provider, **settings) as (web, phone, _):
        stopped, heard = await converse(phone)
        _, *turns = await turns_of(web)
    assert [turn.number for turn in turns] == list(range(2, TURNS + 2))
    pairs = {
        ("caller_stopped_ms", "first_packet_ms"): (stopped, heard[1:]),
        ("caller_stopped_ms", "end_known_ms"): (stopped, provider.stops),
        ("end_known_ms", "first_audio_ms"): (provider.stops, provider.answers[1:]),
        ("first_audio_ms", "first_packet_ms"): (provider.answers[1:], heard[1:]),
    }
    return {
        names: off(*names, turns, list(zip(*moments, strict=True)))
        for names, moments in pairs.items()
    }


async def check(tmp_path, **settings) -> None:
    """What is wrong in the product is wrong in each call; the machine may disturb one."""
    wrong = {}
    for number in range(CALLS):
        wrong = await wrong_by(tmp_path / str(number), **settings)
        if max(wrong.values()) < BOUND:
            break
    assert max(wrong.values()) < BOUND, wrong


async def test_moments_of_a_turn_are_those_of_the_wire(tmp_path):
    await check(tmp_path)


async def test_large_chunks_move_no_moment(tmp_path):
    await check(tmp_path, chunk_ms=100)


async def test_moments_of_a_turn_that_our_own_vad_ends(tmp_path):
    await check(tmp_path, vad_mode=VadMode.LOCAL, local_vad=LocalVad.ENERGY)


async def test_moments_while_only_speech_goes_to_the_provider(tmp_path):
    await check(tmp_path, local_vad=LocalVad.ENERGY, vad_gates_audio=True)


async def test_greeting_counts_from_the_answer(tmp_path):
    provider = Provider()
    async with talking(tmp_path, provider) as (web, phone, answered):
        heard = await phone.speech(packets=1)
        await phone.silence()
        await phone.hang_up()
        (greeting,) = await turns_of(web)
    assert (greeting.caller_stopped_ms, greeting.end_known_ms) == (None, None)
    for told, true in (
        (greeting.first_audio_ms, provider.answers[0]),
        (greeting.first_packet_ms, heard),
    ):
        assert abs(answered + told / 1000 - true) < 0.3
    out = (greeting.first_packet_ms - greeting.first_audio_ms) / 1000
    assert abs(out - (heard - provider.answers[0])) < 3 * BOUND
