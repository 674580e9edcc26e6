"""The records of superusers: every page opens, keys stay in, what happened cannot be edited."""

from __future__ import annotations

from typing import Any

import pytest
from django.core.cache import cache
from django.test import Client
from django.urls import reverse

from media_worker import contract
from tenants.admin import admin_site
from tenants.models import (
    Agent,
    AgentRevision,
    AuditEntry,
    Call,
    Member,
    Number,
    PlatformSettings,
    ProviderAccount,
    Tenant,
    TenantSettings,
    User,
    Worker,
)
from tenants.services import workers
from tests.conftest import PASSWORD
from tests.tenants.calls import Outbox, admitted, said

KEY = "sk-live-0123456789abcdef"
PAGES = sorted(model._meta.model_name or "" for model in admin_site._registry)


@pytest.fixture
def operator(client: Client, olga: User) -> Client:
    client.force_login(olga)
    return client


@pytest.fixture
def busy(number: Number, worker: Worker, account: ProviderAccount) -> Call:
    """A call on which something happened, so that no page is empty."""
    call, outbox = admitted(worker), Outbox(worker)
    for event in (
        contract.CallAnswered(),
        said("i", "Secret words of a caller"),
        contract.ToolUpdated(
            tool_call_id="t", position=2, name="hang_up", state=contract.ToolState.SUCCEEDED
        ),
        contract.TurnMeasured(number=1, first_audio_ms=900),
        contract.ProviderProblem(
            account_id=str(account.public_id), kind=contract.ProblemKind.QUOTA, message="No money"
        ),
    ):
        outbox.send(event, call)
    outbox.store(b'{"seq":99,"at":1,"event":{"event":"unheard.of"}}')
    return call


def page(name: str, *args: Any) -> str:
    return reverse(f"admin:tenants_{name}", args=args)


def test_there_is_a_page_for_every_noun():
    assert set(PAGES) >= {"tenant", "user", "provideraccount", "agent", "agentrevision", "number"}
    assert set(PAGES) >= {"worker", "call", "platformsettings", "tenantsettings", "auditentry"}


@pytest.mark.parametrize("name", PAGES)
def test_every_list_and_form_opens(name: str, operator: Client, busy: Call, acme: Tenant):
    listed = operator.get(page(f"{name}_changelist"), follow=True)
    assert listed.status_code == 200
    model = next(model for model in admin_site._registry if model._meta.model_name == name)
    for row in model._base_manager.all()[:2]:
        opened = operator.get(page(f"{name}_change", row.pk))
        assert opened.status_code == 200
        # The strict policy would drop them.
        assert " style=" not in opened.content.decode()
        assert "<script>" not in opened.content.decode()
    if admin_site._registry[model].has_add_permission(listed.wsgi_request):
        assert operator.get(page(f"{name}_add")).status_code == 200


def test_the_index_is_arranged(operator: Client, busy: Call):
    sections = operator.get(reverse("admin:index")).context["app_list"]
    assert [str(section["name"]) for section in sections] == [
        "Customers",
        "Agents and numbers",
        "Calls",
        "Installation",
    ]
    assert sum(len(section["models"]) for section in sections) == len(PAGES)


@pytest.mark.parametrize("name", PAGES)
def test_only_staff_comes_in(name: str, client: Client, alice: User):
    path = page(f"{name}_changelist")
    response = client.get(path, follow=True)
    assert response.redirect_chain[-1][0].startswith("/accounts/login/")
    client.force_login(alice)
    assert client.get(path, follow=True).status_code == 403


def test_signing_in_is_throttled(client: Client, alice: User):
    def attempt(password: str) -> Any:
        return client.post("/accounts/login/", {"login": alice.email, "password": password})

    for _ in range(5):
        assert attempt("wrong").status_code == 200
    assert attempt(PASSWORD).status_code == 200
    assert "_auth_user_id" not in client.session
    cache.clear()
    assert attempt(PASSWORD).status_code == 302
    assert "_auth_user_id" in client.session


def test_signing_in_leads_on(client: Client, olga: User):
    response = client.post(
        "/accounts/login/?next=/admin/", {"login": olga.email.upper(), "password": PASSWORD}
    )
    assert (response.status_code, response.headers["Location"]) == (302, "/admin/")


def test_nobody_signs_up(client: Client, db: None):
    assert client.get("/accounts/signup/").status_code == 404


# --- keys ----------------------------------------------------------------------------------------


def test_a_key_goes_in_and_never_comes_out(operator: Client, acme: Tenant):
    fields = {"tenant": acme.pk, "name": "OpenAI", "url": "wss://api.openai.com/v1/realtime"}
    added = operator.post(
        page("provideraccount_add"), {**fields, "auth": "bearer", "key": KEY}, follow=True
    )
    account = ProviderAccount.all_tenants.get()
    assert account.secret.reveal() == KEY
    shown = operator.get(page("provideraccount_change", account.pk)).content.decode()
    assert account.secret_fingerprint in shown
    assert KEY not in shown + added.content.decode()
    assert KEY not in str(list(AuditEntry.all_tenants.values()))


def test_saving_an_account_without_a_key_keeps_it(operator: Client, account: ProviderAccount):
    fields = {"name": "Renamed", "url": account.url, "auth": "bearer", "key": ""}
    operator.post(page("provideraccount_change", account.pk), fields)
    stored = ProviderAccount.all_tenants.get()
    assert (stored.name, stored.secret.reveal()) == ("Renamed", "sandbox-key-0001")


def test_a_stored_key_does_not_follow_to_another_host(operator: Client, account: ProviderAccount):
    fields = {"name": "Main", "url": "wss://evil.example/", "auth": "bearer", "key": ""}
    response = operator.post(page("provideraccount_change", account.pk), fields)
    assert "give the key once more" in response.content.decode()
    assert ProviderAccount.all_tenants.get().url == account.url


