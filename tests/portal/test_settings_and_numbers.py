"""The tenant's settings, and its numbers."""

from __future__ import annotations

from collections.abc import Callable

from django.test import Client

from tenants.models import Agent, AuditEntry, Number, Tenant, TenantSettings, User, Worker
from tests.portal.conftest import address


def test_settings_of_the_tenant_reach_its_agents(
    published: Agent, bob: User, browse: Callable[[User], Client]
) -> None:
    data = {"voice": "cedar", "greetings-languages": ["de"], "greetings-de": "Guten Tag!"}
    assert browse(bob).post(address("settings"), data).status_code == 302
    row = TenantSettings.all_tenants.get(tenant=published.tenant)
    assert (row.voice, row.greetings, row.model) == ("cedar", {"de": "Guten Tag!"}, None)
    page = browse(bob).get(address("agent", agent_id=published.public_id))
    assert page.context["form"].row("voice").inherited_level == "tenant"
    texts = {text.language: text for text in page.context["form"].greeting_rows}
    assert texts["de"].inherited_text == "Guten Tag!"
    assert not texts["de"].is_here
    assert texts["en"].is_here
    entry = AuditEntry.all_tenants.get(action="settings.edit")
    assert entry.user == bob
    assert entry.changes == {
        "voice": [None, "cedar"],
        "greetings": [None, {"de": "Guten Tag!"}],
    }


def test_settings_that_cannot_hold_together_are_refused_at_their_field(
    acme: Tenant, bob: User, browse: Callable[[User], Client]
) -> None:
    answer = browse(bob).post(address("settings"), {"vad_mode": "local"})
    assert answer.status_code == 200
    assert "local_vad" in answer.context["form"].errors
    assert TenantSettings.all_tenants.get(tenant=acme).vad_mode is None


def test_another_tenants_account_cannot_be_chosen(
    birch: Tenant, bob: User, make_account, browse: Callable[[User], Client]
) -> None:
    theirs = make_account(birch)
    answer = browse(bob).post(address("settings"), {"provider_account": str(theirs.public_id)})
    assert "provider_account" in answer.context["form"].errors


def test_the_operators_account_can_be_chosen(
    acme: Tenant, bob: User, make_account, browse: Callable[[User], Client]
) -> None:
    ours = make_account(None, name="House account")
    data = {"provider_account": str(ours.public_id)}
    assert browse(bob).post(address("settings"), data).status_code == 302
    assert TenantSettings.all_tenants.get(tenant=acme).provider_account == ours
    assert "House account" in browse(bob).get(address("settings")).content.decode()


def test_a_number_is_added_led_to_an_agent_and_taken_out(
    published: Agent, erin: User, browse: Callable[[User], Client]
) -> None:
    browser = browse(erin)
    data = {
        "number": "+49 (30) 123-456",
        "label": "Head office",
        "agent": str(published.public_id),
        "language": "de",
        "is_active": "on",
    }
    assert browser.post(address("number_new"), data).status_code == 302
    number = Number.all_tenants.get(label="Head office")
    assert (number.number, number.agent, number.language) == ("+4930123456", published, "de")
    page = browser.get(address("numbers")).content.decode()
    assert 'data-number="+4930123456"' in page
    url = address("number", number_id=number.public_id)
    assert browser.post(url, data | {"number": "300", "is_active": ""}).status_code == 302
    number.refresh_from_db()
    assert (number.number, number.is_active) == ("300", False)
    browser.post(address("number_delete", number_id=number.public_id))
    assert not Number.all_tenants.filter(pk=number.pk).exists()
    actions = AuditEntry.all_tenants.filter(user=erin).values_list("action", flat=True)
    assert set(actions) == {"number.create", "number.edit", "number.delete"}


def test_a_number_that_anybody_has_is_refused_without_saying_who(
    number: Number, birch: Tenant, charlie: User, browse: Callable[[User], Client]
) -> None:
    theirs = Agent.all_tenants.create(tenant=birch, name="Desk")
    data = {"number": "100", "agent": str(theirs.public_id), "is_active": "on"}
    answer = browse(charlie).post(address("number_new", slug="birch"), data)
    page = answer.content.decode()
    assert "This number is in use already." in page
    assert "Acme" not in page


def test_a_number_cannot_lead_to_another_tenants_agent(
    published: Agent, charlie: User, browse: Callable[[User], Client]
) -> None:
    data = {"number": "555", "agent": str(published.public_id), "is_active": "on"}
    answer = browse(charlie).post(address("number_new", slug="birch"), data)
    assert "agent" in answer.context["form"].errors
    assert not Number.all_tenants.filter(number="555").exists()


def test_what_is_no_number_is_refused_in_words(
    published: Agent, erin: User, browse: Callable[[User], Client]
) -> None:
    data = {"number": "one hundred!", "agent": str(published.public_id), "is_active": "on"}
    page = browse(erin).post(address("number_new"), data).content.decode()
    assert "is not a number or extension" in page
    assert 'value="one hundred!"' in page


def test_the_page_of_a_number_says_how_to_dial_it(
    number: Number, worker: Worker, victor: User, browse: Callable[[User], Client]
) -> None:
    addresses = ["sip:192.0.2.1:5060;transport=udp", "sips:192.0.2.1:5061;transport=tls"]
    Worker.objects.filter(pk=worker.pk).update(connected=True, addresses=addresses)
    page = browse(victor).get(address("number", number_id=number.public_id)).content.decode()
    assert "sip:100@192.0.2.1:5060;transport=udp" in page
    assert "sips:100@192.0.2.1:5061;transport=tls" in page


def test_the_list_says_which_numbers_are_not_answered(
    number: Number, acme: Tenant, victor: User, browse: Callable[[User], Client]
) -> None:
    silent = Agent.all_tenants.create(tenant=acme, name="Silent")
    Number.all_tenants.create(tenant=acme, number="400", agent=silent)
    Number.all_tenants.create(tenant=acme, number="500", agent=number.agent, is_active=False)
    page = browse(victor).get(address("numbers")).content.decode()
    assert page.count("answers calls") == 1
    assert "agent not published" in page
    assert "switched off" in page
