"""What is closed when nobody speaks of it any more."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from media_worker import contract
from tenants.models import Call, Number, ProviderAccount, Worker
from tenants.services import liveness
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
