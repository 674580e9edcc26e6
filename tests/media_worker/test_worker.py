"""A real worker process with a real SIP phone; the web side is a stub that speaks the contract."""

from __future__ import annotations

import signal
import tomllib
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec
import pytest

from media_worker.config import ConfigError, read_config
from media_worker.contract import (
    AdmissionRequest,
    CallAnswered,
    CallEnded,
    CallPlan,
    CallRefused,
    CallTaken,
    EndCause,
    Greeting,
    HangUpCall,
    ProblemKind,
    ProviderAccess,
    ProviderProblem,
    Record,
    Refusal,
    RefusalReason,
    Settings,
    Speaker,
    TranscriptUpdated,
    WorkerStarted,
    encode,
)
from media_worker.sip.config import SipError
from media_worker.sip.phone_process import PhoneProcess
from media_worker.worker import VERSION
from tests.media_worker.control.web_stub import Answer, LinkStub, WebStub
from tests.media_worker.worker_process import WorkerProcess

NOBODY = "ws://127.0.0.1:9/v1/realtime"
"""The discard port: nothing answers there."""
APOLOGY = "I am sorry, there is a technical problem. Please call again later."


def plan_at(url: str, **changes: object):
    """Admits every call with an agent at this provider."""

    def answer(request: AdmissionRequest) -> Answer:
        plan = CallPlan(
            call_id=request.call_key, tenant_id="t", number_id="n", agent_id="a",
            agent_name="Ada", revision=1, language="en",
            greeting=Greeting(language="en", text="Good morning, how can I help you?"),
            apology=Greeting(language="en", text=APOLOGY),
            provider=ProviderAccess(account_id="acc", name="p", url=url, api_key="sandbox-key"),
            settings=Settings(model="m", voice="marin"),
        )  # fmt: skip
        return 200, encode(msgspec.structs.replace(plan, **changes))

    return answer


def refuse(reason: RefusalReason) -> Answer:
    return 200, encode(Refusal(call_id="x", reason=reason))


@asynccontextmanager
async def house(data: Path, *answers, **environment: str):
    """A web stub, a phone, and a worker that has started between them."""
    async with (
        WebStub(*answers) as web,
        PhoneProcess() as phone,
        WorkerProcess(data, web.url, **environment) as worker,
    ):
        await worker.said("worker.started")
        yield web, phone, worker


def of(link: LinkStub, kind: type) -> list[Record]:
    return [record for record in link.records if isinstance(record.event, kind)]


async def ended_call(link: LinkStub) -> tuple[str, list[object]]:
    """The first call that has ended: its id and its events, in order."""
    await link.until(lambda: bool(of(link, CallEnded)))
    call_id = of(link, CallEnded)[0].call_id
    return call_id, [record.event for record in link.records if record.call_id == call_id]


# --- calls ---------------------------------------------------------------------------------------


async def test_worker_says_hello_with_what_it_really_can(tmp_path):
    async with (
        WebStub(refuse(RefusalReason.UNKNOWN_NUMBER)) as web,
        WorkerProcess(tmp_path, web.url) as worker,
    ):
        await web.link.until(lambda: bool(web.link.records))
        (hello,) = web.link.hellos
        version, _, calls = hello.sip_build.partition("+calls")
        assert version.startswith("2.")
        assert hello.capacity == int(calls or 4), "PyPI's wheel takes 4"
        assert [address.rpartition("=")[2] for address in hello.addresses] == [
            "udp", "tcp", "tls",
        ]  # fmt: skip
        first = web.link.records[0]
        assert first.event == WorkerStarted(boot_id=hello.boot_id)
        worker.signal(signal.SIGTERM)
        assert await worker.ended() == 0