def test_keys_are_checked_from_the_list(operator: Client, account: ProviderAccount):
    action = {"action": "check_keys", "_selected_action": [account.pk]}
    assert operator.post(page("provideraccount_changelist"), action).status_code == 302
    assert ProviderAccount.all_tenants.get().check_state == "failed"


# --- what may be changed -------------------------------------------------------------------------


def test_a_tenant_and_its_members_are_made(operator: Client, charlie: User):
    operator.post(
        page("tenant_add"),
        {
            "name": "New",
            "slug": "new",
            "is_active": "on",
            "max_concurrent_calls": "3",
            "budget_currency": "EUR",
            "time_zone": "Europe/Vienna",
            "members-TOTAL_FORMS": "1",
            "members-INITIAL_FORMS": "0",
            "members-0-user": charlie.pk,
            "members-0-role": "owner",
        },
    )
    member = Member.all_tenants.get(tenant__slug="new")
    assert (member.user, member.role) == (charlie, "owner")
    entry = AuditEntry.all_tenants.get(action="admin.tenant.create")
    assert entry.user is not None


def test_platform_settings_are_one_page(operator: Client):
    form = operator.get(page("platformsettings_changelist"), follow=True)
    fields = form.context["adminform"].form.initial
    known = {name: value for name, value in fields.items() if value is not None}
    known |= {"voice": "cedar", "greetings": '{"en": "Hi"}', "apologies": "", "speed": "7"}
    known |= {"consents": ""}
    wrong = operator.post(page("platformsettings_change", 1), known)
    assert "less than or equal to 1.5" in wrong.content.decode()
    operator.post(page("platformsettings_change", 1), {**known, "speed": "1.1"})
    row = PlatformSettings.objects.get()
    assert (row.voice, row.greetings, row.apologies) == ("cedar", {"en": "Hi"}, None)


def test_the_platform_may_switch_transcription_off(operator: Client):
    form = operator.get(page("platformsettings_changelist"), follow=True)
    fields = form.context["adminform"].form.initial
    known = {name: value for name, value in fields.items() if value is not None}
    texts = dict.fromkeys(("greetings", "consents", "apologies"), "null")
    texts |= {"transcription_model": ""}
    operator.post(page("platformsettings_change", 1), {**known, **texts})
    assert PlatformSettings.objects.get().transcription_model == ""


def test_an_empty_field_of_a_tenant_is_inherited(operator: Client, acme: Tenant):
    operator.post(page("tenantsettings_add"), {"tenant": acme.pk, "voice": "cedar"})
    row = TenantSettings.all_tenants.get()
    assert (row.voice, row.model, row.transcription_model, row.greetings) == (
        "cedar",
        None,
        None,
        None,
    )


def test_a_worker_is_made_and_its_token_shown_once(operator: Client):
    response = operator.post(page("worker_add"), {"name": "media-1"}, follow=True)
    [message] = [str(one) for one in response.context["messages"] if "pbxw_" in str(one)]
    token = message.rsplit(" ", 1)[1]
    assert workers.authenticate(token) == Worker.objects.get()
    again = operator.get(page("worker_change", Worker.objects.get().pk))
    assert token not in again.content.decode()


@pytest.mark.parametrize(
    ("build", "capacity", "in_list", "on_page"),
    [
        ("2.15.1", 4, "4 (wheel)</", "4: the wheel of pjsua2 takes no more. “make pjsua2” on"),
        ("2.17+calls512", 512, "512</", "512</"),
        ("2.17+calls512", 4, "4</", "4</"),  # it was told to take no more
        ("", 0, "0</", "0</"),  # not heard of yet
    ],
)
def test_a_workers_build_and_true_capacity_are_shown(
    build: str, capacity: int, in_list: str, on_page: str, operator: Client, worker: Worker
):
    Worker.objects.update(sip_build=build, capacity=capacity)
    listed = operator.get(page("worker_changelist")).content.decode()
    assert f'<td class="field-short_capacity">{in_list}' in listed
    assert f'<td class="field-sip_build">{build or "-"}</' in listed
    opened = operator.get(page("worker_change", worker.pk)).content.decode()
    assert f'<div class="readonly">{on_page}' in opened
    assert f'<div class="readonly">{build or "-"}</' in opened
    assert ("make pjsua2" in opened) == (build == "2.15.1")


@pytest.mark.parametrize("name", ["agentrevision", "call", "auditentry", "setasiderecord"])
def test_what_happened_is_not_edited(name: str, operator: Client, busy: Call):
    model = next(model for model in admin_site._registry if model._meta.model_name == name)
    row = model._base_manager.first()
    assert row is not None
    assert operator.post(page(f"{name}_change", row.pk), {}).status_code == 403
    assert operator.post(page(f"{name}_delete", row.pk), {"post": "yes"}).status_code == 403
    assert operator.get(page(f"{name}_add")).status_code == 403


def test_what_was_said_is_not_the_operators(operator: Client, busy: Call):
    text = operator.get(page("call_change", busy.pk)).content.decode()
    assert "Secret words" not in text
    assert "No money" in text


def test_a_draft_is_saved_like_in_the_portal(operator: Client, agent: Agent, olga: User):
    fields = {"name": "Night", "transfer_targets": "[]", "greetings": "null", "apologies": "null"}
    operator.post(page("agent_change", agent.pk), fields)
    stored = Agent.all_tenants.get()
    assert (stored.name, stored.draft_version, stored.updated_by) == ("Night", 2, olga)
    assert not AgentRevision.all_tenants.exists()
