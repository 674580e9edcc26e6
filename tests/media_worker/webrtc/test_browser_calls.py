"""Whole calls from a browser: real worker, real aiortc peer, a sandbox that hears and speaks."""

from __future__ import annotations

import uuid
from contextlib import asynccontextmanager
from pathlib import Path

from media_worker import speech
from media_worker.contract import (
    AdmissionRequest,
    CallAnswered,
    CallEnded,
    CallKind,
    CallMeasured,
    CallNoted,
    EndCause,
    HangUpCall,
    PressKey,
    Settings,
    Speaker,
    StartBrowserCall,
    ToolSet,
    TranscriptUpdated,
    TransferTarget,
)
from media_worker.sandbox.server import SandboxServer
from tests.media_worker.control.web_stub import WebStub
from tests.media_worker.test_worker import NOBODY, of, plan_at
from tests.media_worker.webrtc.browser import Browser
from tests.media_worker.worker_process import WorkerProcess
from tests.support.wait import until


@asynccontextmanager
async def office(data: Path, url: str, *, calls: int = 2):
    """A worker that browsers may call, and the web side that sends it their offers."""
    plan = plan_at(
        url,
        kind=CallKind.BROWSER,
        tools=ToolSet(transfer_targets=(TransferTarget(name="Sales", uri="sip:s@192.0.2.1"),)),
        settings=Settings(model="m", voice="marin", transcription_model="gpt-transcribe"),
    )

    def plan_of(call_id: str):
        return plan(
            AdmissionRequest(call_key=call_id, called="", calling="", sip_call_id="")
        ) if call_id != "gone" else (404, b"{}")  # fmt: skip

    async with (
        WebStub(None) as web,
        WorkerProcess(
            data, web.url, PBXAI_BROWSER_CALLS=str(calls), PBXAI_WEBRTC_ADDRESS="127.0.0.1"
        ) as worker,
    ):
        web.http.on_plan = plan_of
        await worker.said("worker.started")
        await web.link.until(lambda: bool(web.link.hellos))
        yield web, worker


async def begin(web: WebStub, sdp: str, call_id: str = "") -> str:
    call_id = call_id or str(uuid.uuid4())
    await web.link.send(StartBrowserCall(command_id=call_id, call_id=call_id, sdp=sdp))
    await web.link.until(lambda: call_id in web.link.answers)
    return call_id


async def connect(web: WebStub, browser: Browser) -> str:
    call_id = await begin(web, await browser.offer())
    assert not web.link.answers[call_id].refused
    await browser.take(web.link.answers[call_id].sdp)
    await web.link.until(lambda: bool(of(web.link, CallAnswered)))
    return call_id


def words(web: WebStub) -> list[TranscriptUpdated]:
    latest = {record.event.item_id: record.event for record in of(web.link, TranscriptUpdated)}
    return sorted(latest.values(), key=lambda entry: entry.position)


async def test_words_go_both_ways(tmp_path, browser):
    async with SandboxServer() as sandbox:
        await sandbox.warm_up()
        async with office(tmp_path, sandbox.url) as (web, worker):
            assert web.link.hellos[0].browser_calls == 2
            assert "browser_call.start" in web.link.hellos[0].commands
            call_id = await connect(web, browser)
            await until(lambda: browser.speech_ms > 1000)
            heard = browser.speech_ms
            await web.link.until(lambda: any(entry.final for entry in words(web)))
            browser.says = speech.render("when are you open", "en", 8000)
            await web.link.until(
                lambda: any(entry.speaker is Speaker.CALLER and entry.final for entry in words(web))
            )
            (caller,) = (entry for entry in words(web) if entry.speaker is Speaker.CALLER)
            assert "open" in caller.text.lower()
            await until(lambda: browser.speech_ms > heard + 500)
            await web.link.send(PressKey(command_id="k", call_id=call_id, digit="7"))
            await web.link.send(PressKey(command_id="x", call_id=call_id, digit="77"))
            await web.link.until(lambda: len(web.link.done) == 3)
            assert [done.ok for done in web.link.done] == [True, True, False]
            await web.link.until(lambda: web.link.heartbeats[-1].active_browser_calls == 1)
            await web.link.send(HangUpCall(command_id="h", call_id=call_id))
            await web.link.until(lambda: bool(of(web.link, CallEnded)))
            await browser.state("closed", "failed")
            ended = of(web.link, CallEnded)[0].event
            assert ended.cause is EndCause.OPERATOR_HUNG_UP
            notes = [(one.event.kind.value, one.event.text) for one in of(web.link, CallNoted)]
            assert notes == [("dtmf", "7"), ("hang_up_asked", "")]
            measured = of(web.link, CallMeasured)[0].event
            assert measured.packets_received > 50
            assert measured.mos is not None
            await web.link.until(lambda: web.link.heartbeats[-1].active_browser_calls == 0)
            assert "sandbox-key" not in worker.output


async def test_a_worker_takes_so_many_and_no_more(tmp_path, browser):
    async with office(tmp_path, NOBODY, calls=1) as (web, _), Browser() as other:
        await connect(web, browser)
        second = await begin(web, await other.offer())
        answer = web.link.answers[second]
        assert (answer.sdp, answer.refused) == (
            "", "This media worker has as many calls from browsers as it can take.",
        )  # fmt: skip
        await browser.connection.close()
        await web.link.until(lambda: bool(of(web.link, CallEnded)))
        assert of(web.link, CallEnded)[0].event.cause is EndCause.CALLER_HUNG_UP
        await web.link.until(lambda: web.link.heartbeats[-1].active_browser_calls == 0)
        third = await begin(web, await other.offer())
        assert web.link.answers[third].sdp


async def test_a_person_who_goes_before_the_connection_frees_the_place(tmp_path, browser):
    async with office(tmp_path, NOBODY, calls=1) as (web, _):
        call_id, offer = str(uuid.uuid4()), await browser.offer()
        await web.link.send(StartBrowserCall(command_id="s", call_id=call_id, sdp=offer))
        await web.link.send(HangUpCall(command_id="h", call_id=call_id))
        await web.link.until(lambda: bool(of(web.link, CallEnded)))
        ended = of(web.link, CallEnded)[0].event
        assert ended.cause in {EndCause.CALLER_HUNG_UP, EndCause.OPERATOR_HUNG_UP}
        await web.link.until(lambda: web.link.heartbeats[-1].active_browser_calls == 0)
        assert all(done.ok for done in web.link.done)


async def test_what_cannot_be_a_call_is_refused_and_leaves_nothing(tmp_path, browser):
    async with office(tmp_path, NOBODY, calls=1) as (web, _):
        await begin(web, await browser.offer(), "gone")
        assert "does not wait" in web.link.answers["gone"].refused
        rubbish = await begin(web, "rubbish")
        assert "audio stream" in web.link.answers[rubbish].refused
        await web.link.until(lambda: len(web.link.done) == 2)
        assert [done.ok for done in web.link.done] == [False, False]
        await connect(web, browser)