async def test_refused_call_gets_the_status_of_its_reason(tmp_path):
    expected = {
        RefusalReason.UNKNOWN_NUMBER: 404,
        RefusalReason.TENANT_DISABLED: 403,
        RefusalReason.NO_PUBLISHED_REVISION: 480,
        RefusalReason.TENANT_LIMIT: 486,
    }
    async with (
        WebStub(*(refuse(reason) for reason in expected), None) as web,
        PhoneProcess() as phone,
        WorkerProcess(tmp_path, web.url) as worker,
    ):
        await worker.said("worker.started")
        for status in expected.values():
            call = await phone.call(worker.uri("4711"))
            assert (await call.ended())[0] == status
            request = web.http.bodies[-1]
            assert request.called == "4711"
            assert request.sip_call_id == call.sip_call_id
            assert request.source.startswith("UDP:127.0.0.1:")


async def test_call_is_refused_and_recorded_while_the_web_side_is_away(tmp_path):
    async with WebStub(None) as gone:
        pass
    async with PhoneProcess() as phone, WorkerProcess(tmp_path, gone.url) as worker:
        await worker.said("worker.started")
        call = await phone.call(worker.uri("4711"))
        assert (await call.ended())[0] == 503
        async with WebStub(None, port=gone.port) as web:
            await web.link.until(lambda: bool(of(web.link, CallRefused)))
            (record,) = of(web.link, CallRefused)
            assert record.event.reason is RefusalReason.WEB_UNREACHABLE
            assert record.event.request.sip_call_id == call.sip_call_id


async def test_call_is_refused_and_recorded_when_the_token_is_wrong(tmp_path):
    async with WebStub((401, b"{}")) as web, PhoneProcess() as phone:
        web.link.token = "another"
        async with WorkerProcess(tmp_path, web.url) as worker:
            await worker.said("link.token_refused")
            call = await phone.call(worker.uri("4711"))
            assert (await call.ended())[0] == 503
            worker.signal(signal.SIGTERM)
            assert await worker.ended() == 0
            assert "Bearer" not in worker.output
        web.link.token = worker.environment["PBXAI_WORKER_TOKEN"]
        async with WorkerProcess(tmp_path, web.url):
            await web.link.until(lambda: bool(of(web.link, CallRefused)))
            (record,) = of(web.link, CallRefused)
            assert record.event.reason is RefusalReason.WORKER_TOKEN_REFUSED


async def test_caller_hears_the_apology_when_the_provider_is_away(tmp_path):
    async with house(tmp_path, plan_at(NOBODY)) as (web, phone, worker):
        call = await phone.call(worker.uri("100"))
        assert (await call.answered()).startswith("PCM")
        assert (await call.ended(seconds=60))[0] == 200
        heard = await call.heard()
        assert heard.speech_ms > 1500
        _, events = await ended_call(web.link)
        problems = [event for event in events if isinstance(event, ProviderProblem)]
        assert [(problem.kind, problem.fatal) for problem in problems] == [
            (ProblemKind.UNREACHABLE, False),
            (ProblemKind.UNREACHABLE, True),
        ]
        assert CallAnswered(codec="PCMU/8000") in events
        assert events[-1].cause is EndCause.PROVIDER_FAILED
        texts = [event for event in events if isinstance(event, TranscriptUpdated)]
        assert (texts[-1].speaker, texts[-1].text) == (Speaker.AGENT, APOLOGY)
        assert "sandbox-key" not in worker.output


async def test_call_is_taken_with_the_last_plan_while_the_web_side_is_away(tmp_path):
    async with house(tmp_path, plan_at(NOBODY)) as (web, phone, worker):
        first = await phone.call(worker.uri("100"))
        await first.answered()
        await first.hang_up()
        await web.link.until(lambda: bool(of(web.link, CallEnded)))
        web.http.answers = [(503, b"{}")]
        second = await phone.call(worker.uri("100"))
        await second.answered()
        await second.hang_up()
        await web.link.until(lambda: len(of(web.link, CallEnded)) == 2)
        (taken,) = of(web.link, CallTaken)
        told = [record.event for record in web.link.records if record.call_id == taken.call_id]
        assert told[0] is taken.event
        assert any(isinstance(event, CallAnswered) for event in told)
        assert isinstance(told[-1], CallEnded)


