"""The operator looks after customers, the price list and the defaults."""

from __future__ import annotations

import re
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
from django.core import mail
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from tenants.models import (
    Agent,
    Invitation,
    Number,
    Price,
    ProviderAccount,
    Tenant,
    User,
    Worker,
)
from tenants.services import members
from tenants.services.effective import platform_settings
from tests.tenants.money import make_model, make_price


def at(name: str, **arguments: Any) -> str:
    return reverse(f"console:{name}", kwargs=arguments)


def text(browser: Client, url: str, **query: Any) -> str:
    answer = browser.get(url, query)
    assert answer.status_code == 200
    return answer.content.decode()


# --- customers -----------------------------------------------------------------------------------


def test_the_list_is_narrowed_by_name_and_state(acme: Tenant, birch: Tenant, operator: Client):
    Tenant.objects.filter(pk=birch.pk).update(is_active=False)
    page = text(operator, at("tenants"))
    assert "Acme Dental" in page
    assert "Birch Legal" in page
    assert "Birch Legal" not in text(operator, at("tenants"), q="acme")
    assert "Acme Dental" not in text(operator, at("tenants"), state="off")
    assert "No tenant is called so" in text(operator, at("tenants"), q="zzz")


def test_a_long_list_is_paged_in_few_queries(operator: Client, django_assert_max_num_queries: Any):
    Tenant.objects.bulk_create(Tenant(slug=f"t{n}", name=f"Tenant {n:03}") for n in range(120))
    with django_assert_max_num_queries(20):
        page = text(operator, at("tenants"))
    assert "Tenant 049" in page
    assert "Tenant 050" not in page
    assert "Tenant 119" in text(operator, at("tenants"), page=3)


NEW = {
    "name": "Cedar",
    "slug": "cedar",
    "owner_email": "cora@cedar.example",
    "time_zone": "Europe/Vienna",
    "max_concurrent_calls": "5",
    "max_calls_a_minute": "20",
    "max_numbers": "2",
    "budget_month": "100",
    "budget_currency": "EUR",
}


def test_a_customer_is_made_and_its_owner_invited(operator: Client):
    answer = operator.post(at("tenant_new"), NEW)
    made = Tenant.objects.get(slug="cedar")
    assert answer["Location"] == at("tenant", tenant_id=made.public_id)
    assert (made.time_zone, made.max_calls_a_minute, made.max_numbers) == ("Europe/Vienna", 20, 2)
    assert Invitation.all_tenants.get(tenant=made).email == "cora@cedar.example"
    [letter] = mail.outbox
    assert letter.to == ["cora@cedar.example"]
    assert "/invitations/" in letter.body


def test_where_no_letter_goes_out_the_link_is_shown(
    operator: Client, settings: Any, tmp_path: Path
):
    settings.EMAIL_BACKEND = "django.core.mail.backends.filebased.EmailBackend"
    settings.EMAIL_FILE_PATH = tmp_path
    page = operator.post(at("tenant_new"), NEW).content.decode()
    assert re.search(r"/invitations/[^/\s<]+/", page)
    made = Tenant.objects.get(slug="cedar")
    assert f'action="{at("tenant", tenant_id=made.public_id)}"' in page


def test_an_owner_who_never_came_is_invited_again_or_another(operator: Client):
    operator.post(at("tenant_new"), NEW)
    made = Tenant.objects.get(slug="cedar")
    [invitation] = Invitation.all_tenants.all()
    ids = {"tenant_id": made.public_id, "invitation_id": invitation.public_id}
    Invitation.all_tenants.update(expires_at=timezone.now() - timedelta(days=1))
    assert "the link is over" in text(operator, at("tenant", tenant_id=made.public_id))
    operator.post(at("owner_again", **ids))
    assert len(mail.outbox) == 2
    invitation.refresh_from_db()
    assert invitation.expires_at > timezone.now()
    operator.post(at("owner_again", **ids), {"withdraw": "1"})
    page = text(operator, at("tenant", tenant_id=made.public_id))
    assert f'action="{at("owner_again", **ids)}"' not in page
    assert at("owner_invite", tenant_id=made.public_id) in page
    operator.post(at("owner_invite", tenant_id=made.public_id), {"email": "dora@cedar.example"})
    assert mail.outbox[2].to == ["dora@cedar.example"]
    operator.post(at("owner_invite", tenant_id=made.public_id), {"email": "no address"})
    assert len(mail.outbox) == 3


