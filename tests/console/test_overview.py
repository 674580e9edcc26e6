"""The overview shows what is, and of calls no more than their number."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from tenants.models import Agent, Call, JobFailure, ProviderAccount, Tenant, Worker
from tenants.services import jobs
from tests.tenants.money import make_model

Make = Callable[..., Call]


def shown(operator: Client) -> str:
    answer = operator.get("/console/")
    assert answer.status_code == 200
    return answer.content.decode()


def values(operator: Client) -> dict[str, object]:
    stats = operator.get("/console/").context["stats"]
    return {stat.id: (stat.value, stat.note) for stat in stats}


def news(operator: Client) -> dict[str, str]:
    """What needs the operator, by where its button leads."""
    return {item.url: item.text for item in operator.get("/console/").context["attention"]}


def test_an_empty_installation_says_what_to_do(operator: Client) -> None:
    page = shown(operator)
    assert "No tenant yet" in page
    assert "create_worker" in page
    assert "nobody answers the phone" in page


def test_numbers_are_those_of_all_tenants(
    operator: Client, make_call: Make, worker: Worker, birch: Tenant
) -> None:
    Worker.objects.update(connected=True, capacity=8)
    make_call(state="running")
    make_call(state="ringing", tenant=birch, number=None, agent=None, revision=None)
    make_call(state="refused", refusal_reason="worker_full", answered_at=None)
    Tenant.objects.filter(pk=birch.pk).update(is_active=False)
    seen = values(operator)
    assert seen["stat-running"] == (2, "of 8 that the workers take")
    assert seen["stat-answered"] == (1, "1 refused")
    assert seen["stat-workers"] == ("1 of 1", "")
    assert seen["stat-tenants"] == (2, "1 switched off")
    assert "1 call was refused today because its media worker was full." in shown(operator)


def test_the_busiest_tenant_stands_first(
    operator: Client, make_call: Make, acme: Tenant, birch: Tenant
) -> None:
    make_call(state="running", tenant=birch, number=None, agent=None, revision=None)
    assert [row.name for row in operator.get("/console/").context["tenants"]] == [
        birch.name,
        acme.name,
    ]


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"connected": False}, "nobody answers the phone"),
        ({"capacity": 4, "active_calls": 4}, "is nearly full: 4 of 4 calls."),
        ({"set_aside_records": 2}, "reported 2 events that could not be stored."),
    ],
)
def test_a_worker_in_trouble_is_news(
    operator: Client, worker: Worker, fields: dict[str, object], sentence: str
) -> None:
    Worker.objects.update(connected=True, capacity=4)
    assert sentence not in shown(operator)
    Worker.objects.update(**fields)
    assert sentence in shown(operator)


@pytest.fixture
def working(settings: Any, tmp_path: Path) -> None:
    """The jobs process is well."""
    settings.DATA_DIR = tmp_path
    jobs.note_alive()


def test_jobs_in_trouble_are_news(
    operator: Client, worker: Worker, working: None, settings: Any, tmp_path: Path
) -> None:
    assert "/console/jobs/" not in news(operator)
    failure = JobFailure.objects.create(task="tenants.tasks.x", args={}, error="ValueError")
    assert news(operator)["/console/jobs/"] == "1 job failed today."
    failure.retried_at = timezone.now()
    failure.save()
    assert "/console/jobs/" not in news(operator)
    settings.DATA_DIR = tmp_path / "elsewhere"
    assert "has not been heard of" in news(operator)["/console/jobs/"]


def test_what_needs_the_operator_leads_there(
    operator: Client, worker: Worker, working: None
) -> None:
    Worker.objects.update(connected=True, capacity=4, active_calls=4)
    url = f"/console/workers/{worker.public_id}/"
    assert list(news(operator)) == [url]
    assert f'<a class="btn btn-sm" href="{url}">See worker</a>' in shown(operator)


def test_the_platforms_account_that_fails_is_news_and_a_tenants_is_not(
    operator: Client, make_account: Callable[..., ProviderAccount], acme: Tenant
) -> None:
    make_account(None, "For all")
    make_account(acme, "Own")
    ProviderAccount.all_tenants.update(check_state="failed")
    page = shown(operator)
    assert "“For all” failed" in page
    assert "Own" not in page


def test_models_that_end_are_news(
    operator: Client, agent: Agent, worker: Worker, working: None
) -> None:
    ProviderAccount.all_tenants.update(url="wss://api.openai.com/v1/realtime")
    Agent.all_tenants.update(model="old")
    ending = make_model("old")
    assert "/console/models/" not in news(operator)
    today = timezone.now().date()
    for days, words in ((20, "will soon shut down"), (-1, "has shut down")):
        ending.shutdown_on = today + timedelta(days=days)
        ending.save()
        assert words in news(operator)["/console/models/"]
        assert news(operator)["/console/models/"].startswith("1 agent uses")


def test_nothing_of_what_was_said_is_shown(operator: Client, call: Call) -> None:
    page = shown(operator)
    for secret in (call.calling, call.calling_name, "opening hours"):
        assert secret not in page


def test_it_takes_few_queries(
    operator: Client, call: Call, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    # Four of them find the agents whose models end.
    with django_assert_max_num_queries(16):
        operator.get("/console/")
