"""A real worker, a real phone, and a provider that follows a script: what is on the wire, when."""

from __future__ import annotations

import asyncio
import base64
import json
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from time import monotonic

from media_worker.audio import g711
from media_worker.audio.vad import level_db
from media_worker.contract import (
    AccountChecked,
    AccountCheckPlan,
    CallEnded,
    CheckAccount,
    EndCause,
    ProviderAccess,
    Settings,
    ToolSet,
    ToolState,
    ToolUpdated,
    TranscriptUpdated,
    TransferTarget,
    TurnMeasured,
    encode,
)
from media_worker.sip.phone_process import PhoneProcess
from tests.media_worker.realtime.signals import tone
from tests.media_worker.realtime.stub import Line, Stub
from tests.media_worker.test_worker import ended_call, house, of, plan_at
from tests.support.tries import best_of

LOUD_DB = -45.0
NOW_MS = 600_000
"""A place on the session's audio clock that it has not reached: the caller began right now."""
WORDS = "This is a very long sentence that nobody ever hears to its end because it is cut off."


async def speak(line: Line, item_id: str, milliseconds: int, *, finish: bool = True) -> None:
    """A whole response of so much sound, as fast as the wire takes it."""
    sound = g711.encode_mu_law(tone(milliseconds, 8000))
    await speak_bytes(line, item_id, sound, finish=finish)


async def speak_bytes(line: Line, item_id: str, sound: bytes, *, finish: bool = True) -> None:
    """A whole response of this sound, in mu-law."""
    item = {"id": item_id, "type": "message", "role": "assistant", "content": []}
    place = {"response_id": "resp_1", "output_index": 0}
    spot = {**place, "item_id": item_id, "content_index": 0}
    await line.send("response.created", response={"id": "resp_1", "status": "in_progress"})
    await line.send("response.output_item.added", item=item, **place)
    await line.send("conversation.item.added", item=item, previous_item_id=None)
    await line.send("response.output_audio_transcript.delta", delta=WORDS, **spot)
    for start in range(0, len(sound), 1600):
        delta = base64.b64encode(sound[start : start + 1600]).decode()
        await line.send("response.output_audio.delta", delta=delta, **spot)
    if finish:
        await line.send("response.output_audio.done", **spot)
        await line.send("response.output_audio_transcript.done", transcript=WORDS, **spot)
        response = {"id": "resp_1", "status": "completed", "output": []}
        await line.send("response.done", response=response)


async def call_transfer(line: Line, target: str) -> None:
    """The agent asks for a transfer in a response without words."""
    item = {
        "id": "item_f", "type": "function_call", "call_id": "call_1", "name": "transfer_call",
        "arguments": json.dumps({"target": target}), "status": "completed",
    }  # fmt: skip
    await line.send("response.created", response={"id": "resp_2", "status": "in_progress"})
    await line.send("response.output_item.done", response_id="resp_2", output_index=0, item=item)
    done = {"id": "resp_2", "status": "completed", "output": [item]}
    await line.send("response.done", response=done)


async def listen(line: Line) -> None:
    """Take what comes until the worker closes the session."""
    async for _ in line.websocket:
        pass


@dataclass
class Stop:
    """Milliseconds: from the provider's word to the last loud frame in the phone; more heard there
    than the provider was told; from the first audio of the answer to its first packet."""

    after_ms: float
    surplus_ms: float
    first_packet_ms: float

    @property
    def is_good(self) -> bool:
        return self.after_ms < 100 and abs(self.surplus_ms) <= 60 and self.first_packet_ms < 100


async def interrupted_call(data: Path) -> Stop:
    interrupt, interrupted = asyncio.Event(), asyncio.Event()
    facts: dict[str, float] = {}

    async def script(line: Line) -> None:
        await line.greet()
        await line.expect("response.create")
        await speak(line, "item_1", 20_000)
        await line.expect("session.update")  # the guard is lifted
        await interrupt.wait()
        facts["told"] = monotonic()
        await line.send(
            "input_audio_buffer.speech_started", item_id="item_u", audio_start_ms=NOW_MS
        )
        truncate = await line.expect("conversation.item.truncate")
        facts["heard_ms"] = truncate["audio_end_ms"]
        interrupted.set()
        await listen(line)

    async with (
        Stub(script) as provider,
        house(data, plan_at(provider.url)) as (web, phone, worker),
    ):
        call = await phone.call(worker.uri("100"))
        await call.answered()
        first_heard = await call.wait_for_speech()
        await web.link.until(lambda: bool(of(web.link, TranscriptUpdated)))
        await call.wait_for_speech(since=first_heard + 2.0)
        interrupt.set()
        await asyncio.wait_for(interrupted.wait(), 30)
        last_heard = await call.wait_for_silence(silence_ms=600)
        frames = [at for at, frame in (await call.heard()).frames() if level_db(frame) > LOUD_DB]
        await call.hang_up()
        _, events = await ended_call(web.link)
        entry = [event for event in events if isinstance(event, TranscriptUpdated)][-1]
        assert entry.text
        assert f"{entry.text} {entry.cut_text}" == WORDS
        (turn,) = [event for event in events if isinstance(event, TurnMeasured)]
        assert turn.interrupted
        return Stop(
            after_ms=(last_heard - facts["told"]) * 1000,
            surplus_ms=len(frames) * 20 - facts["heard_ms"],
            first_packet_ms=turn.first_packet_ms - turn.first_audio_ms,
        )


