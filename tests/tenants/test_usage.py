"""What a tenant used, over days."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
import time_machine

from tenants.models import Agent, ProviderAccount, StaleDay, Tenant
from tenants.models.day_stats import WAIT_BUCKETS_MS, no_waits
from tenants.services import days
from tenants.services.settling import settle_due
from tenants.services.usage import (
    Period,
    Report,
    median_of,
    report,
    spent_this_month,
    unpriced_models,
)
from tests.tenants.money import make_used_call, realtime_price

NOW = datetime(2026, 12, 2, 11, 0, tzinfo=UTC)
FIRST, LAST = date(2026, 11, 29), date(2026, 12, 2)
WEEK = Period(FIRST, LAST)


@pytest.fixture
def used(acme: Tenant, agent: Agent, account: ProviderAccount, birch: Tenant) -> None:
    """A call a day from 29 November on, today's unsettled; and one of another customer."""
    account.url = "wss://api.openai.com/v1/realtime"
    account.save()
    realtime_price()
    usage = ({"output_audio_tokens": 1200, "input_audio_tokens": 600},)
    for ago in range(4):
        make_used_call(acme, account, started_at=NOW - timedelta(days=ago), usages=usage)
    make_used_call(
        acme,
        account,
        agent=agent,
        started_at=NOW - timedelta(days=3),
        usages=({"model": "new", "output_text_tokens": 5},),
        model="new",
        end_cause="provider_failed",
        duration_ms=30_000,
    )
    make_used_call(birch, account, started_at=NOW, usages=usage)
    settle_due()
    days.remake_due(now=NOW)


def look(tenant: Tenant, period: Period = WEEK) -> Report:
    with time_machine.travel(NOW, tick=False):
        return report(tenant=tenant, period=period)


def test_a_period_holds_past_days_and_today(acme: Tenant, used: None):
    found = look(acme)
    assert [sums.calls for sums in found.by_day.values()] == [2, 1, 1, 1]
    total = found.total
    assert (total.calls, total.answered, total.failed, total.fine) == (5, 5, 1, 4)
    assert total.duration_ms == 270_000
    assert total.costs == {"USD": Decimal("0.384")}
    assert (total.tokens_in, total.tokens_out) == (2400, 4805)
    assert found.currency == "USD"


def test_every_grouping_sums_up_to_the_total(acme: Tenant, agent: Agent, used: None):
    found = look(acme)
    assert list(found.by_agent) == [None, agent.pk]
    assert {model: sums.calls for model, sums in found.by_model.items()} == {
        "gpt-realtime-2.1": 4,
        "new": 1,
    }
    for groups in (found.by_day, found.by_agent, found.by_number, found.by_model, found.by_kind):
        assert sum(sums.calls for sums in groups.values()) == 5


def test_a_day_that_is_marked_counts_from_its_calls(acme: Tenant, used: None):
    account = ProviderAccount.all_tenants.get(tenant=acme)
    make_used_call(acme, account, started_at=NOW - timedelta(days=1))
    settle_due()
    assert StaleDay.all_tenants.filter(tenant=acme, day=date(2026, 12, 1)).exists()
    assert look(acme).by_day[date(2026, 12, 1)].calls == 2


def test_the_month_begins_on_the_customers_clock(acme: Tenant, used: None):
    with time_machine.travel(NOW, tick=False):
        assert spent_this_month(acme) == {"USD": Decimal("0.192")}


def test_models_without_a_price_are_named(acme: Tenant, birch: Tenant, used: None):
    assert unpriced_models(tenant=acme, period=WEEK) == ["new"]
    assert unpriced_models(tenant=acme, period=Period(LAST, LAST)) == []
    assert unpriced_models(tenant=birch, period=WEEK) == []


@pytest.mark.parametrize(
    ("waits", "median"),
    [({}, None), ({5: 4}, 550), ({5: 1, 6: 1}, 600), ({0: 1, 23: 5}, 10_000), ({9: 3, 15: 2}, 983)],
)
def test_the_median_out_of_counts(waits: dict[int, int], median: Any):
    counts = no_waits()
    for place, count in waits.items():
        counts[place] = count
    assert len(counts) == len(WAIT_BUCKETS_MS) + 1
    assert median_of(counts) == median
