"""What is closed when nobody speaks of it any more."""

from __future__ import annotations

import uuid
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from media_worker import contract
from tenants.models import Call, Number, ProviderAccount, Worker
from tenants.services import liveness, workers
from tests.tenants.calls import Outbox, admitted

LONG = timedelta(seconds=contract.LIVENESS_SECONDS + 1)
SHORT = timedelta(seconds=contract.LIVENESS_SECONDS - 5)


@pytest.fixture
def running(number: Number, worker: Worker) -> Call:
    call = admitted(worker)
    Outbox(worker).send(contract.CallAnswered(), call)
    Worker.objects.update(connected=True, last_seen_at=timezone.now())
    return call


def state(call: Call) -> tuple[str, str]:
    call.refresh_from_db()
    return call.state, call.end_cause


def test_a_worker_that_speaks_keeps_its_calls(running: Call):
    Worker.objects.update(last_seen_at=timezone.now() - SHORT)
    assert liveness.watch() == 0
    assert state(running) == ("running", "")


def test_a_silent_workers_calls_are_interrupted(running: Call):
    Worker.objects.update(last_seen_at=timezone.now() - LONG)
    assert liveness.watch() == 1
    assert state(running) == ("ended", "interrupted")
    assert not Worker.objects.get().connected
    assert liveness.watch() == 0


def test_a_call_of_a_worker_that_was_deleted_is_interrupted(running: Call):
    Worker.objects.all().delete()
    assert liveness.watch() == 1
    assert state(running) == ("ended", "interrupted")


def test_only_the_silent_worker_is_lost(running: Call, number: Number):
    other = Worker.objects.create(name="other", last_seen_at=timezone.now() - LONG)
    theirs = admitted(other)
    assert liveness.watch() == 1
    assert state(running) == ("running", "")
    assert state(theirs) == ("ended", "interrupted")


def test_a_call_that_is_never_answered_does_not_count_for_ever(running: Call, worker: Worker):
    ringing = admitted(worker)
    assert liveness.watch() == 0
    since = timezone.now() - timedelta(seconds=liveness.RINGING_SECONDS + 1)
    Call.all_tenants.filter(pk=ringing.pk).update(started_at=since)
    assert liveness.watch() == 1
    assert state(ringing) == ("ended", "interrupted")
    assert state(running) == ("running", "")


def test_checks_without_an_answer_are_given_up(account: ProviderAccount):
    ProviderAccount.all_tenants.update(
        check_state="pending", check_requested_at=timezone.now() - timedelta(minutes=5)
    )
    liveness.watch()
    account.refresh_from_db()
    assert account.check_state == "failed"


# --- what a worker reports of itself -------------------------------------------------------------


def greeting(**fields: Any) -> contract.Hello:
    return contract.Hello(
        **{
            "stream": str(uuid.uuid4()),
            "boot_id": "boot-1",
            "host": "media-1",
            "version": "1",
            "sip_build": "x",
            "capacity": 4,
            **fields,
        }
    )


def test_what_a_worker_can_do_is_known_from_its_hello(worker: Worker):
    workers.link_opened(worker, greeting(browser_calls=4, commands=("call.say", "call.mute")), "a")
    worker.refresh_from_db()
    assert (worker.browser_capacity, worker.commands) == (4, ["call.say", "call.mute"])
    began = worker.started_at
    assert began is not None
    workers.link_opened(worker, greeting(), "b")
    worker.refresh_from_db()
    # The link is new, the process is not; an older build knows no further commands.
    assert (worker.started_at, worker.commands) == (began, [])
    workers.link_opened(worker, greeting(boot_id="boot-2"), "c")
    worker.refresh_from_db()
    assert worker.started_at > began


def test_what_a_worker_costs_its_host_is_known_from_its_heartbeat(worker: Worker):
    beat = contract.Heartbeat(
        active_calls=2,
        active_browser_calls=1,
        cpu_percent=37.5,
        memory_bytes=3 * 10**9,
        late_frames=2**70,
    )
    assert workers.heartbeat(worker, beat)
    worker.refresh_from_db()
    assert (worker.active_browser_calls, worker.cpu_percent) == (1, 37.5)
    assert (worker.memory_bytes, worker.late_frames) == (3 * 10**9, 2**63 - 1)
    assert workers.heartbeat(worker, contract.Heartbeat(active_calls=0, cpu_percent=float("nan")))
    worker.refresh_from_db()
    assert worker.cpu_percent == 0.0