async def test_playback_stops_within_100_ms_at_the_rtp_level(tmp_path):
    folders = (tmp_path / str(number) for number in count())
    stop = await best_of(lambda: interrupted_call(next(folders)), lambda stop: stop.is_good)
    assert stop.is_good, stop


async def test_session_that_drops_in_the_call_is_replaced_and_the_call_goes_on(tmp_path):
    sessions: list[dict] = []

    async def script(line: Line) -> None:
        sessions.append(await line.greet())
        if len(sessions) == 1:
            await line.expect("response.create")
            await speak(line, "item_1", 1500)
            await line.expect("session.update")
            await line.websocket.close(1001, "going away")
        else:
            await listen(line)

    async with (
        Stub(script) as provider,
        house(tmp_path, plan_at(provider.url)) as (web, phone, worker),
    ):
        call = await phone.call(worker.uri("100"))
        await call.answered()
        await call.wait_for_silence(silence_ms=1500)
        assert len(sessions) == 2
        assert f"Agent: {WORDS[:20]}" in sessions[1]["session"]["instructions"]
        await call.hang_up()
        _, events = await ended_call(web.link)
        assert isinstance(events[-1], CallEnded)
        assert events[-1].cause is EndCause.CALLER_HUNG_UP


def with_sales_at(provider_url: str, phone: PhoneProcess):
    """A plan whose agent may connect callers to this phone."""
    target = TransferTarget(name="Sales", uri=f"sip:sales@127.0.0.1:{phone.ports['udp']}")
    return plan_at(provider_url, tools=ToolSet(transfer_targets=(target,)))


async def test_caller_is_transferred_by_refer_and_the_outcome_recorded(tmp_path):
    async def script(line: Line) -> None:
        await line.greet()
        await line.expect("response.create")
        await speak(line, "item_1", 1000)
        await call_transfer(line, "Sales")
        await listen(line)

    async with (
        Stub(script) as provider,
        PhoneProcess(answers=200) as sales,
        house(tmp_path, with_sales_at(provider.url, sales)) as (web, phone, worker),
    ):
        call = await phone.call(worker.uri("100"))
        await call.answered()
        asked = await phone.event("transfer_requested", call=call.number, seconds=60)
        assert asked["target"].startswith(f"sip:sales@127.0.0.1:{sales.ports['udp']}")
        await sales.incoming()
        assert (await call.ended(seconds=60))[0] == 200
        assert (await call.heard()).speech_ms >= 900  # the announcement first
        _, events = await ended_call(web.link)
        assert (events[-1].cause, events[-1].detail) == (
            EndCause.TRANSFERRED,
            "Connected to Sales.",
        )
        states = [event.state for event in events if isinstance(event, ToolUpdated)]
        assert states == [ToolState.RUNNING, ToolState.SUCCEEDED]


async def test_transfer_to_somebody_busy_is_told_to_the_agent_and_the_call_goes_on(tmp_path):
    told: asyncio.Future[str] = asyncio.get_running_loop().create_future()

    async def script(line: Line) -> None:
        await line.greet()
        await line.expect("response.create")
        await speak(line, "item_1", 1000)
        await call_transfer(line, "Sales")
        await line.expect("session.update")
        result = await line.expect("conversation.item.create")
        told.set_result(result["item"]["output"])
        await line.expect("response.create")
        await speak(line, "item_2", 1000)
        await listen(line)

    async with (
        Stub(script) as provider,
        PhoneProcess(answers=486) as sales,
        house(tmp_path, with_sales_at(provider.url, sales)) as (web, phone, worker),
    ):
        call = await phone.call(worker.uri("100"))
        await call.answered()
        output = json.loads(await asyncio.wait_for(told, 60))
        assert output == {"ok": False, "message": "Sales is busy."}
        await call.wait_for_speech()
        await call.wait_for_silence(silence_ms=1200)
        await call.hang_up()
        _, events = await ended_call(web.link)
        assert events[-1].cause is EndCause.CALLER_HUNG_UP
        (failed,) = [e for e in events if isinstance(e, ToolUpdated) and e.state == "failed"]
        assert failed.result == "Sales is busy."


async def test_account_is_checked_when_the_web_side_asks(tmp_path):
    async def script(line: Line) -> None:
        await line.greet()
        await listen(line)

    async with Stub(script) as provider:
        check = AccountCheckPlan(
            check_id="check-1",
            provider=ProviderAccess(account_id="a", name="n", url=provider.url, api_key="k-1234"),
            settings=Settings(model="m", voice="marin"),
        )
        answers = ((200, encode(check)), (404, b"{}"))
        async with house(tmp_path, *answers) as (web, _, worker):
            await web.link.until(lambda: bool(web.link.heartbeats))
            await web.link.send(CheckAccount(command_id="c-1", check_id="check-1"))
            await web.link.until(lambda: bool(of(web.link, AccountChecked)))
            await web.link.send(CheckAccount(command_id="c-2", check_id="check-2"))
            await web.link.until(lambda: len(web.link.done) == 2)
            (record,) = of(web.link, AccountChecked)
            assert (record.event.check_id, record.event.ok) == ("check-1", True)
            assert [(done.ok, done.detail) for done in web.link.done] == [
                (True, ""),
                (False, "This check is over."),
            ]
            assert "k-1234" not in worker.output