async def test_caller_who_hangs_up_is_recorded_as_such(tmp_path):
    async with house(tmp_path, plan_at(NOBODY)) as (web, phone, worker):
        call = await phone.call(worker.uri("100"))
        await call.answered()
        await call.hang_up()
        _, events = await ended_call(web.link)
        assert events[-1].cause is EndCause.CALLER_HUNG_UP


async def test_operator_hangs_a_call_up_over_the_link(tmp_path):
    async with house(tmp_path, plan_at(NOBODY)) as (web, phone, worker):
        call = await phone.call(worker.uri("100"))
        await call.answered()
        await web.link.until(lambda: bool(of(web.link, CallAnswered)))
        call_id = of(web.link, CallAnswered)[0].call_id
        await web.link.send(HangUpCall(command_id="c", call_id=call_id))
        assert (await call.ended())[0] == 200
        _, events = await ended_call(web.link)
        assert events[-1].cause is EndCause.OPERATOR_HUNG_UP
        await web.link.until(lambda: bool(web.link.done))
        assert web.link.done[0].ok


async def test_fifth_call_gets_503_with_retry_after_and_a_record(tmp_path):
    async with (
        WebStub(plan_at(NOBODY)) as web,
        PhoneProcess() as phone,
        PhoneProcess() as other,
        WorkerProcess(tmp_path, web.url, PBXAI_MAX_CALLS="4") as worker,
    ):
        await worker.said("worker.started")
        for _ in range(4):
            call = await phone.call(worker.uri("100"))
            await call.answered()
        fifth = await other.call(worker.uri("100"))
        with pytest.raises(SipError, match="503"):
            await fifth.answered()
        await web.link.until(lambda: bool(of(web.link, CallRefused)))
        (record,) = of(web.link, CallRefused)
        assert record.event.reason is RefusalReason.WORKER_FULL
        assert record.event.request.called == "100"


# --- stopping ------------------------------------------------------------------------------------


async def test_draining_worker_waits_for_its_call_and_takes_no_other(tmp_path):
    async with (
        WebStub(plan_at(NOBODY)) as web,
        PhoneProcess() as phone,
        WorkerProcess(tmp_path, web.url, PBXAI_DRAIN_SECONDS="60") as worker,
    ):
        await worker.said("worker.started")
        call = await phone.call(worker.uri("100"))
        await call.answered()
        worker.signal(signal.SIGTERM)
        await web.link.until(lambda: any(beat.draining for beat in web.link.heartbeats))
        refused = await phone.call(worker.uri("100"))
        assert (await refused.ended())[0] == 503
        await call.hang_up()
        assert await worker.ended() == 0
        _, events = await ended_call(web.link)
        assert events[-1].cause is EndCause.CALLER_HUNG_UP
        (record,) = of(web.link, CallRefused)
        assert record.event.reason is RefusalReason.WORKER_DRAINING


async def test_second_signal_ends_the_calls_with_a_bye_and_a_record(tmp_path):
    async with (
        WebStub(plan_at(NOBODY)) as web,
        PhoneProcess() as phone,
        WorkerProcess(tmp_path, web.url, PBXAI_DRAIN_SECONDS="600") as worker,
    ):
        await worker.said("worker.started")
        call = await phone.call(worker.uri("100"))
        await call.answered()
        worker.signal(signal.SIGINT)
        await worker.said("worker.draining")
        worker.signal(signal.SIGINT)
        assert (await call.ended())[0] == 200
        assert await worker.ended() == 0
        _, events = await ended_call(web.link)
        assert events[-1].cause is EndCause.WORKER_STOPPED


