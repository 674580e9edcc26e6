"""Whole calls with nothing scripted: real worker, real phones, a sandbox that hears and speaks."""

from __future__ import annotations

import asyncio

import pytest

from media_worker import speech
from media_worker.contract import (
    AdmissionRequest,
    CallEnded,
    EndCause,
    ProblemKind,
    ProviderProblem,
    SessionOpened,
    Settings,
    Speaker,
    ToolSet,
    ToolState,
    ToolUpdated,
    TranscriptUpdated,
    TransferTarget,
    TurnMeasured,
    UsageReported,
)
from media_worker.sandbox.server import SandboxServer
from media_worker.sip.phone_process import PhoneProcess
from tests.media_worker.control.web_stub import Answer, WebStub
from tests.media_worker.test_worker import ended_call, house, plan_at

PHONE_RATE = 8000


@pytest.fixture
async def sandbox():
    async with SandboxServer() as server:
        await server.warm_up()
        yield server


def entries(events: list[object]) -> list[TranscriptUpdated]:
    latest = {event.item_id: event for event in events if isinstance(event, TranscriptUpdated)}
    return sorted(latest.values(), key=lambda entry: entry.position)


async def test_caller_asks_for_sales_and_is_connected(tmp_path, sandbox):
    async with PhoneProcess(answers=200) as sales:
        target = TransferTarget(
            name="Sales", uri=f"sip:sales@127.0.0.1:{sales.ports['udp']}",
            description="the sales department",
        )  # fmt: skip
        plan = plan_at(
            sandbox.url,
            tools=ToolSet(transfer_targets=(target,)),
            settings=Settings(model="m", voice="marin", transcription_model="gpt-transcribe"),
        )
        async with house(tmp_path, plan) as (web, phone, worker):
            call = await phone.call(worker.uri("100"))
            await call.answered()
            await call.wait_for_speech()
            await call.wait_for_silence()
            said = speech.render("please connect me to the sales department", "en", PHONE_RATE)
            await call.play(said)
            await sales.incoming(seconds=60)
            assert (await call.ended(seconds=60))[0] == 200
            _, events = await ended_call(web.link)
    assert events[-1].cause is EndCause.TRANSFERRED
    greeting, caller, announcement = entries(events)[:3]
    assert (greeting.speaker, greeting.text) == (
        Speaker.AGENT,
        "Good morning, how can I help you?",
    )
    assert caller.speaker is Speaker.CALLER
    assert "sales" in caller.text.lower()
    assert announcement.speaker is Speaker.AGENT
    assert announcement.final
    assert [event.state for event in events if isinstance(event, ToolUpdated)] == [
        ToolState.RUNNING,
        ToolState.SUCCEEDED,
    ]
    assert any(isinstance(event, SessionOpened) for event in events)
    assert any(isinstance(event, UsageReported) for event in events)
    turns = [event for event in events if isinstance(event, TurnMeasured)]
    assert turns[1].caller_stopped_ms < turns[1].end_known_ms <= turns[1].first_audio_ms
    assert turns[1].first_audio_ms <= turns[1].first_packet_ms < turns[1].playout_ended_ms


def misbehaving(sandbox: SandboxServer):
    """Whoever calls `silence` or `slow.2` gets a provider that does that (`.` stands for `:`)."""

    def answer(request: AdmissionRequest) -> Answer:
        url = f"{sandbox.url}?misbehave={request.called.replace('.', ':')}"
        return plan_at(url)(request)

    return answer


async def record_of(web: WebStub, called: str) -> list[object]:
    """What was recorded of the call to this number, when it has ended."""
    (call_id,) = [body.call_key for body in web.http.bodies if body.called == called]

    def events() -> list[object]:
        return [record.event for record in web.link.records if record.call_id == call_id]

    await web.link.until(lambda: any(isinstance(event, CallEnded) for event in events()))
    return events()


async def test_caller_hears_the_apology_whatever_the_provider_does(tmp_path, sandbox):
    kinds = {
        "refuse_key": ProblemKind.KEY_REFUSED,
        "quota": ProblemKind.QUOTA,
        "reject_update": ProblemKind.SETTINGS_REFUSED,
        "rate_limit": ProblemKind.RATE_LIMIT,
        "text_only": ProblemKind.TEXT_ONLY,
        "silence": ProblemKind.SILENT,
        "garbage": ProblemKind.PROTOCOL,
    }
    async with house(tmp_path, misbehaving(sandbox)) as (web, phone, worker):
        room = asyncio.Semaphore(3)

        async def apologised(called: str, kind: ProblemKind) -> None:
            async with room:
                call = await phone.call(worker.uri(called))
                await call.answered()
                assert (await call.ended(seconds=60))[0] == 200, called
                assert (await call.heard()).speech_ms > 1500, called
            events = await record_of(web, called)
            assert events[-1].cause is EndCause.PROVIDER_FAILED, called
            problems = [event for event in events if isinstance(event, ProviderProblem)]
            assert (problems[-1].kind, problems[-1].fatal) == (kind, True)
            assert entries(events)[-1].item_id == "apology"

        await asyncio.gather(*(apologised(called, kind) for called, kind in kinds.items()))


async def test_call_goes_on_whatever_else_the_provider_sends(tmp_path, sandbox):
    async with house(tmp_path, misbehaving(sandbox)) as (web, phone, worker):

        async def greeted(called: str) -> None:
            call = await phone.call(worker.uri(called))
            await call.answered()
            await call.wait_for_speech(seconds=60)
            await call.wait_for_silence(silence_ms=1000)
            await call.hang_up()
            events = await record_of(web, called)
            assert events[-1].cause is EndCause.CALLER_HUNG_UP, called
            (greeting,) = entries(events)
            assert greeting.text == "Good morning, how can I help you?"

        await asyncio.gather(*map(greeted, ["unknown_events", "wrong_audio", "slow.2"]))
