"""Changing a key without a call lost."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.core.exceptions import ValidationError
from django.utils import timezone

from media_worker import contract
from tenants.models import Agent, AuditEntry, Number, ProviderAccount, User, Worker
from tenants.models.choices import CheckState
from tenants.services import accounts, admission, live, rotation
from tests.tenants.calls import invite

NEXT = "sk-next-9876543210zyxw"


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[live.Notice]:
    """What would go to the channel layer."""
    notices: list[live.Notice] = []
    monkeypatch.setattr(live, "publish_on_commit", notices.extend)
    return notices


def fresh(account: ProviderAccount) -> ProviderAccount:
    return ProviderAccount.all_tenants.get(pk=account.pk)


def begun(account: ProviderAccount, user: User, worker: Worker) -> ProviderAccount:
    Worker.objects.filter(pk=worker.pk).update(connected=True)
    return rotation.begin(account=account, secret=NEXT, user=user)


def checked(account: ProviderAccount, **fields: Any) -> bool:
    event = contract.AccountChecked(check_id=str(account.next_check_id), **fields)
    return accounts.store_check(event)


def test_the_next_key_is_checked_beside_the_one_in_use(
    account: ProviderAccount, alice: User, worker: Worker, sent: list[live.Notice]
):
    row = begun(account, alice, worker)
    assert len(sent) == 1
    plan = accounts.check_plan(row.next_check_id)
    assert plan is not None
    assert plan.provider.api_key == NEXT
    assert fresh(account).secret.reveal() == "sandbox-key-0001"
    assert checked(row, ok=True, message="A session opened.")
    row = fresh(account)
    assert (row.next_check_state, row.check_state) == (CheckState.OK, CheckState.NONE)
    assert not checked(row, ok=False), "an answer counts once"


def test_the_change_is_one_step_and_running_calls_keep_their_key(
    account: ProviderAccount,
    alice: User,
    worker: Worker,
    published: Agent,
    number: Number,
    sent: list[live.Notice],
):
    def plan() -> contract.CallPlan:
        found = admission.admit(worker=worker, request=invite(number.number))
        assert isinstance(found, contract.CallPlan)
        return found

    running = plan()
    row = begun(account, alice, worker)
    assert plan().provider.api_key == "sandbox-key-0001", "until the change the old one holds"
    checked(row, ok=True)
    rotation.change_over(account=account, user=alice)
    assert plan().provider.api_key == NEXT
    assert running.provider.api_key == "sandbox-key-0001"
    stored = fresh(account)
    assert not stored.next_secret
    assert (stored.secret_hint, stored.check_state) == ("zyxw", CheckState.OK)
    entry = AuditEntry.all_tenants.get(action="account.rotate")
    assert entry.changes == {"secret": ["set", "changed"]}
    assert NEXT not in str(list(AuditEntry.all_tenants.values()))


@pytest.mark.parametrize("outcome", ["pending", "failed"])
def test_a_key_that_was_not_seen_to_work_takes_no_place(
    outcome: str, account: ProviderAccount, alice: User, worker: Worker, sent: list[live.Notice]
):
    row = begun(account, alice, worker)
    if outcome == "failed":
        checked(row, ok=False, kind=contract.ProblemKind.KEY_REFUSED, message="401")
    with pytest.raises(rotation.NotChecked):
        rotation.change_over(account=account, user=alice)
    assert fresh(account).secret.reveal() == "sandbox-key-0001"
    rotation.request_check(account=account)
    again = fresh(account)
    assert again.next_check_id != row.next_check_id
    assert again.next_check_state == CheckState.PENDING
    rotation.cancel(account=account, user=alice)
    assert not fresh(account).next_secret
    assert AuditEntry.all_tenants.filter(action="account.rotate_cancel").count() == 1


def test_without_a_worker_the_check_fails_at_once(account: ProviderAccount, alice: User):
    row = rotation.begin(account=account, secret=NEXT, user=alice)
    assert row.next_check_state == CheckState.FAILED
    assert "No media worker" in row.next_check_message


def test_a_check_that_nobody_answers_is_overdue(
    account: ProviderAccount, alice: User, worker: Worker, sent: list[live.Notice]
):
    row = begun(account, alice, worker)
    asked = rotation.asked_at(row)
    assert asked is not None
    assert abs(asked - timezone.now()) < timedelta(minutes=1)
    assert not rotation.is_overdue(row)
    with time_machine.travel(timezone.now() + timedelta(seconds=rotation.CHECK_SECONDS + 5)):
        assert rotation.is_overdue(row)


def test_a_key_that_is_none_is_refused(account: ProviderAccount, alice: User):
    with pytest.raises(ValidationError) as caught:
        rotation.begin(account=account, secret="two words", user=alice)
    assert "next_secret" in caught.value.message_dict


def test_the_last_use_is_kept_to_the_minute(account: ProviderAccount):
    first = timezone.now()
    accounts.note_used(account, first)
    accounts.note_used(account, first + timedelta(seconds=30))
    assert fresh(account).last_used_at == first
    accounts.note_used(account, first + timedelta(seconds=60))
    assert fresh(account).last_used_at == first + timedelta(seconds=60)