async def test_killed_worker_keeps_its_record_and_tells_of_its_next_run(tmp_path):
    async with house(tmp_path, plan_at(NOBODY)) as (web, phone, worker):
        await web.link.until(lambda: bool(web.link.records))
        web.link.acknowledges = False
        call = await phone.call(worker.uri("100"))
        await call.answered()
        await web.link.until(
            lambda: any(isinstance(record.event, CallAnswered) for record in web.link.seen)
        )
        worker.signal(signal.SIGKILL)
        assert await worker.ended() == -signal.SIGKILL
        web.link.acknowledges = True
        async with WorkerProcess(tmp_path, web.url):
            await web.link.until(lambda: len(of(web.link, WorkerStarted)) == 2)
        kinds = [type(record.event) for record in web.link.records]
        assert CallAnswered in kinds
        assert kinds[-1] is WorkerStarted
        assert len({hello.stream for hello in web.link.hellos}) == 1


# --- starting ------------------------------------------------------------------------------------


async def test_second_worker_with_the_same_data_is_refused_in_plain_words(tmp_path):
    async with WebStub(None) as web, WorkerProcess(tmp_path, web.url) as first:
        await first.said("worker.started")
        async with WorkerProcess(tmp_path, web.url) as second:
            assert await second.ended() == 1
            assert "Another media worker runs" in second.output


async def test_taken_port_is_named(tmp_path):
    async with WebStub(None) as web, WorkerProcess(tmp_path / "a", web.url) as first:
        await first.said("worker.started")
        port = str(first.sip_port)
        async with WorkerProcess(tmp_path / "b", web.url, PBXAI_SIP_PORT=port) as second:
            assert await second.ended() == 1
            assert port in second.output
            assert "Traceback" not in second.output


async def test_missing_token_is_named(tmp_path):
    async with WorkerProcess(tmp_path, "http://127.0.0.1:9", PBXAI_WORKER_TOKEN="") as worker:
        assert await worker.ended() == 2
        assert "PBXAI_WORKER_TOKEN is not set" in worker.output


def test_the_web_side_may_lie_below_a_path():
    told = {"PBXAI_WORKER_TOKEN": "good", "PBXAI_WEB_URL": "https://x.example/pbxai/"}
    assert read_config(told).web_url == "https://x.example/pbxai"


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"PBXAI_SIP_PORT": "fifty"}, "PBXAI_SIP_PORT must be a whole number"),
        ({"PBXAI_SIP_PORT": "70000"}, "PBXAI_SIP_PORT must be between 1 and 65534"),
        ({"PBXAI_WEB_URL": "ftp://x"}, "PBXAI_WEB_URL must look like"),
        ({"PBXAI_WORKER_TOKEN": "two words"}, "characters that no token has"),
        ({"PBXAI_WORKER_TOKEN_FILE": "/nowhere"}, "not both"),
        ({"PBXAI_DEBUG": "maybe"}, "PBXAI_DEBUG must be true or false"),
        ({"PBXAI_DRAIN_SECONDS": "-1"}, "PBXAI_DRAIN_SECONDS must be between"),
    ],
)
def test_odd_value_is_refused_by_its_name(changes, complaint):
    with pytest.raises(ConfigError, match=complaint):
        read_config({"PBXAI_WORKER_TOKEN": "good", **changes})


def test_clock_rate_is_one_of_two():
    told = {"PBXAI_WORKER_TOKEN": "good"}
    assert read_config(told).clock_rate == 8000
    assert read_config({**told, "PBXAI_CLOCK_RATE": "16000"}).clock_rate == 16000
    with pytest.raises(ConfigError, match="PBXAI_CLOCK_RATE must be 8000 or 16000, not 12000"):
        read_config({**told, "PBXAI_CLOCK_RATE": "12000"})


def test_token_may_come_from_a_file_and_is_not_shown(tmp_path):
    (tmp_path / "token").write_text("from-file\n")
    config = read_config({"PBXAI_WORKER_TOKEN_FILE": str(tmp_path / "token")})
    assert config.worker_token == "from-file"
    assert "from-file" not in repr(config)


def test_version_is_the_projects():
    project = tomllib.loads(Path("pyproject.toml").read_text())
    assert project["project"]["version"] == VERSION
