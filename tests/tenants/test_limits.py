"""What the operator and the opening hours allow: calls a minute, numbers, times."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import time_machine
from django.core.exceptions import ValidationError
from django.utils import timezone

from media_worker import contract
from media_worker.contract import RefusalReason
from tenants.models import Agent, Call, Number, Tenant, Worker
from tenants.models.opening_hours import is_open
from tenants.services.admission import admit
from tenants.services.numbers import save_number
from tests.tenants.test_admission import accepted, in_threads, invite, refused

MONDAY_NINE = datetime(2026, 11, 23, 8, 0, tzinfo=UTC)
"""In Berlin."""
HOURS = {"mon": [["09:00", "12:00"], ["13:00", "24:00"]], "closed": ["2026-11-30"]}


# --- calls a minute ------------------------------------------------------------------------------


def test_more_calls_a_minute_than_allowed_are_refused(number: Number, worker: Worker):
    Tenant.objects.update(max_calls_a_minute=2)
    accepted(worker)
    Call.all_tenants.update(state="ended", ended_at=timezone.now())
    accepted(worker)
    assert refused(worker) is RefusalReason.TENANT_RATE
    Call.all_tenants.filter(state="ended").update(started_at=timezone.now() - timedelta(seconds=61))
    accepted(worker)


def test_refused_calls_keep_nobody_out(number: Number, worker: Worker):
    Tenant.objects.update(max_calls_a_minute=1, max_concurrent_calls=0)
    assert [refused(worker) for _ in range(3)] == [RefusalReason.TENANT_LIMIT] * 3
    Tenant.objects.update(max_concurrent_calls=1)
    accepted(worker)


def test_calls_of_another_customer_do_not_count(number: Number, birch: Tenant, worker: Worker):
    Tenant.objects.update(max_calls_a_minute=1)
    Call.all_tenants.create(tenant=birch, called="7", state="ringing", started_at=timezone.now())
    accepted(worker)


@pytest.mark.django_db(transaction=True)
def test_calls_a_minute_hold_when_calls_come_together(number: Number, worker: Worker):
    Tenant.objects.update(max_calls_a_minute=3)
    answers = in_threads(10, lambda _place: admit(worker=worker, request=invite()))
    plans = [answer for answer in answers if isinstance(answer, contract.CallPlan)]
    refusals = [answer for answer in answers if isinstance(answer, contract.Refusal)]
    assert (len(plans), len(refusals)) == (3, 7)
    assert {refusal.reason for refusal in refusals} == {RefusalReason.TENANT_RATE}


# --- numbers -------------------------------------------------------------------------------------


def new_number(agent: Agent, number: str) -> Number:
    return Number(tenant=agent.tenant, number=number, agent=agent)


def test_a_customer_has_no_more_numbers_than_allowed(agent: Agent):
    Tenant.objects.update(max_numbers=1)
    first = save_number(number=new_number(agent, "100"), user=None)
    with pytest.raises(ValidationError, match="may have 1 number"):
        save_number(number=new_number(agent, "200"), user=None)
    first.label = "Reception"
    save_number(number=first, user=None)
    assert Number.all_tenants.get().label == "Reception"


@pytest.mark.django_db(transaction=True)
def test_the_limit_of_numbers_holds_when_they_are_made_together(agent: Agent):
    Tenant.objects.update(max_numbers=2)

    def make(place: int) -> Any:
        try:
            return save_number(number=new_number(agent, f"10{place}"), user=None)
        except ValidationError:
            return None

    made = in_threads(6, make)
    assert sum(number is not None for number in made) == 2
    assert Number.all_tenants.count() == 2


# --- opening hours -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("moment", "is_it"),
    [
        ("2026-11-23 08:59:59", False),
        ("2026-11-23 09:00:00", True),
        ("2026-11-23 11:59:59", True),
        ("2026-11-23 12:00:00", False),
        ("2026-11-23 23:59:59", True),
        ("2026-11-24 10:00:00", False),
        ("2026-11-30 10:00:00", False),
    ],
)
def test_hours_hold_from_their_beginning_to_before_their_end(moment: str, is_it: bool):
    assert is_open(HOURS, datetime.fromisoformat(moment)) is is_it


def test_without_hours_it_is_always_open_and_with_none_never():
    assert is_open(None, MONDAY_NINE)
    assert not is_open({}, MONDAY_NINE)


def test_a_call_outside_of_the_opening_hours_is_refused(number: Number, worker: Worker):
    Number.all_tenants.update(opening_hours=HOURS)
    with time_machine.travel(MONDAY_NINE - timedelta(seconds=1), tick=False):
        assert refused(worker) is RefusalReason.CLOSED
    with time_machine.travel(MONDAY_NINE, tick=False):
        accepted(worker)


def test_a_numbers_own_clock_counts(number: Number, worker: Worker):
    Number.all_tenants.update(opening_hours=HOURS, time_zone="America/New_York")
    with time_machine.travel(MONDAY_NINE, tick=False):
        assert refused(worker) is RefusalReason.CLOSED
    with time_machine.travel(MONDAY_NINE + timedelta(hours=6), tick=False):
        accepted(worker)