def test_where_there_is_an_owner_the_operator_invites_nobody(
    acme: Tenant, alice: User, operator: Client
):
    invitation, _token = members.invite(
        tenant=acme, user=alice, email="otto@acme.example", role="owner"
    )
    page = text(operator, at("tenant", tenant_id=acme.public_id))
    assert "otto@acme.example" in page
    assert "Send again" not in page
    operator.post(at("owner_invite", tenant_id=acme.public_id), {"email": "me@operator.example"})
    ids = {"tenant_id": acme.public_id, "invitation_id": invitation.public_id}
    for data in ({}, {"withdraw": "1"}):
        said = operator.post(at("owner_again", **ids), data, follow=True).content.decode()
        assert "This tenant has an owner" in said
    assert mail.outbox == []
    assert Invitation.all_tenants.get().revoked_at is None


def test_a_short_name_is_made_of_the_name(operator: Client):
    data = NEW | {"slug": "", "name": "Dr. Müller & Söhne"}
    assert operator.post(at("tenant_new"), data).status_code == 302
    assert Tenant.objects.filter(slug="dr-muller-sohne").exists()
    answer = operator.post(at("tenant_new"), data | {"name": "株式会社"})
    assert "slug" in answer.context["form"].errors


def test_a_short_name_that_is_taken_is_refused_at_its_field(acme: Tenant, operator: Client):
    answer = operator.post(at("tenant_new"), NEW | {"slug": "acme"})
    assert "slug" in answer.context["form"].errors
    assert not Invitation.all_tenants.exists()


def test_limits_are_set_and_a_customer_switched_off_and_on(acme: Tenant, operator: Client):
    url = at("tenant", tenant_id=acme.public_id)
    data = {key: value for key, value in NEW.items() if key not in {"slug", "owner_email"}}
    assert operator.post(url, data | {"name": "Acme"}).status_code == 302
    acme.refresh_from_db()
    assert (acme.slug, acme.max_concurrent_calls, acme.budget_currency) == ("acme", 5, "EUR")
    answer = operator.post(url, data | {"max_calls_a_minute": "0"})
    assert "max_calls_a_minute" in answer.context["form"].errors
    suspend = at("tenant_suspend", tenant_id=acme.public_id)
    operator.post(suspend)
    acme.refresh_from_db()
    assert not acme.is_active
    assert "Switch on" in text(operator, url)
    operator.post(suspend, {"on": "1"})
    acme.refresh_from_db()
    assert acme.is_active


def test_the_page_of_a_customer_takes_few_queries_and_shows_no_content(
    number: Number, operator: Client, django_assert_max_num_queries: Any
):
    with django_assert_max_num_queries(20):
        page = text(operator, at("tenant", tenant_id=number.tenant.public_id))
    assert "You are the reception" not in page


# --- models and prices ---------------------------------------------------------------------------


@pytest.fixture
def ending(agent: Agent) -> Any:
    """A model that Acme's agent uses and that is shut down in a month."""
    ProviderAccount.all_tenants.update(url="wss://api.openai.com/v1/realtime")
    Agent.all_tenants.filter(pk=agent.pk).update(model="old")
    day = timezone.now().date() + timedelta(days=30)
    return make_model("old", shutdown_on=day, replacement="gpt-realtime-2.1")


def test_the_catalogue_names_who_uses_what_ends(ending: Any, operator: Client):
    page = text(operator, at("models"))
    assert "uses old, which the provider shuts down on" in page
    assert "The provider names gpt-realtime-2.1 in its place." in page
    assert "Acme Dental" in text(operator, at("model", model_id=ending.pk))


def test_a_model_is_added_and_changed(operator: Client):
    data = {
        "provider": "other",
        "name": "theirs",
        "kind": "realtime",
        "formats": ["pcmu", "pcm24k"],
        "voices": "ada, grace",
        "is_offered": "on",
    }
    assert operator.post(at("model_new"), data).status_code == 302
    model = make_model("theirs", "other")
    assert (model.formats, model.voices) == (["pcmu", "pcm24k"], ["ada", "grace"])
    for name in ("theirs", "grace"):
        assert f'<option value="{name}">' in text(operator, at("defaults")), "it is suggested"
    url = at("model", model_id=model.pk)
    assert operator.post(url, data | {"shutdown_on": "2027-01-20"}).status_code == 302
    model.refresh_from_db()
    assert model.shutdown_on == date(2027, 1, 20)
    operator.post(url, {name: value for name, value in data.items() if name != "is_offered"})
    assert '<option value="theirs">' not in text(operator, at("defaults"))
    assert "in the catalogue already" in operator.post(at("model_new"), data).content.decode()


def test_a_price_is_added_from_a_day_on(operator: Client):
    before = make_price("m", text_in=1)
    url = at("price_new", model_id=before.model.pk)
    data = {"valid_from": "2027-01-01", "currency": "USD", "text_in": "0.60", "source": "a page"}
    assert operator.post(url, data).status_code == 302
    before.refresh_from_db()
    assert before.valid_to == date(2026, 12, 31)
    assert Price.objects.filter(model=before.model).count() == 2
    page = text(operator, at("model", model_id=before.model.pk))
    assert "text 0.60 /" in page
    refused = operator.post(url, {"valid_from": "2028-01-01", "currency": "USD"})
    assert "Give at least one price." in refused.content.decode()
    refused = operator.post(url, data)
    assert refused.status_code == 200
    assert Price.objects.filter(model=before.model).count() == 2


