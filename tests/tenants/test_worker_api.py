"""The worker API over HTTP: who may ask, and what a bad question gets."""

from __future__ import annotations

import json
import uuid
from typing import Any

import pytest
from django.db import OperationalError
from django.test import Client

from media_worker import contract
from tenants.models import AuditEntry, Call, Number, ProviderAccount, User, Worker
from tenants.services import admission, workers
from tests.tenants.calls import invite

PATHS = [contract.ADMISSION_PATH, contract.CHECK_PATH.format(check_id=uuid.UUID(int=1))]


@pytest.fixture
def client() -> Client:
    return Client(enforce_csrf_checks=True)


@pytest.fixture
def token(worker_and_token: tuple[Worker, str]) -> str:
    return worker_and_token[1]


def ask(client: Client, token: str, path: str = contract.ADMISSION_PATH, body: Any = b"") -> Any:
    document = body if isinstance(body, bytes) else contract.encode(body)
    return client.post(
        path,
        document,
        content_type="application/json",
        headers={"Authorization": f"Bearer {token}"},
    )


def assert_problem(response: Any, status: int) -> None:
    assert response.status_code == status
    assert response.headers["Content-Type"] == "application/problem+json"
    document = response.json()
    assert document["status"] == status
    assert document["title"]
    assert document["detail"]


def test_a_call_gets_its_plan(client: Client, token: str, number: Number):
    response = ask(client, token, body=invite())
    assert response.status_code == 200
    assert isinstance(contract.decode_admission(response.content), contract.CallPlan)
    assert response.headers["Cache-Control"] == "no-store"
    assert Worker.objects.get().last_seen_at is not None


def test_a_refusal_is_an_answer_too(client: Client, token: str, number: Number):
    response = ask(client, token, body=invite("999"))
    assert response.status_code == 200
    answer = contract.decode_admission(response.content)
    assert isinstance(answer, contract.Refusal)
    assert answer.reason is contract.RefusalReason.UNKNOWN_NUMBER


WRONG = [
    "",
    "nonsense",
    "pbxw__",
    "pbxw_" + "0" * 32 + "_secret",
    "pbxw_ümlaut_x",
    "pbxw_" + "0" * 5000,
]


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("wrong", WRONG)
def test_a_wrong_token_is_refused_and_logged_with_its_source(
    client: Client, db: None, path: str, wrong: str, caplog: pytest.LogCaptureFixture
):
    response = ask(client, wrong.encode("utf-8").decode("latin-1"), path, invite())
    assert_problem(response, 401)
    assert response.headers["WWW-Authenticate"] == "Bearer"
    [line] = [record for record in caplog.records if "worker_refused" in record.getMessage()]
    assert "127.0.0.1" in line.getMessage()
    assert not wrong or wrong not in caplog.text
    assert not Call.all_tenants.exists()


def test_a_flood_of_wrong_tokens_does_not_fill_the_audit_log(client: Client, db: None):
    for _ in range(5):
        ask(client, "wrong", body=invite())
    entry = AuditEntry.all_tenants.get(action="worker.refused")
    assert (entry.target, entry.detail) == ("127.0.0.1", {"path": contract.ADMISSION_PATH})


def test_parts_of_a_right_token_do_not_do(client: Client, token: str, number: Number):
    word, key_id, secret = token.split("_", 2)
    for wrong in (token[:-1], f"{word}_{key_id}_", f"other_{key_id}_{secret}", secret):
        assert ask(client, wrong, body=invite()).status_code == 401


def test_an_old_token_and_one_switched_off_are_refused(
    client: Client, token: str, worker: Worker, number: Number
):
    renewed = workers.give_token(worker)
    assert ask(client, token, body=invite()).status_code == 401
    assert ask(client, renewed, body=invite()).status_code == 200
    Worker.objects.update(is_active=False)
    assert ask(client, renewed, body=invite()).status_code == 401


def test_a_session_is_no_token(client: Client, alice: User, number: Number):
    client.force_login(alice)
    assert client.post(contract.ADMISSION_PATH, b"{}", "application/json").status_code == 401


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b'{"called":"100"}',
        b'{"call_key":1,"called":"100","calling":"","sip_call_id":""}',
        b"\xff\xfe\x00",
    ],
)
def test_a_malformed_document_is_400(client: Client, token: str, body: bytes):
    assert_problem(ask(client, token, body=body), 400)


def test_a_call_key_that_is_none_is_400(client: Client, token: str, number: Number):
    assert_problem(ask(client, token, body=invite(call_key="x")), 400)


def test_another_workers_call_is_400(client: Client, token: str, number: Number):
    request = invite()
    ask(client, token, body=request)
    _other, other_token = workers.create_worker(name="other")
    assert_problem(ask(client, other_token, body=request), 400)


def test_a_document_that_is_too_large_is_413(client: Client, token: str):
    huge = invite(headers={"X": "y" * contract.MAX_FRAME_BYTES})
    assert_problem(ask(client, token, body=huge), 413)


@pytest.mark.parametrize("path", PATHS)
def test_other_methods_are_405(client: Client, token: str, path: str):
    response = client.get(path, headers={"Authorization": f"Bearer {token}"})
    assert_problem(response, 405)
    assert response.headers["Allow"] == "POST"


def test_a_database_that_is_down_is_503(
    client: Client, token: str, number: Number, monkeypatch: pytest.MonkeyPatch
):
    def down(**_: Any) -> Any:
        raise OperationalError("no database")

    monkeypatch.setattr(admission, "admit", down)
    response = ask(client, token, body=invite())
    assert_problem(response, 503)
    assert response.headers["Retry-After"] == "5"
    assert "no database" not in json.dumps(response.json())


def test_a_check_is_given_while_it_waits(client: Client, token: str, account: ProviderAccount):
    check_id = uuid.uuid4()
    path = contract.CHECK_PATH.format(check_id=check_id)
    assert_problem(ask(client, token, path), 404)
    ProviderAccount.all_tenants.update(check_id=check_id, check_state="pending")
    plan = contract.decode_check_plan(ask(client, token, path).content)
    assert (plan.check_id, plan.provider.api_key) == (str(check_id), "sandbox-key-0001")
    ProviderAccount.all_tenants.update(check_state="ok")
    assert_problem(ask(client, token, path), 404)


def test_the_token_is_not_kept(worker_and_token: tuple[Worker, str]):
    worker, token = worker_and_token
    secret = token.split("_", 2)[2]
    assert secret not in str(Worker.objects.filter(pk=worker.pk).values().get())
