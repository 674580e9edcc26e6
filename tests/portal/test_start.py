"""Start: the numbers of today and the month, and what needs somebody."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal

import pytest
from django.test import Client
from django.utils import timezone

from tenants.models import Agent, Call, ProviderModel, Tenant, User, Worker
from tenants.services.prices import provider_of
from tenants.services.publishing import publish
from tests.portal.conftest import address
from tests.portal.test_call_pages import shown

pytestmark = pytest.mark.django_db


def test_start_says_how_long_people_talked_and_what_failed(
    make_call: Callable[..., Call], alice: User, browse: Callable[[User], Client]
) -> None:
    now = timezone.now()
    for cause in ("caller_hung_up", "provider_failed"):
        make_call(started_at=now, ended_at=now, duration_ms=600_000, end_cause=cause)
    page = shown(browse(alice), "start")
    assert '<span class="stat-value">20</span>' in page
    assert "1 failed" in page


def test_start_says_what_the_month_has_cost_of_the_budget(
    acme: Tenant, make_call: Callable[..., Call], alice: User, browse: Callable[[User], Client]
) -> None:
    acme.budget_month, acme.budget_currency = Decimal(50), "USD"
    acme.save()
    now = timezone.now()
    make_call(started_at=now, ended_at=now, cost=Decimal("1.25"), currency="USD", settled_at=now)
    page = shown(browse(alice), "start")
    assert "1.25 USD" in page
    assert "50.00" in page
    assert "is used up" not in page
    acme.budget_month = Decimal(1)
    acme.save()
    assert "the budget of 1.00 USD is used up" in shown(browse(alice), "start")


def test_a_model_that_is_shut_down_is_news_where_an_agent_uses_it(
    call: Call, agent: Agent, alice: User, browse: Callable[[User], Client]
) -> None:
    on = timezone.localdate() + timedelta(days=30)
    for name in ("old-model", "other-model"):
        ProviderModel.objects.create(
            provider=provider_of(agent.provider_account.url if agent.provider_account else ""),
            name=name,
            kind="realtime",
            shutdown_on=on,
            replacement="new-model",
        )
    agent.model = "old-model"
    agent.save()
    publish(agent=agent, user=alice)
    page = shown(browse(alice), "start")
    assert "“Reception”: the provider shuts “old-model” down on" in page
    assert f'href="{address("agent", agent_id=agent.public_id)}"' in page
    assert "Its successor is “new-model”." in page
    assert "other-model" not in page
    ProviderModel.objects.filter(name="old-model").update(shutdown_on=timezone.localdate())
    assert "the provider shut “old-model” down on" in shown(browse(alice), "start")


def test_workers_that_are_nearly_full_are_news(
    worker: Worker, alice: User, browse: Callable[[User], Client]
) -> None:
    full = "The media workers are nearly full"
    Worker.objects.update(connected=True, capacity=10, active_calls=8)
    assert full not in shown(browse(alice), "start")
    Worker.objects.update(active_calls=9)
    assert full in shown(browse(alice), "start")
    Worker.objects.update(draining=True)
    assert "new calls are refused" in shown(browse(alice), "start")
