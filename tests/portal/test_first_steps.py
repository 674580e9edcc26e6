"""The first day: a list on Start that leads to the first call and ticks itself."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

from django.test import Client
from django.utils import timezone
from django_scopes import scope

from tenants.live import parts
from tenants.models import Agent, Call, Member, Number, ProviderAccount, Tenant, User, Worker
from tenants.services.effective import platform_settings, tenant_settings
from tenants.services.publishing import publish
from tests.portal.conftest import address
from tests.portal.test_call_pages import shown

KEY = "sk-proj-a-key-of-ours-wxyz"
NEW = {"name": "Main", "url": "wss://api.openai.com/v1/realtime", "auth": "bearer", "secret": KEY}


def done(page: str) -> int:
    return page.count('<li class="done">')


def next_button(page: str) -> str:
    """Where the one button leads that the list puts first."""
    assert page.count("btn btn-sm btn-primary") == 1
    return page.split('btn btn-sm btn-primary" href="')[1].split('"')[0]


def test_each_step_ticks_and_the_next_one_is_offered(
    acme: Tenant, worker: Worker, alice: User, browse: Callable[[User], Client]
) -> None:
    Worker.objects.update(connected=True, addresses=["sip:192.0.2.1:5060"])
    browser = browse(alice)
    assert next_button(shown(browser, "start")) == address("account_new")

    saved = browser.post(address("account_new"), NEW | {"for_all": "on"}, follow=True)
    assert next_button(saved.content.decode()) == address("agent_new"), "the account says it too"
    page = shown(browser, "start")
    assert (done(page), next_button(page)) == (1, address("agent_new"))

    browser.post(address("agent_new"), {"name": "Reception", "instructions": "Be brief."})
    agent = Agent.all_tenants.get(tenant=acme)
    publish_page = address("agent_publish", agent_id=agent.public_id)
    assert next_button(shown(browser, "start")) == publish_page

    browser.post(publish_page, {"draft_version": agent.draft_version})
    page = shown(browser, "start")
    assert (done(page), next_button(page)) == (2, address("agent_try", agent_id=agent.public_id))
    add = f"{address('number_new')}?agent={agent.public_id}"
    assert f'href="{add}"' in page
    assert str(agent.public_id) in browser.get(add).context["form"]["agent"].value()

    data = {"number": "700", "agent": str(agent.public_id), "is_active": "on"}
    answer = browser.post(address("number_new"), data, follow=True)
    assert "sip:700@192.0.2.1:5060" in answer.content.decode(), "it says how to dial the number"
    page = shown(browser, "start")
    assert done(page) == 3
    assert "sip:700@192.0.2.1:5060" in page


def test_the_list_takes_few_queries(
    call: Call,
    agent: Agent,
    alice: User,
    browse: Callable[[User], Client],
    django_assert_max_num_queries: Any,
) -> None:
    Call.all_tenants.update(kind="browser")
    for of_all in (tenant_settings(agent.tenant), platform_settings()):
        of_all.save()
    Agent.all_tenants.update(provider_account=None)
    browser = browse(alice)
    with django_assert_max_num_queries(20):
        page = shown(browser, "start")
    assert done(page) == 3


def test_the_list_is_gone_once_a_telephone_call_was_answered(
    call: Call, alice: User, browse: Callable[[User], Client]
) -> None:
    assert "First steps" not in shown(browse(alice), "start")
    Call.all_tenants.update(kind="browser")
    page = shown(browse(alice), "start")
    assert "First steps" in page
    assert done(page) == 4, "it was tried, and not called"


def test_an_open_page_sees_the_last_tick(call: Call, acme: Tenant, alice: User) -> None:
    member = Member.all_tenants.get(user=alice)

    def sent() -> dict[str, str]:
        with scope(tenant=acme):
            return {part["id"]: part["html"] for part in parts.start_numbers(acme, member)}

    assert done(sent()["first-steps"]) == 5
    Call.all_tenants.update(started_at=timezone.now() - timedelta(hours=1))
    assert "first-steps" not in sent()


def test_an_account_that_no_agent_speaks_with_is_not_enough(
    account: ProviderAccount, alice: User, browse: Callable[[User], Client]
) -> None:
    page = shown(browse(alice), "start")
    assert "“Main” is stored, but no agent speaks with it." in page
    assert next_button(page) == address("settings")
    account.delete()
    account = ProviderAccount.all_tenants.create(name="Bare", tenant=account.tenant)
    url = address("account", account_id=account.public_id)
    assert next_button(shown(browse(alice), "start")) == url
    row = platform_settings()
    row.provider_account = ProviderAccount.all_tenants.create(name="House", tenant=None)
    row.save()
    assert next_button(shown(browse(alice), "start")) == url, "the operator's has no key either"


def test_who_may_not_do_a_step_gets_no_button(
    published: Agent, victor: User, browse: Callable[[User], Client]
) -> None:
    page = shown(browse(victor), "start")
    assert "Connect a number to it" in page
    assert "btn-primary" not in page


def test_the_account_that_all_speak_with_is_asked_for_once(
    published: Agent, number: Number, bob: User, browse: Callable[[User], Client]
) -> None:
    browser = browse(bob)
    assert 'name="for_all" id="id_for_all" checked' in shown(browser, "account_new")
    browser.post(address("account_new"), NEW | {"name": "Second", "for_all": "on"})
    made = ProviderAccount.all_tenants.get(name="Second")
    assert made.check_state, "the key is tried at once"
    assert "for_all" not in shown(browser, "account", account_id=made.public_id)
    assert 'name="for_all" id="id_for_all">' in shown(browser, "account_new")
    row = platform_settings()
    row.locked = ["provider_account"]
    row.save()
    assert "for_all" not in shown(browser, "account_new")


def test_publishing_warns_of_an_agent_that_cannot_speak(
    acme: Tenant, agent: Agent, erin: User, browse: Callable[[User], Client]
) -> None:
    warning = "It has no account to speak with"
    mute = Agent.all_tenants.create(tenant=acme, name="Mute")
    assert warning in shown(browse(erin), "agent_publish", agent_id=mute.public_id)
    publish(agent=mute, user=erin)
    assert warning not in shown(browse(erin), "agent_publish", agent_id=agent.public_id)
