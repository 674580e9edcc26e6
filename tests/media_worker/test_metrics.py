"""What is counted, and how it is served."""

from __future__ import annotations

import asyncio
import re
import socket
import time
from pathlib import Path

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from media_worker.contract import (
    CallEnded,
    CallMeasured,
    EndCause,
    ProblemKind,
    ProviderProblem,
    RefusalReason,
    SessionOpened,
    TurnMeasured,
)
from media_worker.metrics import Metrics, WorkerStatus
from media_worker.metrics_server import MetricsError, MetricsServer

ROOT = Path(__file__).resolve().parents[2]
STATUS = WorkerStatus(
    calls=3, capacity=4, draining=False, connected=True, outbox_depth=7,
    outbox_oldest_at=None, late_ticks=5,
)  # fmt: skip


@pytest.fixture
def metrics() -> Metrics:
    metrics = Metrics(version="1.2.3")
    metrics.watch(lambda: STATUS, sip_build="2.17+calls512")
    return metrics


def value(metrics: Metrics, name: str, **labels: str) -> float | None:
    return metrics.registry.get_sample_value(name, labels)


def test_status_is_read_when_somebody_asks(metrics):
    assert value(metrics, "pbxai_calls_active") == 3
    assert value(metrics, "pbxai_calls_capacity") == 4
    assert value(metrics, "pbxai_draining") == 0
    assert value(metrics, "pbxai_link_connected") == 1
    assert value(metrics, "pbxai_outbox_records") == 7
    assert value(metrics, "pbxai_outbox_oldest_seconds") == 0
    assert value(metrics, "pbxai_ticks_late_total") == 5
    assert value(metrics, "pbxai_build_info", version="1.2.3", pjsua2="2.17+calls512") == 1


def test_age_of_the_outbox_counts_from_its_oldest_record():
    metrics = Metrics(version="1")
    oldest = time.time() - 90
    status = WorkerStatus(
        calls=0, capacity=1, draining=True, connected=False, outbox_depth=1,
        outbox_oldest_at=oldest, late_ticks=0,
    )  # fmt: skip
    metrics.watch(lambda: status, sip_build="x")
    assert value(metrics, "pbxai_outbox_oldest_seconds") == pytest.approx(90, abs=5)
    assert value(metrics, "pbxai_draining") == 1


def test_every_reason_cause_and_kind_is_there_from_the_start(metrics):
    # else a rate of the first one that happens is nothing
    for reason in RefusalReason:
        assert value(metrics, "pbxai_calls_refused_total", reason=reason) == 0
    for cause in EndCause:
        assert value(metrics, "pbxai_calls_ended_total", cause=cause) == 0
    for kind in ProblemKind:
        assert value(metrics, "pbxai_provider_problems_total", kind=kind, fatal="true") == 0


def test_events_are_counted(metrics):
    metrics.admitted()
    metrics.refused(RefusalReason.WORKER_FULL)
    metrics.set_up(0.12)
    metrics.note("c", SessionOpened(account_id="a", input_format="pcmu", output_format="pcmu",
                                    took_ms=450))  # fmt: skip
    metrics.note("c", ProviderProblem(account_id="a", kind=ProblemKind.QUOTA, fatal=True))
    metrics.note("c", CallEnded(cause=EndCause.TRANSFERRED, duration_ms=61_000))
    assert value(metrics, "pbxai_calls_admitted_total") == 1
    assert value(metrics, "pbxai_calls_refused_total", reason="worker_full") == 1
    assert value(metrics, "pbxai_call_setup_seconds_sum") == pytest.approx(0.12)
    assert value(metrics, "pbxai_provider_session_open_seconds_sum") == pytest.approx(0.45)
    assert value(metrics, "pbxai_provider_problems_total", kind="quota", fatal="true") == 1
    assert value(metrics, "pbxai_calls_ended_total", cause="transferred") == 1
    assert value(metrics, "pbxai_call_duration_seconds_bucket", le="60.0") == 0
    assert value(metrics, "pbxai_call_duration_seconds_bucket", le="120.0") == 1


def test_wait_for_an_answer_and_its_stages(metrics):
    metrics.note("c", TurnMeasured(number=1, first_audio_ms=200, first_packet_ms=240))
    metrics.note(
        "c",
        TurnMeasured(number=2, caller_stopped_ms=5000, end_known_ms=5500, first_audio_ms=5740,
                     first_packet_ms=5770, interrupted=True),
    )  # fmt: skip
    metrics.note("c", TurnMeasured(number=3, caller_stopped_ms=9000, first_audio_ms=9400))
    metrics.note("c", TurnMeasured(number=4, first_audio_ms=9900, first_packet_ms=9950))
    assert value(metrics, "pbxai_first_sound_seconds_sum") == pytest.approx(0.24)
    assert value(metrics, "pbxai_first_sound_seconds_count") == 1  # the fourth is no greeting
    assert value(metrics, "pbxai_turn_wait_seconds_sum") == pytest.approx(0.77)
    assert value(metrics, "pbxai_turn_wait_seconds_count") == 1  # the third was never heard
    stages = {
        stage: value(metrics, "pbxai_turn_stage_seconds_sum", stage=stage)
        for stage in ("end_known", "first_audio", "first_packet")
    }
    assert stages == pytest.approx({"end_known": 0.5, "first_audio": 0.24, "first_packet": 0.03})
    assert value(metrics, "pbxai_turns_interrupted_total") == 1


