"""Provider accounts: the key goes in and stays in; the check says what came back."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.db.models import RestrictedError
from django.utils import timezone

from media_worker import contract
from tenants.models import Agent, AuditEntry, ProviderAccount, Tenant, User, Worker
from tenants.services import accounts, live

KEY = "sk-live-0123456789abcdef"


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[live.Notice]:
    """What would go to the channel layer."""
    notices: list[live.Notice] = []
    monkeypatch.setattr(live, "publish_on_commit", notices.extend)
    return notices


def fresh(account: ProviderAccount) -> ProviderAccount:
    return ProviderAccount.all_tenants.get(pk=account.pk)


def test_a_new_account_keeps_its_key(acme: Tenant, alice: User):
    account = accounts.save_account(
        account=ProviderAccount(tenant=acme, name="OpenAI"), user=alice, secret=KEY
    )
    assert fresh(account).secret.reveal() == KEY
    entry = AuditEntry.all_tenants.get(action="account.create")
    assert entry.changes == {
        "name": [None, "OpenAI"],
        "url": [None, account.url],
        "auth": [None, "bearer"],
        "secret": [None, "set"],
    }


def test_saving_without_a_key_keeps_the_stored_one(account: ProviderAccount, alice: User):
    account.name = "Renamed"
    accounts.save_account(account=account, user=alice, secret="")
    assert fresh(account).secret.reveal() == "sandbox-key-0001"
    assert fresh(account).name == "Renamed"


def test_a_new_key_forgets_the_last_check(account: ProviderAccount, alice: User):
    ProviderAccount.all_tenants.update(check_state="ok", checked_at=timezone.now())
    accounts.save_account(account=fresh(account), user=alice, secret=KEY)
    assert (fresh(account).check_state, fresh(account).secret_hint) == ("", "cdef")


@pytest.mark.parametrize("key", ["with blank", "line\nbreak", "ümlaut", "x" * 4097])
def test_a_key_that_is_no_header_is_refused(account: ProviderAccount, key: str):
    with pytest.raises(ValidationError) as caught:
        accounts.save_account(account=account, user=None, secret=key)
    assert "secret" in caught.value.message_dict
    assert key not in str(caught.value)


def test_a_stored_key_does_not_move_to_another_host(account: ProviderAccount, alice: User):
    account.url = "wss://evil.example/v1/realtime"
    with pytest.raises(ValidationError, match="once more"):
        accounts.save_account(account=account, user=alice)
    assert fresh(account).url != account.url
    accounts.save_account(account=account, user=alice, secret=KEY)
    assert fresh(account).url == account.url


def test_a_tenants_account_does_not_lead_into_our_network(acme: Tenant, alice: User, settings: Any):
    settings.ALLOWED_NETWORKS = ["192.168.0.0/16"]
    inside = "wss://10.0.0.5/v1/realtime"
    refused = ProviderAccount(tenant=acme, name="Inside", url=inside)
    with pytest.raises(ValidationError) as caught:
        accounts.save_account(account=refused, user=alice, secret=KEY)
    assert list(caught.value.message_dict) == ["url"]
    for tenant, url, networks in (
        (acme, "wss://192.168.0.5/v1/realtime", ("192.168.0.0/16",)),
        (acme, "wss://api.openai.com/v1/realtime", ("192.168.0.0/16",)),
        (None, inside, None),
    ):
        row = ProviderAccount(tenant=tenant, name=url, url=url)
        accounts.save_account(account=row, user=alice, secret=KEY)
        assert accounts.provider_access(row).networks == networks


def test_another_path_of_the_same_host_keeps_the_key_and_forgets_the_check(
    account: ProviderAccount, alice: User
):
    ProviderAccount.all_tenants.update(check_state="ok")
    changed = fresh(account)
    changed.url += "?misbehave=quota"
    accounts.save_account(account=changed, user=alice)
    assert fresh(account).check_state == ""


def test_a_tenant_is_offered_its_own_and_the_operators(
    acme: Tenant, birch: Tenant, make_account: Callable[..., Any]
):
    for owner, name in ((acme, "Mine"), (birch, "Theirs"), (None, "Operator's")):
        make_account(owner, name)
    assert {one.name for one in accounts.offered_accounts(acme)} == {"Mine", "Operator's"}


def test_an_account_in_use_is_not_deleted(account: ProviderAccount, agent: Agent, alice: User):
    with pytest.raises(RestrictedError):
        accounts.delete_account(account=account, user=alice)
    Agent.all_tenants.update(provider_account=None)
    accounts.delete_account(account=fresh(account), user=alice)
    assert not ProviderAccount.all_tenants.exists()


# --- checks --------------------------------------------------------------------------------------


def test_without_a_worker_a_check_says_so(account: ProviderAccount, worker: Worker, sent: list):
    accounts.request_check(account)
    assert fresh(account).check_state == "failed"
    assert "No media worker" in fresh(account).check_message
    assert sent == []


def test_a_check_is_sent_to_a_worker_without_the_key(
    account: ProviderAccount, worker: Worker, sent: list
):
    Worker.objects.update(connected=True)
    accounts.request_check(account)
    [(group, message)] = sent
    assert group == f"worker.{worker.public_id.hex}"
    frame = contract.decode_down(message["frame"])
    assert isinstance(frame, contract.CheckAccount)
    assert frame.check_id == str(fresh(account).check_id)
    assert "sandbox-key" not in message["frame"]
    assert fresh(account).check_state == "pending"


def ask(account: ProviderAccount) -> str:
    Worker.objects.create(name="w", connected=True)
    accounts.request_check(account)
    return str(account.check_id)


def test_the_plan_of_a_check_ends_with_it(account: ProviderAccount):
    check_id = ask(account)
    plan = accounts.check_plan(uuid.UUID(check_id))
    assert plan is not None
    assert plan.provider.api_key == "sandbox-key-0001"
    assert plan.settings.model == "gpt-realtime-2.1"
    assert "sandbox-key-0001" not in repr(plan)
    assert accounts.store_check(contract.AccountChecked(check_id=check_id, ok=True))
    assert accounts.check_plan(uuid.UUID(check_id)) is None


def test_a_good_check_clears_the_last_problem(account: ProviderAccount):
    ProviderAccount.all_tenants.update(last_problem_kind="quota", last_problem_message="No money")
    check_id = ask(fresh(account))
    accounts.store_check(contract.AccountChecked(check_id=check_id, ok=True))
    assert (fresh(account).check_state, fresh(account).last_problem_kind) == ("ok", "")


def test_a_failed_check_keeps_what_came_back(account: ProviderAccount):
    check_id = ask(account)
    kind = contract.ProblemKind.KEY_REFUSED
    accounts.store_check(
        contract.AccountChecked(check_id=check_id, ok=False, kind=kind, message="Incorrect key")
    )
    checked = fresh(account)
    assert (checked.check_state, checked.check_kind) == ("failed", "key_refused")
    assert checked.check_message == "Incorrect key"


def test_a_check_of_before_is_not_taken_for_the_new_one(account: ProviderAccount):
    old = ask(account)
    accounts.request_check(account)
    assert not accounts.store_check(contract.AccountChecked(check_id=old, ok=True))
    assert not accounts.store_check(contract.AccountChecked(check_id="nonsense", ok=True))
    assert fresh(account).check_state == "pending"


def test_a_check_that_nobody_answers_fails(account: ProviderAccount):
    ask(account)
    assert accounts.expire_checks() == 0
    long_ago = timezone.now() - timedelta(seconds=accounts.CHECK_SECONDS + 1)
    ProviderAccount.all_tenants.update(check_requested_at=long_ago)
    assert accounts.expire_checks() == 1
    assert fresh(account).check_state == "failed"
