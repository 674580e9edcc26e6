"""The company, its data, support, a provider's next key, fallback and chat, over REST."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from typing import Any

import pytest
from asgiref.sync import async_to_sync
from django.core.files.base import ContentFile
from django.utils import timezone

from tenants.models import (
    Agent,
    AuditEntry,
    DataExport,
    IdentityProvider,
    Prompt,
    ProviderAccount,
    ProviderModel,
    SupportGrant,
    Tenant,
    User,
    Worker,
)
from tenants.models.choices import CheckState, PromptState
from tenants.services import exports, identity
from tenants.services.effective import BUILT_IN
from tenants.services.prices import provider_of
from tests.api.conftest import Api, problem_of


def test_the_company_and_what_it_may_change(api: Api, acme: Tenant):
    assert api.get("/company").json()["languages"] == ["en", "de"]
    wanted = {"name": "Acme", "keep_recordings_days": 30, "languages": ["de"]}
    changed = api.patch("/company", wanted)
    assert changed.status_code == 200, changed.content
    acme.refresh_from_db()
    assert (acme.name, acme.keep_recordings_days, acme.languages) == ("Acme", 30, ["de"])
    assert api.patch("/company", {"keep_recordings_days": None, "name": None}).status_code == 200
    acme.refresh_from_db()
    assert (acme.name, acme.keep_recordings_days) == ("Acme", None)
    document = problem_of(api.patch("/company", {"time_zone": "Mars/North"}), 422, "refused")
    assert document["errors"][0]["pointer"] == "#/time_zone"
    problem_of(api.patch("/company", {"max_concurrent_calls": 500}), 400, "invalid")


def test_support_is_let_in_and_sent_out(api: Api, acme: Tenant):
    made = api.post("/support-grants", {"hours": 4, "role": "admin", "reason": "It is silent."})
    assert made.status_code == 201, made.content
    row = SupportGrant.all_tenants.get(tenant=acme)
    assert (row.role, row.reason) == ("admin", "It is silent.")
    assert api.delete(f"/support-grants/{row.public_id}").status_code == 204
    (listed,) = api.get("/support-grants").json()["items"]
    assert listed["revoked_at"] is not None
    problem_of(api.post("/support-grants", {"hours": 1000}), 400, "invalid")


def test_all_data_is_asked_for_fetched_and_deleted(api: Api):
    asked = api.post("/exports", Idempotency_Key="once")
    assert (asked.status_code, asked.json()["state"]) == (202, "waiting")
    assert api.post("/exports", Idempotency_Key="once").json()["id"] == asked.json()["id"]
    problem_of(api.post("/exports"), 422, "refused")
    path = f"/exports/{asked.json()['id']}"
    problem_of(api.get(f"{path}/file"), 404)
    exports.make_due()
    assert api.get(path).json()["state"] == "ready"
    file = api.get(f"{path}/file")

    async def whole() -> bytes:
        return b"".join([piece async for piece in file.streaming_content])

    body = async_to_sync(whole)()
    assert body[:2] == b"PK"
    assert len(body) == int(file.headers["Content-Length"])
    assert AuditEntry.all_tenants.filter(action="export.download", via="api").exists()
    assert api.delete(path).status_code == 204
    assert not DataExport.all_tenants.exists()


def test_the_end_is_asked_for_by_name_and_taken_back(
    api: Api, api_of: Callable[..., Api], bob: User, acme: Tenant
):
    problem_of(api.post("/company/close", {"name": "Acme"}), 422, "refused")
    assert api.get("/company").json()["closing_at"] is None
    assert api.post("/company/close", {"name": acme.name}).json()["closing_at"]
    problem_of(api_of(bob, acme, "settings:write").post("/company/keep"), 403)
    assert api.post("/company/keep").json()["closing_at"] is None


def test_an_invitation_is_sent_again(api: Api, settings_things: dict[str, Any], mailoutbox: Any):
    path = f"/invitations/{settings_things['invitation_id']}"
    again = api.post(f"{path}/send-again")
    assert (again.status_code, again.json()["letter_sent"]) == (200, True)
    assert mailoutbox[-1].to == [again.json()["email"]]
    assert api.delete(path).status_code == 204
    problem_of(api.post(f"{path}/send-again"), 404)


def test_the_first_words_are_made_and_heard(api: Api, published: Agent, account: ProviderAccount):
    path = f"/agents/{published.public_id}"
    (greeting,) = api.get(f"{path}/first-words").json()["published"]
    assert (greeting["kind"], greeting["state"], greeting["prompt"]) == (
        "greeting",
        "waiting",
        None,
    )
    api.patch(path, {"settings": {"greetings": {"en": "Acme, good morning!"}}})
    (fresh,) = api.get(f"{path}/first-words").json()["draft"]
    assert (fresh["text"], fresh["state"]) == ("Acme, good morning!", "none")
    ordered = api.post(f"{path}/first-words")
    assert ordered.status_code == 202, ordered.content
    assert ordered.json()["draft"][0]["state"] == "waiting"
    row = Prompt.all_tenants.get(text="Acme, good morning!")
    row.state, row.digest = PromptState.READY, "0" * 64
    row.file.save("", ContentFile(b"RIFF"))
    (ready,) = api.get(f"{path}/first-words").json()["draft"]
    sound = api.get(f"/prompts/{ready['prompt']}/sound")
    assert (sound.headers["Content-Type"], sound.content) == ("audio/wav", b"RIFF")


def test_models_say_whom_their_end_concerns(api: Api, published: Agent):
    model = published.published.model or BUILT_IN["model"]
    provider = provider_of(published.published.provider_account.url)
    ProviderModel.objects.update_or_create(
        provider=provider,
        name=model,
        defaults={"kind": "realtime", "shutdown_on": date(2027, 1, 31)},
    )
    found: dict[Any, Any] = {}
    cursor: str | None = ""
    while cursor is not None:
        page = api.get(f"/models?limit=2&cursor={cursor}").json()
        found |= {(one["provider"], one["name"]): one for one in page["items"]}
        cursor = page["next_cursor"]
    assert found[provider, model]["shutdown_on"] == "2027-01-31"
    assert found[provider, model]["used_by"] == [str(published.public_id)]


def test_the_companys_own_sign_in(
    api: Api, api_of: Callable[..., Api], bob: User, acme: Tenant, monkeypatch: pytest.MonkeyPatch
):
    tried: list[str] = []
    monkeypatch.setattr(identity, "_try", tried.append)
    given = {"name": "Acme account", "issuer": "https://login.example.com", "client_id": "pbxai"}
    made = api.post("/identity-providers", {**given, "secret": "very-secret-9f3c"})
    assert made.status_code == 201, made.content
    assert given.items() <= made.json().items()
    assert (made.json()["has_secret"], made.json()["secret_ends_in"]) == (True, "9f3c")
    assert "very-secret" not in made.content.decode()
    assert f"identity-{made.json()['id'].replace('-', '')}" in made.json()["redirect_uri"]
    path = f"/identity-providers/{made.json()['id']}"
    changed = api.patch(path, {"domains": ["Acme.example"], "is_active": False}).json()
    assert (changed["domains"], changed["is_active"]) == (["acme.example"], False)
    moved = {"issuer": "https://elsewhere.example.com"}
    document = problem_of(api.patch(path, moved), 422, "refused")
    assert document["errors"][0]["pointer"] == "#/secret"
    problem_of(api.patch(path, {"domains": ["not a domain"]}), 422, "refused")
    assert tried == ["https://login.example.com"] * 2
    problem_of(api_of(bob, acme, "settings:write").get("/identity-providers"), 403)
    assert len(api.get("/identity-providers").json()["items"]) == 1
    assert api.delete(path).status_code == 204
    problem_of(api.get(path), 404)


def test_what_is_set_up_by_saml_is_shown_and_switched_off(api: Api, acme: Tenant, settings: Any):
    row = IdentityProvider.all_tenants.create(
        tenant=acme, kind="saml", name="Acme account", entity_id="https://login.example.com/idp"
    )
    path = f"/identity-providers/{row.public_id}"
    shown = api.get(path).json()
    assert (shown["kind"], shown["issuer"], shown["redirect_uri"]) == ("saml", "", "")
    for name, value in (("issuer", "https://a.example"), ("client_id", "b"), ("secret", "c")):
        document = problem_of(api.patch(path, {name: value}), 422, "refused")
        assert document["errors"][0]["pointer"] == f"#/{name}"
    assert api.patch(path, {"is_active": False}).json()["is_active"] is False
    settings.SAML = False
    problem_of(api.get(path), 404)
    assert api.get("/identity-providers").json()["items"] == []


def test_a_key_is_changed_while_calls_go_on(api: Api, account: ProviderAccount):
    path = f"/accounts/{account.public_id}/next-key"
    assert api.get(path).json()["has_key"] is False
    given = api.post(path, {"secret": "sandbox-key-0002"})
    assert given.status_code == 202, given.content
    assert "sandbox-key" not in given.content.decode()
    assert given.json()["key_ends_in"] == "0002"
    # No worker is there that could try it.
    assert given.json()["state"] == CheckState.FAILED
    problem_of(api.post(f"{path}/use"), 409, "not-checked")
    ProviderAccount.all_tenants.update(next_check_state=CheckState.OK)
    assert api.post(f"{path}/use").status_code == 202
    account.refresh_from_db()
    assert account.secret.reveal() == "sandbox-key-0002"
    assert api.post(path, {"secret": "sandbox-key-0003"}).status_code == 202
    assert api.delete(path).status_code == 204
    assert api.get(path).json()["has_key"] is False


def test_an_agents_fallback(
    api: Api,
    acme: Tenant,
    agent: Agent,
    make_account: Callable[..., ProviderAccount],
    birch: Tenant,
):
    path, second = f"/agents/{agent.public_id}", make_account(acme, "Second")
    wanted: dict[str, Any] = {
        "fallback_account": str(second.public_id),
        "fallback_target": "sales",
    }
    assert api.patch(path, wanted).status_code == 200
    assert wanted.items() <= api.get(path).json().items()
    assert wanted.items() <= api.post(f"{path}/publish", {}).json().items()
    assert api.patch(path, {"fallback_target": ""}).json()["fallback_account"] is not None
    assert api.patch(path, {"fallback_account": None}).json()["fallback_account"] is None
    for name, value in (
        ("fallback_account", str(make_account(birch).public_id)),
        ("fallback_target", "nobody"),
    ):
        document = problem_of(api.patch(path, {name: value}), 422, "refused")
        assert document["errors"][0]["pointer"] == f"#/{name}"


def test_a_chat_with_an_agent(
    api: Api, api_of: Callable[..., Api], bob: User, acme: Tenant, published: Agent, worker: Worker
):
    path = f"/agents/{published.public_id}/chats"
    problem_of(api.post(path, {}), 409, "cannot-try")
    worker.connected, worker.last_seen_at = True, timezone.now()
    worker.commands = ["chat.start", "chat.text"]
    worker.save()
    begun = api.post(path, {"source": "draft"})
    assert begun.status_code == 202, begun.content
    assert (begun.json()["kind"], begun.json()["draft_version"]) == ("chat", 1)
    here = f"/calls/{begun.json()['id']}/chat"
    assert api.post(here, {"text": "When are you open?"}).json()["item_id"].startswith("chat_")
    other = api_of(bob, acme, "live:act")
    problem_of(other.post(here, {"text": "Me too."}), 409, "cannot-try")


def test_what_is_an_owners_is_no_admins(api_of: Callable[..., Api], bob: User, acme: Tenant):
    admin = api_of(bob, acme, "settings:read")
    assert admin.get("/company").status_code == 200
    for path in ("/exports", "/support-grants"):
        problem_of(admin.get(path), 403)