def test_stage_that_was_not_seen_belongs_to_the_next(metrics):
    metrics.note(
        "c", TurnMeasured(number=2, caller_stopped_ms=0, first_audio_ms=700, first_packet_ms=710)
    )
    assert value(metrics, "pbxai_turn_stage_seconds_count", stage="end_known") == 0
    assert value(metrics, "pbxai_turn_stage_seconds_sum", stage="first_audio") == 0.7


def test_running_calls_count_now_and_once(metrics):
    so_far = CallMeasured(heard_ms=4000, not_sent_ms=1000, late_frames=2, underruns=1)
    at_the_end = CallMeasured(
        heard_ms=6000, not_sent_ms=1000, late_frames=3, underruns=1, dropped_ms=80,
        packets_received=300, packets_lost=2, packets_discarded=1, mos=4.3,
    )  # fmt: skip
    metrics.call_began("one", lambda: so_far)
    metrics.call_began("two", lambda: so_far)
    assert value(metrics, "pbxai_audio_sent_seconds_total") == 6
    assert value(metrics, "pbxai_audio_not_sent_seconds_total") == 2
    assert value(metrics, "pbxai_frames_late_total") == 4
    metrics.note("one", at_the_end)
    metrics.call_over("one")
    assert value(metrics, "pbxai_audio_sent_seconds_total") == 8
    assert value(metrics, "pbxai_frames_late_total") == 5
    assert value(metrics, "pbxai_audio_dropped_seconds_total") == pytest.approx(0.08)
    assert value(metrics, "pbxai_playout_underruns_total") == 2
    assert value(metrics, "pbxai_rtp_packets_total", outcome="received") == 300
    assert value(metrics, "pbxai_rtp_packets_total", outcome="lost") == 2
    assert value(metrics, "pbxai_rtp_packets_total", outcome="discarded") == 1
    assert value(metrics, "pbxai_call_mos_bucket", le="4.2") == 0
    assert value(metrics, "pbxai_call_mos_bucket", le="4.5") == 1


def test_number_of_series_does_not_grow_with_the_calls(metrics):
    def series() -> int:
        return sum(len(family.samples) for family in metrics.registry.collect())

    before = series()
    for number in range(200):
        call_id = f"call-{number}"
        metrics.call_began(call_id, lambda: CallMeasured(heard_ms=20))
        metrics.note(call_id, TurnMeasured(number=1, first_audio_ms=1, first_packet_ms=2))
        metrics.note(call_id, CallEnded(cause=EndCause.CALLER_HUNG_UP))
    assert series() == before


# --- the server ----------------------------------------------------------------------------------


@pytest.fixture
def server(metrics):
    server = MetricsServer(metrics.registry, "127.0.0.1", 0)
    yield server
    server.close()


async def get(url: str, method: str = "GET") -> httpx.Response:
    async with httpx.AsyncClient(trust_env=False) as client:
        return await client.request(method, url)


async def test_scrape_is_in_the_text_format(server):
    answer = await get(server.url)
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/plain; version=")
    families = {family.name: family for family in text_string_to_metric_families(answer.text)}
    assert families["pbxai_calls_active"].samples[0].value == 3
    assert families["process_cpu_seconds"].type == "counter"
    assert families["process_resident_memory_bytes"].samples[0].value > 1_000_000
    assert "python_gc_collections" in families
    assert all(family.documentation for family in families.values())


@pytest.mark.parametrize("path", ["/", "/metrics/", "/metrics2", "/favicon.ico", "/metrics/x"])
async def test_nothing_else_is_there(server, path):
    assert (await get(server.url.removesuffix("/metrics") + path)).status_code == 404


async def test_nothing_can_be_done_there(server):
    assert (await get(server.url, "POST")).status_code == 405


def test_port_that_is_taken_is_named_with_its_variable(metrics):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(MetricsError, match=rf"port {port}.*PBXAI_METRICS_PORT"):
            MetricsServer(metrics.registry, "127.0.0.1", port)


def test_port_is_free_again_after_the_end(metrics):
    first = MetricsServer(metrics.registry, "127.0.0.1", 0)
    port = int(first.url.split(":")[2].removesuffix("/metrics"))
    first.close()
    MetricsServer(metrics.registry, "127.0.0.1", port).close()


async def test_client_that_says_nothing_holds_the_next_one_up_only_for_a_while(server, monkeypatch):
    monkeypatch.setattr("media_worker.metrics_server._Handler.timeout", 0.2)
    host, port = server.url.removeprefix("http://").removesuffix("/metrics").split(":")
    silent = [await asyncio.open_connection(host, int(port)) for _ in range(3)]
    assert (await asyncio.wait_for(get(server.url), 10)).status_code == 200
    for _, writer in silent:
        writer.close()


async def test_client_that_goes_away_does_no_harm(server):
    host, port = server.url.removeprefix("http://").removesuffix("/metrics").split(":")
    for _ in range(20):
        _, writer = await asyncio.open_connection(host, int(port))
        writer.write(b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n")
        writer.transport.abort()
    assert (await get(server.url)).status_code == 200


# --- what is written about them ------------------------------------------------------------------


@pytest.mark.parametrize("path", ["docs/operate.md", "deploy/prometheus/alerts.yml"])
def test_documents_and_alerts_name_only_what_is_there(metrics, path):
    known = {sample.name for family in metrics.registry.collect() for sample in family.samples}
    known |= {family.name for family in metrics.registry.collect()}
    named = set(re.findall(r"pbxai_[a-z_]+", (ROOT / path).read_text()))
    assert named
    assert named <= known
