"""What a real worker with real calls says of itself to Prometheus."""

from __future__ import annotations

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from media_worker.contract import CallEnded, CallMeasured, RefusalReason, TurnMeasured
from media_worker.sandbox.server import SandboxServer
from tests.media_worker.control.web_stub import WebStub
from tests.media_worker.test_worker import ended_call, house, of, plan_at, refuse
from tests.media_worker.worker_process import WorkerProcess
from tests.support.ports import free_port


@pytest.fixture
async def sandbox():
    async with SandboxServer() as server:
        await server.warm_up()
        yield server


async def scrape(port: int) -> dict[tuple[str, tuple[str, ...]], float]:
    """Each sample by its name and the values of its labels."""
    async with httpx.AsyncClient(trust_env=False) as client:
        answer = await client.get(f"http://127.0.0.1:{port}/metrics")
    assert answer.status_code == 200
    return {
        (sample.name, tuple(sample.labels.values())): sample.value
        for family in text_string_to_metric_families(answer.text)
        for sample in family.samples
    }


async def test_worker_counts_what_its_calls_do(tmp_path, sandbox):
    port = free_port()
    plans = (plan_at(sandbox.url), refuse(RefusalReason.TENANT_LIMIT), plan_at(sandbox.url))
    async with house(tmp_path, *plans, PBXAI_METRICS_PORT=str(port), PBXAI_MAX_CALLS="4") as (
        web,
        phone,
        worker,
    ):
        await worker.said("link.up")
        call = await phone.call(worker.uri("100"))
        await call.answered()
        await call.wait_for_speech()
        refused = await phone.call(worker.uri("200"))
        assert (await refused.ended())[0] == 486
        during = await scrape(port)
        await call.wait_for_silence(silence_ms=1000)
        await call.hang_up()
        _, events = await ended_call(web.link)
        await worker.said("call.ended")
        after = await scrape(port)
        async with httpx.AsyncClient(trust_env=False) as client:
            assert (await client.get(f"http://127.0.0.1:{port}/")).status_code == 404

    assert during["pbxai_calls_active", ()] == 1
    assert during["pbxai_calls_capacity", ()] == 4
    assert during["pbxai_link_connected", ()] == 1
    assert during["pbxai_calls_admitted_total", ()] == 1
    assert during["pbxai_calls_refused_total", ("tenant_limit",)] == 1
    assert during["pbxai_call_setup_seconds_count", ()] == 1
    assert during["pbxai_provider_session_open_seconds_count", ()] == 1
    assert during["pbxai_audio_sent_seconds_total", ()] > 0  # of the call that runs
    assert during["pbxai_event_loop_lag_seconds_count", ()] > 0
    assert during["process_cpu_seconds_total", ()] > 0
    assert during["process_open_fds", ()] > 10

    assert after["pbxai_calls_active", ()] == 0
    assert after["pbxai_calls_ended_total", ("caller_hung_up",)] == 1
    assert after["pbxai_call_duration_seconds_count", ()] == 1
    assert after["pbxai_first_sound_seconds_count", ()] == 1
    (measured,) = [event for event in events if isinstance(event, CallMeasured)]
    assert isinstance(events[events.index(measured) + 1], CallEnded)
    assert measured.packets_received > 50
    assert measured.packets_lost == 0
    assert measured.mos > 3
    assert measured.heard_ms > 1000
    sent_ms = measured.heard_ms - measured.not_sent_ms
    assert after["pbxai_audio_sent_seconds_total", ()] == pytest.approx(sent_ms / 1000)
    received = after["pbxai_rtp_packets_total", ("received",)]
    assert received == measured.packets_received
    (greeting,) = [event for event in events if isinstance(event, TurnMeasured)]
    first_sound = after["pbxai_first_sound_seconds_sum", ()]
    assert first_sound == pytest.approx(greeting.first_packet_ms / 1000)
    assert of(web.link, CallEnded)


async def test_worker_that_cannot_have_its_metrics_port_says_so_and_ends(tmp_path):
    async with WebStub(refuse(RefusalReason.UNKNOWN_NUMBER)) as web:
        port = int(web.url.rpartition(":")[2])  # taken: the web side listens there
        async with WorkerProcess(tmp_path, web.url, PBXAI_METRICS_PORT=str(port)) as worker:
            assert await worker.ended() == 1
    assert f"Cannot serve metrics on TCP port {port} of 127.0.0.1" in worker.output
    assert "PBXAI_METRICS_PORT" in worker.output
    assert "Traceback" not in worker.output
