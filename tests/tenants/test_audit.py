"""The audit log: who it was, by which door, and what it was before; never a secret."""

from __future__ import annotations

import uuid
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest
from asgiref.sync import async_to_sync, sync_to_async
from django.http import HttpResponse
from django.test import Client, RequestFactory

from pbxai.celery import app
from pbxai.doors import actor_middleware, client_address, door, socket_actor
from tenants.actor import NOBODY, Actor, acting, current, note
from tenants.models import (
    Agent,
    ApiToken,
    AuditEntry,
    Number,
    ProviderAccount,
    SupportGrant,
    Tenant,
    User,
)
from tenants.models.choices import Via
from tenants.services import audit
from tenants.services.accounts import save_account
from tenants.services.numbers import save_number
from tenants.services.publishing import save_draft

LATER = datetime(2099, 1, 1, tzinfo=UTC)


def entry(action: str) -> AuditEntry:
    return AuditEntry.all_tenants.get(action=action)


# --- who is at work ------------------------------------------------------------------------------


def test_without_a_door_it_is_a_command():
    assert current() == Actor(via=Via.COMMAND)
    assert current() is NOBODY


def test_an_actor_holds_for_what_runs_inside_in_other_threads_too(db: None):
    @sync_to_async
    def in_a_thread() -> Actor:
        return current()

    async def both() -> tuple[Actor, Actor]:
        with acting(Actor(via=Via.API, address="192.0.2.1")) as actor:
            inside = await in_a_thread()
        assert inside is actor
        return inside, await in_a_thread()

    inside, after = async_to_sync(both)()
    assert (inside.address, after.via) == ("192.0.2.1", Via.COMMAND)


def test_what_is_learnt_later_ends_with_the_door(acme: Tenant, alice: User):
    grant = SupportGrant(tenant=acme, expires_at=LATER)
    with acting(Actor(via=Via.PORTAL)):
        note(support=grant)
        assert current() == Actor(via=Via.PORTAL, support=grant)
    assert current().support is None
    note(support=grant)
    assert current() == NOBODY


@pytest.mark.parametrize(
    ("path", "via"),
    [
        ("/api/worker/v1/calls", Via.WORKER),
        ("/api/v1/calls", Via.API),
        ("/console/tenants/tenant/", Via.CONSOLE),
        ("/admin/", Via.ADMIN),
        ("/t/acme/agents/", Via.PORTAL),
        ("/apiary", Via.PORTAL),
    ],
)
def test_each_door_has_its_name(path: str, via: Via):
    assert door(path) is via


@pytest.mark.parametrize(
    ("proxies", "remote", "forwarded", "address"),
    [
        (0, "192.0.2.1", "", "192.0.2.1"),
        (0, "192.0.2.1", "198.51.100.7", "192.0.2.1"),
        (1, "127.0.0.1", "198.51.100.7", "198.51.100.7"),
        (1, "127.0.0.1", "203.0.113.9, 198.51.100.7", "198.51.100.7"),
        (1, "127.0.0.1", "", "127.0.0.1"),
        (1, "127.0.0.1", "<script>", ""),
        (2, "127.0.0.1", "198.51.100.7, 10.0.0.1", "198.51.100.7"),
        (0, "", "", ""),
        (0, "2001:db8::1", "", "2001:db8::1"),
    ],
)
def test_an_address_is_the_one_that_our_proxy_heard(
    proxies: int, remote: str, forwarded: str, address: str, settings: Any
):
    settings.ALLAUTH_TRUSTED_PROXY_COUNT = proxies
    assert client_address(remote, forwarded) == address


def test_a_request_tells_who_acts_and_has_an_id(alice: User, rf: RequestFactory):
    seen: list[Actor] = []

    def view(request: Any) -> HttpResponse:
        seen.append(current())
        return HttpResponse()

    request = rf.get("/t/acme/", REMOTE_ADDR="192.0.2.1")
    request.user = alice
    actor_middleware(view)(request)
    actor_middleware(view)(request)
    first, second = seen
    assert (first.user, first.via, first.address) == (alice, Via.PORTAL, "192.0.2.1")
    assert len(first.request_id) == 32
    assert first.request_id != second.request_id
    assert current().user is None


def test_a_socket_tells_who_acts(alice: User):
    actor = socket_actor({"user": alice, "client": ["192.0.2.1", 5], "headers": []}, Via.PORTAL)
    assert (actor.user, actor.address, len(actor.request_id)) == (alice, "192.0.2.1", 32)
    assert socket_actor({"client": None}, Via.WORKER).address == ""


def test_a_job_acts_as_a_job():
    @app.task(name="tests.who")
    def who() -> tuple[str, str]:
        return current().via, current().request_id

    with acting(Actor(via=Via.PORTAL)):
        via, request_id = who.apply().get()
        assert current().via == Via.PORTAL
    assert via == Via.JOB
    assert uuid.UUID(request_id)


# --- what is written -----------------------------------------------------------------------------


