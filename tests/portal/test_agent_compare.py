"""Comparing two states of an agent, what publishing would change, and the list's last calls."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django_scopes import scope

from tenants.models import Agent, Call, PlatformSettings, Tenant, User
from tenants.portal.changes import compared
from tenants.services.effective import platform_settings, tenant_settings
from tenants.services.publishing import has_unpublished_changes, publish, save_draft
from tests.portal.conftest import address

MOST_QUERIES = 20


@pytest.fixture
def second(published: Agent, alice: User) -> Agent:
    """The agent with a second revision, and a draft that differs from both."""
    published.voice, published.greetings = "cedar", {"en": "Hi!", "fr": "Bonjour"}
    save_draft(agent=published, user=alice)
    publish(agent=published, user=alice, note="other voice")
    published.instructions = "You are the reception of Acme Dental.\nBe brief."
    published.voice = None
    save_draft(agent=published, user=alice)
    return published


def compare(browser: Client, agent: Agent, **asked: Any) -> Any:
    return browser.get(address("agent_compare", agent_id=agent.public_id), asked)


def rows(answer: Any) -> dict[str, Any]:
    return {row.label: row for row in answer.context["rows"]}


def test_without_a_choice_the_draft_is_compared_with_what_answers_calls(
    second: Agent, victor: User, browse: Callable[[User], Client]
) -> None:
    answer = compare(browse(victor), second)
    assert (answer.context["a"], answer.context["b"]) == ("2", "draft")
    found = rows(answer)
    assert set(found) == {"Voice", "Prompt"}
    # What is given up is what is inherited then, by name and level.
    assert (found["Voice"].old.text, found["Voice"].old.level) == ("cedar", "agent")
    assert (found["Voice"].new.text, found["Voice"].new.level) == ("marin", "platform")
    assert [(line.kind, line.text) for line in found["Prompt"].lines] == [
        ("same", "You are the reception of Acme Dental."),
        ("added", "Be brief."),
    ]


def test_any_two_revisions_are_compared_either_way_round(
    second: Agent, victor: User, browse: Callable[[User], Client]
) -> None:
    there = rows(compare(browse(victor), second, a=1, b=2))
    back = rows(compare(browse(victor), second, a=2, b=1))
    assert set(there) == set(back) == {"Voice", "Greetings: English", "Greetings: French"}
    assert (there["Voice"].old, there["Voice"].new) == (back["Voice"].new, back["Voice"].old)
    assert there["Greetings: French"].old is None
    assert there["Greetings: French"].new.text == "Bonjour"
    assert "They say the same." in compare(browse(victor), second, a=1, b=1).content.decode()


@pytest.mark.parametrize("wrong", ["3", "0", "-1", "x", "9" * 30, "1.5", ""])
def test_what_was_never_published_cannot_be_compared(
    wrong: str, second: Agent, victor: User, browse: Callable[[User], Client]
) -> None:
    assert compare(browse(victor), second, a=wrong).status_code == 404
    assert compare(browse(victor), second, b=wrong).status_code == 404


def test_what_callers_do_not_notice_says_so(
    published: Agent, erin: User, browse: Callable[[User], Client]
) -> None:
    published.voice = "marin"  # what the platform says too
    save_draft(agent=published, user=erin)
    answer = browse(erin).get(address("agent_publish", agent_id=published.public_id))
    [row] = answer.context["changes"]
    assert (row.name, row.is_felt) == ("voice", False)
    assert "it is the same value, fixed here" in answer.content.decode()


def test_what_the_operator_locked_has_no_effect(
    published: Agent, erin: User, browse: Callable[[User], Client]
) -> None:
    platform_settings()
    PlatformSettings.objects.update(locked=["voice"])
    published.voice = "cedar"
    save_draft(agent=published, user=erin)
    answer = browse(erin).get(address("agent_publish", agent_id=published.public_id))
    assert answer.context["changes"] == []


def test_inherited_values_are_those_of_today(published: Agent, acme: Tenant, erin: User) -> None:
    settings = tenant_settings(acme)
    settings.voice, settings.greetings = "ash", {"de": "Guten Tag"}
    settings.save()
    published.voice = "cedar"
    published.greetings = {"de": "Hallo"}
    with scope(tenant=acme):
        found: dict[str, Any] = {
            row.label: row for row in compared(published.published, published, acme)
        }
    assert (found["Voice"].old.text, found["Voice"].old.level) == ("ash", "tenant")
    german = found["Greetings: German"]
    assert (german.old.text, german.old.level, german.new.text) == ("Guten Tag", "tenant", "Hallo")
    english = found["Greetings: English"]
    assert (english.old.level, english.new.level) == ("agent", "platform")


def test_a_long_prompt_shows_what_changed_and_a_little_around_it(
    published: Agent, acme: Tenant
) -> None:
    lines = [f"Rule number {count} of the house." for count in range(40)]
    published.instructions = "\n".join(lines)
    with scope(tenant=acme):
        save_draft(agent=published, user=None)
        publish(agent=published, user=None)
        published.instructions = "\n".join([*lines[:20], "Another rule.", *lines[21:]])
        [row] = compared(published.published, published, acme)
    assert [line.kind for line in row.lines].count("left") == 2
    assert len(row.lines) < 12
    assert ("added", "Another rule.") in [(line.kind, line.text) for line in row.lines]


def test_a_first_publication_shows_what_it_says_and_what_its_calls_get(
    agent: Agent, erin: User, browse: Callable[[User], Client]
) -> None:
    answer = browse(erin).get(address("agent_publish", agent_id=agent.public_id))
    assert {"instructions", "greetings"} <= {change.name for change in answer.context["first"]}
    assert "What its calls get" in answer.content.decode()


def test_the_list_names_the_last_call_of_each_agent(
    published: Agent,
    acme: Tenant,
    make_call: Callable[..., Call],
    victor: User,
    browse: Callable[[User], Client],
) -> None:
    make_call()
    newest = make_call()
    quiet = Agent.all_tenants.create(tenant=acme, name="Zurich")
    answer = browse(victor).get(address("agents"))
    last = {row.name: row.last_call for row in answer.context["agents"]}
    assert last == {"Reception": newest, quiet.name: None}
    assert address("call", call_id=newest.public_id) in answer.content.decode()
    assert "no call yet" in answer.content.decode()


def test_the_pages_need_few_queries_however_many_agents_and_revisions(
    second: Agent,
    acme: Tenant,
    make_call: Callable[..., Call],
    alice: User,
    browse: Callable[[User], Client],
) -> None:
    for count in range(12):
        other = Agent.all_tenants.create(
            tenant=acme, name=f"Agent {count}", provider_account=second.provider_account
        )
        publish(agent=other, user=alice)
        publish(agent=second, user=alice)
        make_call(agent=other, revision=other.published)
    browser = browse(alice)
    pages = ("agent", "agent_publish", "agent_compare", "agent_history", "agent_try")
    urls = [address(name, agent_id=second.public_id) for name in pages]
    for url in (address("agents"), *urls):
        with CaptureQueriesContext(connection) as queries:
            assert browser.get(url).status_code == 200
        assert len(queries) <= MOST_QUERIES, (url, "\n".join(one["sql"][-60:] for one in queries))


def test_an_account_is_compared_without_loading_it(published: Agent, alice: User) -> None:
    fresh = Agent.all_tenants.select_related("published_revision").get(pk=published.pk)
    with CaptureQueriesContext(connection) as queries:
        assert not has_unpublished_changes(fresh)
    assert len(queries) == 0
