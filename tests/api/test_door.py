"""The way into the API: tokens, sessions, tenants, how often, and what a refusal looks like."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db import OperationalError
from django.test import Client
from django.utils import timezone

from tenants.models import Agent, ApiToken, AuditEntry, Member, SupportGrant, Tenant, User
from tenants.services import tokens
from tests.api.conftest import Api, problem_of


def session_of(user: User, **headers: str) -> Api:
    client = Client(enforce_csrf_checks=True, raise_request_exception=False)
    client.force_login(user)
    return Api(client=client, **headers)


def test_a_token_says_who_asks_and_for_whom(api: Api, alice: User):
    answer = api.get("/me")
    assert answer.status_code == 200
    document = answer.json()
    assert document["tenant"]["slug"] == "acme"
    assert document["user"] == alice.email
    assert document["role"] == "owner"
    assert document["token"]["name"] == "test"
    assert answer.headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize(
    "header",
    ["", "Bearer", "Bearer pbxt_nonsense", "Basic YWxpY2U6eA==", "Bearer " + "x" * 5000],
)
def test_without_a_good_token_the_answer_is_401(db: None, header: str):
    answer = Api(**({"Authorization": header} if header else {})).get("/me")
    problem_of(answer, 401)
    assert answer.headers["WWW-Authenticate"].startswith("Bearer")


def test_a_bad_token_is_not_saved_by_a_good_session(alice: User):
    problem_of(session_of(alice, Authorization="Bearer pbxt_wrong").get("/me"), 401)


def test_a_token_that_ran_out_or_was_withdrawn_is_refused(api: Api):
    ApiToken.all_tenants.update(expires_at=timezone.now() - timedelta(seconds=1))
    problem_of(api.get("/me"), 401)
    ApiToken.all_tenants.update(expires_at=None, revoked_at=timezone.now())
    problem_of(api.get("/me"), 401)


def test_a_token_falls_with_its_makers_membership(api: Api, alice: User):
    Member.all_tenants.filter(user=alice).delete()
    problem_of(api.get("/me"), 401)


def test_a_token_is_good_for_its_scopes_only(api_of: Callable[..., Api], alice: User, acme: Tenant):
    api = api_of(alice, acme, "calls:read")
    assert api.get("/calls").status_code == 200
    problem_of(api.get("/agents"), 403, "scope")


def test_a_token_is_of_one_tenant(api: Api, birch: Tenant, alice: User):
    Member.all_tenants.create(tenant=birch, user=alice, role="owner")
    assert api.get("/me", Pbxai_Tenant="acme").status_code == 200
    problem_of(api.get("/me", Pbxai_Tenant="birch"), 404)


def test_a_session_will_do(alice: User):
    document = session_of(alice).get("/me").json()
    assert document["tenant"]["slug"] == "acme"
    assert document["token"] is None


def test_a_person_in_two_tenants_says_which(alice: User, birch: Tenant):
    Member.all_tenants.create(tenant=birch, user=alice, role="viewer")
    problem_of(session_of(alice).get("/me"), 400, "tenant-needed")
    document = session_of(alice, **{"Pbxai-Tenant": "birch"}).get("/me").json()
    assert document["role"] == "viewer"


def test_a_session_cannot_reach_anothers_tenant(charlie: User, acme: Tenant):
    problem_of(session_of(charlie, **{"Pbxai-Tenant": "acme"}).get("/me"), 404)
    problem_of(session_of(charlie, **{"Pbxai-Tenant": "nobody"}).get("/me"), 404)


def test_the_operators_people_need_a_grant(olga: User, acme: Tenant, alice: User):
    api = session_of(olga, **{"Pbxai-Tenant": "acme"})
    problem_of(api.get("/me"), 404)
    problem_of(session_of(olga).get("/me"), 404)
    SupportGrant.all_tenants.create(
        tenant=acme, granted_by=alice, expires_at=timezone.now() + timedelta(hours=1)
    )
    assert api.get("/me").json()["support"] is True
    assert AuditEntry.all_tenants.filter(action="support.enter", via="api").exists()


def test_what_changes_something_in_a_session_needs_the_csrf_header(alice: User, agent: Agent):
    api = session_of(alice)
    assert api.get("/agents").status_code == 200
    problem_of(api.post("/agents", {"name": "Second"}), 403)
    api.client.cookies["pbxai_csrf"] = "a" * 32
    assert api.post("/agents", {"name": "Second"}, X_CSRFToken="a" * 32).status_code == 201


def test_an_address_that_is_not_there(api: Api):
    problem_of(api.get("/nowhere"), 404)
    problem_of(api.get(f"/agents/{uuid.uuid4()}"), 404)
    problem_of(api.get("/agents/17"), 404)
    problem_of(api.get("/"), 404)


def test_a_method_that_is_not_there_names_those_that_are(api: Api):
    answer = api.ask("PUT", "/agents")
    problem_of(answer, 405)
    assert answer.headers["Allow"] == "GET, POST"


def test_a_parameter_that_does_not_fit_is_named(api: Api):
    document = problem_of(api.get("/agents?limit=1000"), 400, "invalid")
    assert document["errors"][0]["parameter"] == "limit"
    document = problem_of(api.get("/calls?caller=a%00b"), 400, "invalid")
    assert document["errors"][0]["parameter"] == "caller"


def test_documents_are_english_for_everybody(api: Api):
    answer = api.get("/nowhere", Accept_Language="de")
    assert answer.json()["title"] == "Not Found"


# --- how often -----------------------------------------------------------------------------------


def test_every_answer_says_what_is_left(api: Api, settings: Any):
    settings.API_REQUESTS_A_MINUTE = 3
    answer = api.get("/me")
    assert answer.headers["RateLimit-Policy"] == '"default";q=3;w=60'
    left = [int(api.get("/nowhere-else").status_code) for _ in range(1)]
    assert left == [404]
    assert answer.headers["RateLimit"].startswith('"default";r=2;t=')


def test_too_many_requests_are_refused_until_the_window_ends(
    api: Api, settings: Any, monkeypatch: pytest.MonkeyPatch
):
    settings.API_REQUESTS_A_MINUTE = 2
    clock = [1_700_000_010.0]
    monkeypatch.setattr("tenants.services.rates.time.time", lambda: clock[0])
    assert [api.get("/me").status_code for _ in range(3)] == [200, 200, 429]
    answer = api.get("/me")
    problem_of(answer, 429, "rate")
    assert 1 <= int(answer.headers["Retry-After"]) <= 60
    clock[0] += int(answer.headers["Retry-After"])
    assert api.get("/me").status_code == 200


def test_each_token_has_its_own_allowance(
    api: Api, api_of: Callable[..., Api], bob: User, acme: Tenant, settings: Any
):
    settings.API_REQUESTS_A_MINUTE = 1
    other = api_of(bob, acme, "calls:read")
    assert api.get("/me").status_code == 200
    assert other.get("/me").status_code == 200
    assert api.get("/me").status_code == 429


def test_whoever_tries_tokens_is_slowed_down(db: None, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("tenants.api.v1.door.STRANGERS_A_MINUTE", 2)
    statuses = {Api("pbxt_wrong").get("/me").status_code for _ in range(6)}
    assert statuses == {401, 429}


# --- what is broken ------------------------------------------------------------------------------


def test_a_database_that_is_down_is_503(api: Api, monkeypatch: pytest.MonkeyPatch):
    def down(token: str) -> Any:
        raise OperationalError("server closed the connection")

    monkeypatch.setattr(tokens, "authenticate", down)
    answer = api.get("/me")
    problem_of(answer, 503)
    assert answer.headers["Retry-After"]


def test_a_fault_of_ours_shows_no_traceback(api: Api, monkeypatch: pytest.MonkeyPatch):
    def broken(*_: Any, **__: Any) -> Any:
        raise RuntimeError("the secret reason")

    monkeypatch.setattr("tenants.api.v1.agents.find_agents", broken)
    answer = api.get("/agents")
    problem_of(answer, 500)
    assert "secret reason" not in answer.content.decode()
