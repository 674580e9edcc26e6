"""What the API creates, changes and deletes: agents, revisions, numbers, settings, accounts."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tenants.api.v1.agents import URI_PATTERN
from tenants.models import (
    Agent,
    AgentRevision,
    AuditEntry,
    Call,
    Number,
    ProviderAccount,
    Tenant,
    User,
)
from tests.api.conftest import Api, problem_of


def pointers(document: dict[str, Any]) -> list[str]:
    return [error["pointer"] for error in document["errors"]]


# --- agents --------------------------------------------------------------------------------------


def test_an_agent_from_its_making_to_rolling_back(api: Api, account: ProviderAccount):
    settings = {"voice": "cedar", "provider_account": str(account.public_id)}
    made = api.post("/agents", {"name": "Reception", "settings": settings})
    assert made.status_code == 201, made.content
    agent = made.json()
    assert agent["published"] is None
    assert agent["settings"]["voice"] == "cedar"
    assert agent["settings"]["model"] is None

    path = f"/agents/{agent['id']}"
    first = api.post(f"{path}/publish", {"note": "first", "draft_version": 1})
    assert (first.status_code, first.json()["number"]) == (201, 1)
    changed = api.patch(path, {"settings": {"voice": None, "speed": 1.25}, "draft_version": 1})
    assert changed.json()["settings"]["voice"] is None
    assert changed.json()["settings"]["speed"] == 1.25
    assert changed.json()["has_unpublished_changes"] is True
    assert api.post(f"{path}/publish", {}).json()["number"] == 2

    again = api.post(f"{path}/revisions/1/roll-back", {})
    assert (again.status_code, again.json()["number"]) == (201, 3)
    assert again.json()["settings"]["voice"] == "cedar"
    numbers = [one["number"] for one in api.get(f"{path}/revisions").json()["items"]]
    assert numbers == [3, 2, 1]
    assert api.get(f"{path}/revisions/2").json()["settings"]["speed"] == 1.25
    problem_of(api.get(f"{path}/revisions/4"), 404)
    entry = AuditEntry.all_tenants.filter(action="agent.publish").latest("pk")
    assert entry.via == "api"
    assert entry.token is not None


def test_what_a_draft_would_change_and_going_on_from_an_old_revision(
    api: Api, published: Agent, acme: Tenant
):
    path = f"/agents/{published.public_id}"
    assert api.get(f"{path}/differences").json() == {"old": "1", "new": "draft", "items": []}
    api.patch("/settings", {"voice": "cedar"})
    holds = api.get(f"{path}/effective").json()["values"]["voice"]["value"]
    assert api.patch(path, {"name": "Desk", "settings": {"voice": holds}}).status_code == 200
    found = {one["name"]: one for one in api.get(f"{path}/differences").json()["items"]}
    assert set(found) == {"name", "voice"}
    assert (found["name"]["old"]["value"], found["name"]["new"]["value"]) == (
        published.name,
        "Desk",
    )
    assert found["voice"]["felt"] is False
    assert found["voice"]["old"]["level"] == "tenant"
    back = api.get(f"{path}/differences?old=draft&new=1").json()
    assert [one["new"]["value"] for one in back["items"] if one["felt"]] == [published.name]
    problem_of(api.get(f"{path}/differences?old=9"), 404)
    problem_of(api.get(f"{path}/differences?old=last"), 400, "invalid")

    take = f"{path}/revisions/1/take"
    problem_of(api.post(take, {"draft_version": 1}), 409, "draft-changed")
    assert api.post(take, {}).json()["name"] == published.name
    assert api.get(path).json()["has_unpublished_changes"] is False


def test_a_prompt_as_a_caller_gets_it(api: Api, agent: Agent, acme: Tenant):
    path = f"/agents/{agent.public_id}/preview"
    found = api.post(path, {"text": "For {{ tenant }}, {{ planet }}."}).json()
    assert found["text"] == f"For {acme.name}, {{{{ planet }}}}."
    assert found["unknown"] == ["planet"]
    assert found["values"]["agent"] == agent.name
    assert api.post(path, {}).json()["text"] == agent.instructions


def test_a_draft_that_somebody_else_saved_stays(api: Api, agent: Agent):
    path = f"/agents/{agent.public_id}"
    assert api.patch(path, {"name": "Other", "draft_version": 1}).status_code == 200
    problem_of(api.patch(path, {"name": "Mine", "draft_version": 1}), 409, "draft-changed")
    problem_of(api.post(f"{path}/publish", {"draft_version": 1}), 409, "draft-changed")
    assert api.get(path).json()["name"] == "Other"


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"settings": {"speed": 2.0}}, "#/settings/speed"),
        ({"settings": {"speed": "1.0"}}, "#/settings/speed"),
        ({"settings": {"voices": "marin"}}, "#/settings/voices"),
        ({"settings": {"greetings": {"deutsch!": "Hallo"}}}, "#/settings/greetings/deutsch!/[key]"),
        ({"name": " "}, "#/name"),
        ({"name": "a\x00b"}, "#/name"),
        ({"transfer_targets": [{"name": "sales", "uri": "mailto:x"}]}, "#/transfer_targets/0/uri"),
        ([], "#"),
    ],
)
def test_what_does_not_fit_the_schema_is_named(api: Api, agent: Agent, body: Any, pointer: str):
    document = problem_of(api.patch(f"/agents/{agent.public_id}", body), 400, "invalid")
    assert pointers(document) == [pointer]


@pytest.mark.parametrize("body", [b"", b"{", b"\xff", b'{"name": NaN}', b'{"name": "\\ud800"}'])
def test_a_body_that_is_no_document(api: Api, agent: Agent, body: bytes):
    problem_of(api.patch(f"/agents/{agent.public_id}", body), 400, "invalid")


def test_what_a_rule_forbids_is_named_too(
    api: Api, agent: Agent, birch: Tenant, make_account: Callable[..., ProviderAccount]
):
    path = f"/agents/{agent.public_id}"
    foreign = str(make_account(birch).public_id)
    body: Any = {"settings": {"provider_account": foreign}}
    document = problem_of(api.patch(path, body), 422, "refused")
    assert pointers(document) == ["#/settings/provider_account"]
    assert api.post("/agents", {"name": "Second"}).status_code == 201
    problem_of(api.patch(path, {"name": "Second"}), 422, "refused")
    api.patch(path, {"settings": {"audio_format": "pcm16k"}})
    document = problem_of(api.post(f"{path}/publish", {}), 422, "refused")
    assert pointers(document) == ["#/settings/audio_format"]


def test_what_holds_and_where_it_comes_from(api: Api, agent: Agent):
    assert api.patch("/settings", {"voice": "cedar"}).status_code == 200
    found = api.get(f"/agents/{agent.public_id}/effective").json()["values"]
    assert (found["voice"]["value"], found["voice"]["level"]) == ("cedar", "tenant")
    assert found["greetings.en"]["level"] == "agent"
    assert found["provider_account"]["value"] == str(agent.provider_account.public_id)
    assert api.get("/settings/effective").json()["values"]["voice"]["level"] == "tenant"


def test_an_agent_of_another_tenant_is_not_there(
    api_of: Callable[..., Api], charlie: User, birch: Tenant, published: Agent
):
    other = api_of(charlie, birch)
    path = f"/agents/{published.public_id}"
    for answer in (
        other.get(path),
        other.patch(path, {"name": "Mine"}),
        other.post(f"{path}/publish", {}),
        other.get(f"{path}/revisions"),
        other.get(f"{path}/revisions/1"),
        other.post(f"{path}/revisions/1/roll-back", {}),
    ):
        problem_of(answer, 404)
    assert other.get("/agents").json()["items"] == []


@pytest.mark.parametrize(
    ("uri", "good"),
    [
        ("sip:sales@pbx.example.com", True),
        ("sips:[::1]:5061", True),
        ("tel:+4930123;ext=5", True),
        ("sip:a@!b", False),
        ("sip:", False),
        ("sip:a b@example.com", False),
        ("http://example.com", False),
        ("tel:", False),
    ],
)
def test_the_schema_of_an_address_is_the_validator(uri: str, good: bool):
    import re

    from django.core.exceptions import ValidationError

    from tenants.models.validators import validate_transfer_uri

    assert bool(re.fullmatch(URI_PATTERN, uri)) == good
    try:
        validate_transfer_uri(uri)
    except ValidationError:
        assert not good
    else:
        assert good


# --- numbers -------------------------------------------------------------------------------------


def test_a_number_from_its_making_to_its_end(api: Api, published: Agent):
    body = {"number": "+4930123456", "agent": str(published.public_id), "label": "Desk"}
    made = api.post("/numbers", body)
    assert made.status_code == 201, made.content
    path = f"/numbers/{made.json()['id']}"
    assert api.patch(path, {"is_active": False}).json()["is_active"] is False
    assert api.get("/numbers").json()["items"] == [api.get(path).json()]
    hours = {"mon": [["09:00", "17:00"]]}
    assert api.patch(path, {"opening_hours": hours}).json()["opening_hours"] == hours
    document = problem_of(
        api.patch(path, {"opening_hours": {"mon": [["17:00", "09:00"]]}}), 422, "refused"
    )
    assert pointers(document) == ["#/opening_hours"]
    assert api.patch(path, {"opening_hours": None}).json()["opening_hours"] is None
    document = problem_of(api.post("/numbers", body), 422, "refused")
    assert pointers(document) == ["#/number"]
    gone = api.delete(path)
    assert (gone.status_code, gone.content) == (204, b"")
    problem_of(api.get(path), 404)
    assert not Number.all_tenants.exists()


def test_a_number_leads_to_an_agent_of_the_tenant_only(
    api_of: Callable[..., Api], charlie: User, birch: Tenant, agent: Agent
):
    body = {"number": "200", "agent": str(agent.public_id)}
    document = problem_of(api_of(charlie, birch).post("/numbers", body), 422, "refused")
    assert pointers(document) == ["#/agent"]


# --- settings and accounts -----------------------------------------------------------------------


def test_settings_that_cannot_hold_together_are_refused(api: Api):
    document = problem_of(api.patch("/settings", {"vad_mode": "local"}), 422, "refused")
    assert pointers(document) == ["#/local_vad"]
    assert api.get("/settings").json()["vad_mode"] is None
    assert api.patch("/settings", {"vad_mode": "local", "local_vad": "energy"}).status_code == 200


def test_a_key_goes_in_and_never_comes_out(api: Api):
    key = "sk-secret-key-0042"
    made = api.post("/accounts", {"name": "New", "url": "wss://api.example.com/v1", "secret": key})
    assert made.status_code == 201, made.content
    path = f"/accounts/{made.json()['id']}"
    assert (made.json()["has_key"], made.json()["key_ends_in"]) == (True, "0042")
    answers = [made, api.get(path), api.get("/accounts"), api.post(f"{path}/check")]
    assert [answer.status_code for answer in answers] == [201, 200, 200, 202]
    assert not any(key in answer.content.decode() for answer in answers)
    document = problem_of(api.patch(path, {"url": "wss://thief.example.com"}), 422, "refused")
    assert pointers(document) == ["#/secret"]
    assert api.patch(path, {"name": "Renamed"}).json()["has_key"] is True
    assert api.delete(path).status_code == 204


def test_the_operators_account_is_offered_and_closed(
    api: Api, make_account: Callable[..., ProviderAccount]
):
    offered = make_account(None, name="House", key="operators-key-0001")
    found = api.get("/accounts").json()["items"]
    assert [(one["name"], one["is_own"], one["url"]) for one in found] == [("House", False, None)]
    for answer in (
        api.get(f"/accounts/{offered.public_id}"),
        api.patch(f"/accounts/{offered.public_id}", {"name": "Mine"}),
        api.delete(f"/accounts/{offered.public_id}"),
        api.post(f"/accounts/{offered.public_id}/check"),
    ):
        problem_of(answer, 404)


def test_an_account_that_is_used_stays(api: Api, agent: Agent, account: ProviderAccount):
    problem_of(api.delete(f"/accounts/{account.public_id}"), 409, "in-use")
    assert ProviderAccount.all_tenants.filter(pk=account.pk).exists()


def test_a_call_is_deleted_by_who_may(api: Api, call: Call, running: Call):
    assert api.delete(f"/calls/{call.public_id}").status_code == 204
    problem_of(api.get(f"/calls/{call.public_id}"), 404)
    problem_of(api.delete(f"/calls/{running.public_id}"), 409, "call-runs")


def test_a_whole_number_may_be_written_with_a_point(api: Api, agent: Agent):
    body = b'{"draft_version": 1.0, "settings": {"speed": 1}}'
    assert api.patch(f"/agents/{agent.public_id}", body).status_code == 200


# --- idempotency ---------------------------------------------------------------------------------


def test_the_same_request_twice_is_done_once(api: Api):
    first = api.post("/agents", {"name": "Once"}, Idempotency_Key="order-17")
    second = api.post("/agents", {"name": "Once"}, Idempotency_Key='"order-17"')
    assert (first.status_code, second.status_code) == (201, 201)
    assert first.json() == second.json()
    assert second.headers["Idempotent-Replayed"] == "true"
    assert Agent.all_tenants.filter(name="Once").count() == 1


def test_a_key_is_for_one_request(api: Api):
    api.post("/agents", {"name": "Once"}, Idempotency_Key="k")
    problem_of(api.post("/agents", {"name": "Two"}, Idempotency_Key="k"), 422, "key-reused")
    problem_of(api.post("/accounts", {"name": "Once"}, Idempotency_Key="k"), 422, "key-reused")
    problem_of(api.post("/agents", {"name": "Two"}, Idempotency_Key="a b"), 400, "invalid")


def test_a_request_that_failed_may_try_again_with_its_key(api: Api, agent: Agent):
    body = {"name": agent.name}
    problem_of(api.post("/agents", body, Idempotency_Key="k"), 422, "refused")
    assert api.patch(f"/agents/{agent.public_id}", {"name": "Elsewhere"}).status_code == 200
    assert api.post("/agents", body, Idempotency_Key="k").status_code == 201


def test_a_key_of_a_request_that_is_being_answered(api: Api, acme: Tenant, alice: User):
    from tenants.models import ApiToken
    from tenants.services import idempotency

    actor = f"token:{ApiToken.all_tenants.get().public_id}"
    idempotency.begin(
        tenant=acme, actor=actor, key="k", route="POST /api/v1/agents", body=b'{"name": "A"}'
    )
    answer = api.post("/agents", b'{"name": "A"}', Idempotency_Key="k")
    problem_of(answer, 409, "key-in-flight")
    assert answer.headers["Retry-After"] == "1"


def test_keys_of_two_people_are_two(api: Api, api_of: Callable[..., Api], bob: User, acme: Tenant):
    assert api.post("/agents", {"name": "A"}, Idempotency_Key="k").status_code == 201
    other = api_of(bob, acme, "agents:write")
    assert other.post("/agents", {"name": "B"}, Idempotency_Key="k").status_code == 201
    assert AgentRevision.all_tenants.count() == 0
