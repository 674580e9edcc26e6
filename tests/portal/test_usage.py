"""The usage page, and how money is written."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone, translation

from tenants.models import Call, ProviderAccount, Tenant, User
from tenants.services.settling import settle_due
from tenants.templatetags.ui import milliseconds, minutes, money, sums_of_money
from tests.portal.conftest import address
from tests.tenants.money import realtime_price

SPACE = "\N{NO-BREAK SPACE}"


@pytest.mark.parametrize(
    ("amount", "text"),
    [
        (None, "not known"),
        ("0", f"0.00{SPACE}USD"),
        ("0.00001", f"< 0.0001{SPACE}USD"),
        ("0.0042", f"0.0042{SPACE}USD"),
        ("0.0768", f"0.08{SPACE}USD"),
        ("1234.5", f"1,234.50{SPACE}USD"),
    ],
)
def test_money_has_four_decimals_below_a_cent(amount: str | None, text: str):
    assert money(Decimal(amount) if amount else None, "USD") == text


def test_money_is_written_as_the_reader_writes_it():
    with translation.override("de"):
        assert money(Decimal("1234.5"), "EUR") == f"1.234,50{SPACE}EUR"
    costs = {"USD": Decimal(1), "EUR": Decimal(2)}
    assert sums_of_money(costs) == f"2.00{SPACE}EUR + 1.00{SPACE}USD"


@pytest.mark.parametrize(
    ("span_ms", "text"),
    [
        (0, "0"),
        (900, "0.1"),
        (20_000, "0.3"),
        (21_085, "0.4"),
        (594_000, "9.9"),
        (599_000, "10"),
        (74_100_000, "1,235"),
    ],
)
def test_a_short_call_is_not_rounded_away(span_ms: int, text: str):
    assert minutes(span_ms) == text


def test_waits_are_rounded_and_not_cut_off():
    assert milliseconds(640) == "640 ms"
    assert milliseconds(1_663) == "1.7 s"


@pytest.fixture
def used(make_call: Callable[..., Call], account: ProviderAccount) -> Call:
    """A call of an hour ago in which a minute was spoken."""
    account.url = "wss://api.openai.com/v1/realtime"
    account.save()
    realtime_price()
    now = timezone.now()
    call = make_call(
        account=account,
        model="gpt-realtime-2.1",
        started_at=now,
        usage={
            "output_audio_tokens": 1_200_000,
            "responses": 4,
            "models": ["gpt-realtime-2.1"],
        },
    )
    make_call(started_at=now - timedelta(days=2), end_cause="provider_failed")
    settle_due()
    return call


def page(browse: Callable[[User], Client], user: User, **query: Any) -> str:
    answer = browse(user).get(address("usage"), query)
    assert answer.status_code == 200
    return answer.content.decode()


def test_the_page_shows_money_calls_and_minutes(
    used: Call, alice: User, browse: Callable[[User], Client]
):
    html = page(browse, alice)
    assert f"76.80{SPACE}USD" in html
    assert re.search(r'data-value="76\.80*">', html)
    assert "1 failed" in html
    assert 'href="/t/acme/agents/' in html
    assert html.count("data-chart=") == 4
    assert html.count("Answer delay") > 4
    assert len(re.findall(r"<th scope=\"row\"", html)) == 30 * 3 + 24


def test_every_period_can_be_looked_at(used: Call, alice: User, browse: Callable[[User], Client]):
    for period in ("7", "30", "month", "month-before", "year", "nonsense"):
        html = page(browse, alice, period=period)
        assert 'aria-current="true"' in html
        assert ("Calls a month" in html) is (period == "year")
        assert html.count('<th scope="row"') < 3 * 40 + 60


def test_before_the_first_call_it_says_what_will_be_here(
    acme: Tenant, alice: User, browse: Callable[[User], Client]
):
    html = page(browse, alice)
    assert "No calls in this period" in html
    assert "data-chart=" not in html


def test_a_model_without_a_price_is_named(
    used: Call, alice: User, browse: Callable[[User], Client]
):
    assert "No price is known" not in page(browse, alice)
    used.usages(manager="all_tenants").update(cost=None, price=None)
    assert "No price is known for gpt-realtime-2.1" in page(browse, alice)


def test_the_budget_of_the_month_is_shown_beside_what_was_spent(
    used: Call, acme: Tenant, alice: User, browse: Callable[[User], Client]
):
    assert 'role="meter"' not in page(browse, alice)
    acme.budget_month = Decimal(100)
    acme.save()
    assert 'aria-valuenow="76"' in page(browse, alice)
    acme.budget_month = Decimal(50)
    acme.save()
    html = page(browse, alice)
    assert 'aria-valuenow="100"' in html
    assert "calls go on" in html


def test_the_page_of_a_call_asks_until_its_cost_is_counted(
    make_call: Callable[..., Call], alice: User, browse: Callable[[User], Client]
):
    now = timezone.now()
    call = make_call(started_at=now, ended_at=now)

    def cost() -> str:
        html = browse(alice).get(address("call", call_id=call.public_id)).content.decode()
        return html.split('id="call-cost"')[1].split("</div>")[0]

    assert 'hx-trigger="load delay:2s"' in cost()
    assert "It is being counted." in cost()
    settle_due()
    assert "hx-get" not in cost()
    assert f"0.00{SPACE}USD" in cost()


def test_a_cost_that_lacks_a_model_says_so(
    used: Call, alice: User, browse: Callable[[User], Client]
):
    url = address("call", call_id=used.public_id)
    assert "No price is known" not in browse(alice).get(url).content.decode()
    used.usages(manager="all_tenants").create(
        tenant=used.tenant, call=used, kind="transcription", model="other", responses=1
    )
    html = browse(alice).get(url).content.decode()
    assert f"76.80{SPACE}USD" in html
    assert "No price is known for a model of this call." in html


def test_it_takes_few_queries(
    used: Call, alice: User, browse: Callable[[User], Client], django_assert_max_num_queries: Any
):
    client = browse(alice)
    with django_assert_max_num_queries(20):
        client.get(address("usage"))
