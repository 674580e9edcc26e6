"""The list of calls with its filters, and the page of search."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import time_machine
from django.test import Client
from django.utils import timezone

from tenants.models import Agent, Call, Number, Tag, Tenant, ToolCall, User
from tenants.services import search
from tests.portal.conftest import address, say


@pytest.fixture
def alices(alice: User, browse: Callable[[User], Client]) -> Client:
    return browse(alice)


def rows(browser: Client, query: str = "", name: str = "calls") -> int:
    return browser.get(address(name) + query).content.decode().count("data-call=")


def ways(browser: Client, query: str = "") -> dict[str, str]:
    """Queries behind Older and Newer."""
    page = browser.get(address("calls") + query).content.decode()
    found = {}
    for way in ("prev", "next"):
        before, mark, _ = page.partition(f'rel="{way}"')
        if mark:
            link = before.rpartition('href="')[2].partition('"')[0].replace("&amp;", "&")
            found[way] = link.removeprefix(address("calls"))
    return found


def test_the_list_goes_page_by_page_and_keeps_its_filter(
    make_call: Callable[..., Call], alices: Client
):
    for number in range(51):
        make_call(started_at=timezone.now() - timedelta(minutes=number))
    make_call(calling="+49555000", calling_name="", end_cause="provider_failed")
    query = "?outcome=answered"
    assert rows(alices, query) == 50
    assert "prev" not in ways(alices, query)
    older = ways(alices, query)["next"]
    assert "outcome=answered" in older
    assert rows(alices, older) == 2
    assert "next" not in ways(alices, older)
    assert rows(alices, ways(alices, older)["prev"]) == 50


@pytest.mark.parametrize(
    "query",
    [
        "?agent=nonsense&outcome=odd&number=x&tag=no&kind=x&tool=x&duration=x",
        "?since=never&until=9999-12-31",
        "?since=0001-01-01",
        "?until=0001-01-01x",
        "?at=x",
        "?at=%00",
    ],
)
def test_a_value_that_does_not_exist_narrows_nothing(call: Call, alices: Client, query: str):
    assert rows(alices, query) == 1


def test_each_filter_narrows(
    make_call: Callable[..., Call],
    call: Call,
    acme: Tenant,
    agent: Agent,
    number: Number,
    alices: Client,
):
    make_call(calling="+49555000", calling_name="", end_cause="provider_failed", kind="browser")
    make_call(calling="+49777", duration_ms=5000, number=None)
    call.tags.add(Tag.all_tenants.create(tenant=acme, name="complaint"))
    assert rows(alices) == 3
    for query, count in {
        "?caller=49555": 1,
        "?caller=Maria": 2,
        "?caller=nobody": 0,
        "?outcome=failed": 1,
        "?outcome=transferred": 1,
        "?duration=0-30": 1,
        "?duration=30-120": 2,
        f"?number={number.public_id}": 2,
        f"?agent={agent.public_id}": 3,
        "?kind=browser": 1,
        "?tool=transfer_call": 1,
        "?tag=complaint": 1,
    }.items():
        assert rows(alices, query) == count, query
    assert "No call matches" in alices.get(address("calls") + "?caller=nobody").content.decode()


@time_machine.travel(datetime(2026, 11, 22, 12, tzinfo=UTC), tick=False)
def test_days_are_those_where_the_reader_is(
    make_call: Callable[..., Call], alice: User, browse: Callable[[User], Client]
):
    alice.time_zone = "Pacific/Auckland"
    alice.save()
    # 13:00 in London on the 21st is the 22nd in Auckland.
    make_call(started_at=datetime(2026, 11, 21, 13, tzinfo=UTC))
    browser = browse(alice)
    assert rows(browser, "?since=2026-11-22&until=2026-11-22") == 1
    assert rows(browser, "?until=2026-11-21") == 0
    assert rows(browser, "?since=2026-11-23") == 0


def test_words_find_calls_and_are_marked(
    call: Call, make_call: Callable[..., Call], alices: Client
):
    make_call()
    search.index(call)
    for name in ("calls", "search"):
        page = alices.get(address(name) + "?q=connect sal").content.decode()
        assert page.count("data-call=") == 1
        assert "<mark>connect</mark> me to <mark>sales</mark>." in page
    assert rows(alices, "?q=connect%20purchasing") == 0
    nothing = alices.get(address("search") + "?q=purchasing").content.decode()
    assert "No call has these words" in nothing


def test_what_a_caller_said_is_text_in_a_snippet_too(call: Call, alices: Client):
    say(call, "item_9", 90, "caller", "<b>bold</b> words")
    search.index(call)
    page = alices.get(address("search") + "?q=bold").content.decode()
    assert "<b>bold" not in page
    assert "&lt;b&gt;<mark>bold</mark>&lt;/b&gt; words" in page


def test_search_without_words_asks_for_them(call: Call, alices: Client):
    page = alices.get(address("search")).content.decode()
    assert "What was said?" in page
    assert "data-call=" not in page


def test_lists_cost_the_same_however_long_they_are(
    make_call: Callable[..., Call], call: Call, alices: Client, django_assert_max_num_queries: Any
):
    for _ in range(30):
        found = make_call()
        say(found, "item_1", 1, "caller", "Please connect me.")
        ToolCall.all_tenants.create(
            tenant=found.tenant,
            call=found,
            tool_call_id="t",
            position=2,
            name="hang_up",
            state="succeeded",
        )
        search.index(found)
    for name, query in (("calls", ""), ("calls", "?q=connect"), ("search", "?q=connect")):
        with django_assert_max_num_queries(15):
            assert rows(alices, query, name) >= 30