def test_an_entry_says_who_by_which_door_and_about_what(acme: Tenant, alice: User, agent: Agent):
    token = ApiToken.all_tenants.create(
        tenant=acme, name="CRM", digest="d", hint="abcd", scopes=["agents:write"], created_by=alice
    )
    alice.name = "Alice"
    actor = Actor(via=Via.API, user=alice, token=token, address="192.0.2.1", request_id="r" * 32)
    with acting(actor):
        audit.record("agent.edit", agent, tenant=acme, user=alice, note="x")
    written = entry("agent.edit")
    assert (written.via, written.token, written.address) == ("api", token, "192.0.2.1")
    assert (written.target_kind, written.target_id) == ("agent", str(agent.public_id))
    assert (written.request_id, written.detail) == ("r" * 32, {"note": "x"})
    assert written.actor_label == "CRM · Alice <alice@acme.example>"


def test_who_it_was_stays_known_when_the_person_is_gone(acme: Tenant, alice: User):
    audit.record("thing.do", "a thing", tenant=acme, user=alice)
    alice.delete()
    written = entry("thing.do")
    assert (written.user, written.actor_label) == (None, "alice@acme.example")
    assert (written.target, written.target_kind, written.target_id) == ("a thing", "", "")


def test_a_grant_is_named_in_its_own_tenant_only(acme: Tenant, birch: Tenant, olga: User):
    grant = SupportGrant.all_tenants.create(tenant=acme, expires_at=LATER)
    with acting(Actor(via=Via.PORTAL, user=olga, support=grant)):
        assert audit.record("a.b", "x", tenant=acme, user=olga).support == grant
        assert audit.record("a.b", "x", tenant=birch, user=olga).support is None


def test_a_page_writes_its_door_and_address(number: Number, erin: User, client: Client):
    client.force_login(erin)
    url = f"/t/acme/numbers/{number.public_id}/"
    data = {
        "number": "100",
        "label": "Reception",
        "agent": str(number.agent.public_id),
        "language": "",
        "is_active": "on",
    }
    answer = client.post(url, data, REMOTE_ADDR="192.0.2.7")
    assert answer.status_code == 302, answer.context and answer.context["form"].errors
    written = entry("number.edit")
    assert (written.via, written.address, written.user) == ("portal", "192.0.2.7", erin)
    assert written.changes == {"label": ["Front desk", "Reception"]}


# --- what differs --------------------------------------------------------------------------------


def test_only_what_differs_is_said_as_json():
    before = {"a": 1, "b": Decimal("1.50"), "c": date(2026, 1, 1), "d": ["x"], "e": None, "f": "s"}
    after = before | {"b": Decimal("2.50"), "c": None, "d": ["x", uuid.UUID(int=1)], "e": {"k": 1}}
    assert audit.diff(before, after, before) == {
        "b": ["1.50", "2.50"],
        "c": ["2026-01-01", None],
        "d": [["x"], ["x", "00000000-0000-0000-0000-000000000001"]],
        "e": [None, {"k": 1}],
    }
    assert audit.diff(before, after, ["a", "f"]) == {}


def test_what_is_new_was_nothing_before(agent: Agent):
    assert audit.diff(None, agent, ["name", "voice"]) == {"name": [None, "Reception"]}


def test_a_row_of_another_table_is_said_by_its_name(agent: Agent, make_account: Any):
    before = audit.snapshot(agent, ["provider_account"])
    agent.provider_account = make_account(agent.tenant, name="Second")
    assert audit.diff(before, agent, ["provider_account"]) == {
        "provider_account": ["Main", "Second"]
    }


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("", "s3cret", [None, "set"]),
        ("s3cret", "other", ["set", "changed"]),
        ("s3cret", "", ["set", None]),
        ("s3cret", "s3cret", None),
    ],
)
def test_of_a_secret_only_that_it_changed(old: str, new: str, said: Any):
    found = audit.diff({"pin": old}, {"pin": new}, ["pin"], secret=["pin"])
    assert found == ({"pin": said} if said else {})
    assert "s3cret" not in str(found)


def test_what_is_sealed_is_a_secret_without_being_told(account: ProviderAccount):
    before = ProviderAccount.all_tenants.get(pk=account.pk)
    account.set_secret("another-key-0002")
    found = audit.diff(before, account, ["secret", "name"])
    assert found == {"secret": ["set", "changed"]}


def test_what_is_no_json_is_refused_before_it_is_written():
    with pytest.raises(TypeError, match="audit log"):
        audit.diff({"a": None}, {"a": object()}, ["a"])


def test_services_say_what_they_changed(
    number: Number, alice: User, account: ProviderAccount, acme: Tenant
):
    number.label, number.is_active = "Desk", False
    save_number(number=number, user=alice)
    assert entry("number.edit").changes == {
        "label": ["Front desk", "Desk"],
        "is_active": [True, False],
    }
    agent = number.agent
    agent.voice = "cedar"
    save_draft(agent=agent, user=alice)
    assert entry("agent.edit").changes == {"voice": [None, "cedar"]}
    account.name = "Primary"
    save_account(account=account, user=alice, secret="a-new-key-of-ours-0002")
    assert entry("account.edit").changes == {
        "name": ["Main", "Primary"],
        "secret": ["set", "changed"],
    }
    assert "a-new-key" not in str(list(AuditEntry.all_tenants.values()))