# --- defaults ------------------------------------------------------------------------------------


def defaults_as_sent(browser: Client) -> dict[str, Any]:
    """What the page of the defaults would send as it stands."""
    form = browser.get(at("defaults")).context["form"]
    sent = {}
    for bound in form:
        value = bound.value()
        if bound.name in {"greetings", "consents", "apologies"}:
            sent[f"{bound.name}-languages"] = list(value)
            sent |= {f"{bound.name}-{code}": words for code, words in value.items()}
        elif value is not None:
            sent[bound.html_name] = value
    return sent


def test_defaults_are_changed_and_locked(agent: Agent, operator: Client):
    sent = defaults_as_sent(operator) | {"voice": "cedar", "locked": ["voice", "model"]}
    answer = operator.post(at("defaults"), sent)
    assert answer.status_code == 302, answer.context["form"].errors
    row = platform_settings()
    assert (row.voice, row.locked) == ("cedar", ["model", "voice"])
    assert row.greetings == {"en": "Hello! How can I help you?"}


def test_the_explorer_shows_who_has_what_and_who_would_change(agent: Agent, operator: Client):
    Agent.all_tenants.filter(pk=agent.pk).update(voice="ash")
    url = at("explorer")
    page = text(operator, url, name="voice")
    assert "Voice: the default is marin." in page
    assert "ash" in page
    assert "0 agents of 1 would change." in text(operator, url, name="voice", value="cedar")
    assert "1 agent of 1 would change." in text(operator, url, name="voice", lock="locked")
    assert "1 agent of 1 would change." in text(operator, url, name="interrupt", value="False")
    assert "Reception" in text(operator, url, name="nonsense")
    own = text(operator, url, name="instructions")
    assert "words of its own" in own
    assert "You are the reception" not in own
    answer = operator.get(url, {"name": "speed", "value": "9"})
    assert answer.context["form"].errors


def test_the_explorer_takes_few_queries(
    acme: Tenant, operator: Client, django_assert_max_num_queries: Any
):
    Agent.all_tenants.bulk_create(Agent(tenant=acme, name=f"Agent {n:03}") for n in range(250))
    with django_assert_max_num_queries(20):
        page = text(operator, at("explorer"), name="model", value="new")
    assert "250 agents of 250 would change." in page
    assert "Agent 099" in page
    assert "Agent 100" not in page


# --- the platform's own accounts -----------------------------------------------------------------


def test_a_key_for_everybody_goes_in_and_never_comes_out(worker: Worker, operator: Client):
    Worker.objects.update(connected=True)
    assert "tenants need no key of their own" in text(operator, at("accounts"))
    secret = "sk-for-everybody-0001"
    data = {"name": "House", "url": "wss://api.openai.com/v1/realtime", "auth": "bearer"}
    answer = operator.post(at("account_new"), data | {"secret": secret})
    made = ProviderAccount.all_tenants.get()
    assert (made.tenant, made.secret.reveal(), made.check_state) == (None, secret, "pending")
    ids = {"platform_account_id": made.public_id}
    assert answer["Location"] == at("account", **ids)
    for url in (at("account", **ids), at("accounts")):
        page = text(operator, url)
        assert "House" in page
        assert secret not in page
    part = operator.get(at("account_check", **ids), headers={"HX-Request": "true"})
    assert 'data-check="pending"' in part.content.decode()
    moved = operator.post(at("account", **ids), data | {"url": "wss://evil.example/v1/realtime"})
    assert "The address has changed" in moved.content.decode()
    assert operator.post(at("account_delete", **ids))["Location"] == at("accounts")
    assert not ProviderAccount.all_tenants.exists()


def test_a_tenants_account_is_not_the_operators(account: ProviderAccount, operator: Client):
    assert account.url not in text(operator, at("accounts"))
    ids = {"platform_account_id": account.public_id}
    for name in ("account", "account_check", "account_delete"):
        assert operator.post(at(name, **ids)).status_code == 404


def test_an_account_that_is_the_default_stays(make_account: Any, operator: Client):
    made = make_account(None, "House")
    row = platform_settings()
    row.provider_account = made
    row.save()
    assert ">default<" in text(operator, at("accounts"))
    ids = {"platform_account_id": made.public_id}
    page = operator.post(at("account_delete", **ids), follow=True).content.decode()
    assert "stays" in page
    assert ProviderAccount.all_tenants.exists()
