"""Lists of calls: what they are narrowed by, and the way through them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django_scopes import scope

from tenants.models import Agent, Call, Number, Tag, Tenant, ToolCall
from tenants.services import calls_list
from tenants.services.calls_list import BadCursor, CallQuery
from tests.tenants.test_search import make as make_said

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)


def make(tenant: Tenant, minutes: int = 0, **fields: Any) -> Call:
    """A call that began so many minutes before NOW."""
    began = NOW - timedelta(minutes=minutes)
    values = {"called": "100", "state": "ended", "started_at": began, "ended_at": began}
    return Call.all_tenants.create(tenant=tenant, **(values | fields))


def found(tenant: Tenant, **query: Any) -> list[Call]:
    with scope(tenant=tenant):
        return calls_list.page(query=CallQuery(**query), tenant=tenant, size=100).rows


def walk(tenant: Tenant, cursor: str = "", size: int = 3) -> calls_list.Page:
    with scope(tenant=tenant):
        return calls_list.page(query=CallQuery(cursor=cursor), tenant=tenant, size=size)


def test_the_way_there_and_back_shows_each_call_once(acme: Tenant):
    # Five began in the same moment.
    calls = [make(acme, minutes) for minutes in (9, 5, 5, 5, 5, 5, 2, 1)][::-1]
    first = walk(acme)
    second = walk(acme, first.older)
    third = walk(acme, second.older)
    assert first.rows + second.rows + third.rows == calls
    assert (first.newer, third.older) == ("", "")
    assert walk(acme, third.newer).rows == second.rows
    assert walk(acme, second.newer).rows == first.rows
    assert walk(acme, second.newer).newer == ""


def test_calls_that_come_meanwhile_move_nothing(acme: Tenant):
    calls = [make(acme, minutes) for minutes in range(9)]
    older = walk(acme).older
    late = make(acme, -1)
    second = walk(acme, older)
    assert second.rows == calls[3:6]
    back = walk(acme, second.newer)
    assert back.rows == calls[:3]
    assert walk(acme, back.newer).rows == [late, *calls[:2]]


def test_a_page_costs_one_query_and_counts_nothing(acme: Tenant, django_assert_num_queries: Any):
    for minutes in range(9):
        make(acme, minutes)
    older = walk(acme).older
    with django_assert_num_queries(1) as asked:
        walk(acme, older)
    sql = asked.captured_queries[0]["sql"].upper()
    assert "COUNT(" not in sql
    assert "OFFSET" not in sql


@pytest.mark.parametrize(
    "cursor",
    ["x", "%%%", "bzEgMjAyNg", "b3ggMjAyNi0xMS0yMlQxMjowMDowMCswMDowMA", "eDEgMjAyNi0xMS0yMg", "é"],
)
def test_a_cursor_that_is_none_is_refused(acme: Tenant, cursor: str):
    with pytest.raises(BadCursor):
        walk(acme, cursor)


def test_times_and_durations(acme: Tenant):
    short = make(acme, 60, answered_at=NOW, duration_ms=5000)
    long = make(acme, 10, answered_at=NOW, duration_ms=60_000)
    never = make(acme, 30)
    assert found(acme, since=NOW - timedelta(minutes=30)) == [long, never]
    assert found(acme, until=NOW - timedelta(minutes=30)) == [short]
    assert found(acme, min_ms=5000) == [long, short]
    assert found(acme, max_ms=60_000) == [short]
    assert found(acme, min_ms=0, max_ms=70_000) == [long, short]


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("+4930", {"maria"}),
        ("4930", {"maria"}),
        ("+49 30 12", {"maria"}),
        ("0160", {"otto"}),
        ("maria", {"maria"}),
        ("Huber", set()),
        ("anon", {"nobody"}),
        ("%", set()),
        ("  ", {"maria", "otto", "nobody"}),
    ],
)
def test_a_caller_is_found_by_how_the_number_or_the_name_begins(
    acme: Tenant, text: str, names: set[str]
):
    calls = {
        make(acme, calling="+4930123", calling_name="Maria Huber"): "maria",
        make(acme, calling="0160555", calling_name=""): "otto",
        make(acme, calling="anonymous"): "nobody",
    }
    assert {calls[call] for call in found(acme, caller=text)} == names


def test_agent_number_kind_tag_tool_and_words(
    acme: Tenant, published: Agent, number: Number, birch: Tenant
):
    plain = make(acme, 1)
    mine = make(acme, 2, agent=published, number=number)
    tried = make(acme, 3, kind="browser")
    tag = Tag.all_tenants.create(tenant=acme, name="complaint")
    plain.tags.add(tag)
    ToolCall.all_tenants.create(
        tenant=acme, call=mine, tool_call_id="t", position=1, name="hang_up", state="succeeded"
    )
    said = make_said(acme, "Guten Tag", started_at=NOW - timedelta(minutes=4))
    make_said(birch, "Guten Tag")
    assert found(acme, agent=published) == [mine]
    assert found(acme, number=number) == [mine]
    assert found(acme, kind="browser") == [tried]
    assert found(acme, tag=tag) == [plain]
    assert found(acme, tool="hang_up") == [mine]
    assert found(acme, text="guten ta") == [said]
    assert found(acme, text="guten ta", kind="browser") == []
    assert found(acme) == [plain, mine, tried, said]


def test_outcomes(acme: Tenant):
    running = make(acme, 1, state="running", ended_at=None, answered_at=NOW)
    over = make(acme, 2, end_cause="transferred", answered_at=NOW)
    failed = make(acme, 3, end_cause="provider_failed", answered_at=NOW)
    refused = make(acme, 4, state="refused", refusal_reason="tenant_limit")
    assert found(acme, outcome="running") == [running]
    assert found(acme, outcome="answered") == [running, over, failed]
    assert found(acme, outcome="transferred") == [over]
    assert found(acme, outcome="failed") == [failed]
    assert found(acme, outcome="refused") == [refused]
