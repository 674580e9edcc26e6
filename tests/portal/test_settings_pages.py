"""Company, retention, the audit log, support access, a new key: as people meet them."""

from __future__ import annotations

import html
import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from asgiref.sync import async_to_sync
from django.core import mail as outbox
from django.test import Client
from django.utils import timezone

from media_worker import contract
from tenants.actor import Actor, acting
from tenants.models import (
    AuditEntry,
    DataExport,
    ProviderAccount,
    SupportGrant,
    Tenant,
    User,
    Worker,
)
from tenants.models.choices import Via
from tenants.services import accounts, audit, audit_log, exports
from tests.portal.conftest import address


def page_of(browser: Client, name: str, query: str = "", **ids: Any) -> str:
    return html.unescape(browser.get(address(name, **ids) + query).content.decode())


def test_the_company_says_its_name_clock_and_languages(
    acme: Tenant, bob: User, browse: Callable[[User], Client]
) -> None:
    data = {"name": "Acme Clinic", "time_zone": "Europe/Vienna", "first": "de", "others": ["en"]}
    assert browse(bob).post(address("company"), data).status_code == 302
    acme.refresh_from_db()
    assert (acme.name, acme.time_zone, acme.languages) == (
        "Acme Clinic",
        "Europe/Vienna",
        ["de", "en"],
    )
    entry = AuditEntry.all_tenants.get(action="tenant.edit")
    assert entry.changes["time_zone"] == ["Europe/Berlin", "Europe/Vienna"]
    browse(bob).post(address("company"), data)
    assert AuditEntry.all_tenants.filter(action="tenant.edit").count() == 1


def test_retention_and_listening_in(
    acme: Tenant, bob: User, browse: Callable[[User], Client]
) -> None:
    browser = browse(bob)
    data = {"keep_transcripts_days": "90", "keep_recordings_days": "", "listen_in": "admins"}
    assert browser.post(address("keeping"), data).status_code == 302
    acme.refresh_from_db()
    assert (acme.keep_transcripts_days, acme.keep_recordings_days) == (90, None)
    assert acme.listen_in == "admins"
    refused = browser.post(address("keeping"), data | {"keep_transcripts_days": "0"})
    assert refused.status_code == 200
    acme.refresh_from_db()
    assert acme.keep_transcripts_days == 90


def test_limits_are_not_a_tenants_to_change(
    acme: Tenant, alice: User, browse: Callable[[User], Client]
) -> None:
    data = {"name": "Acme", "time_zone": "Europe/Berlin", "first": "en"}
    browse(alice).post(address("company"), data | {"max_concurrent_calls": "9999", "slug": "x"})
    acme.refresh_from_db()
    assert (acme.name, acme.max_concurrent_calls, acme.slug) == ("Acme", 10, "acme")


def test_the_log_shows_old_and_new_and_who(
    acme: Tenant, bob: User, browse: Callable[[User], Client]
) -> None:
    browser = browse(bob)
    data = {"name": "Acme Clinic", "time_zone": "Europe/Berlin", "first": "en", "others": ["de"]}
    browser.post(address("company"), data)
    shown = page_of(browser, "audit")
    row = re.search(r'<tr data-action="tenant.edit">.*?</tr>', shown, re.S)
    assert row is not None
    for words in (bob.email, "Portal", "127.0.0.1", "<del>Acme Dental</del>", "Acme Clinic"):
        assert words in row[0]


def test_the_log_is_narrowed_and_paged_from_a_place(
    acme: Tenant, birch: Tenant, alice: User, bob: User, browse: Callable[[User], Client]
) -> None:
    for number in range(audit_log.SIZE + 5):
        audit.record("number.edit", f"number {number}", tenant=acme, user=bob)
    audit.record("number.edit", "somebody else's", tenant=birch, user=None)
    browser = browse(alice)
    first = page_of(browser, "audit", "?what=number")
    assert first.count("<tr data-action") == audit_log.SIZE
    assert "somebody else's" not in first
    older = re.search(r'href="[^"?]*(\?[^"]*)" rel="next"', first)
    assert older is not None
    second = page_of(browser, "audit", older[1])
    assert second.count("<tr data-action") == 5
    assert "number 0" in second
    assert page_of(browser, "audit", f"?who={alice.public_id}").count("<tr data-action") == 0
    tomorrow = (timezone.localdate() + timedelta(days=1)).isoformat()
    assert "Nothing fits" in page_of(browser, "audit", f"?since={tomorrow}")
    assert browser.get(address("audit") + "?at=nonsense&since=x&who=y").status_code == 200


def test_every_field_of_a_secret_stays_masked(
    account: ProviderAccount, alice: User, browse: Callable[[User], Client]
) -> None:
    before = audit.snapshot(account, ["secret"])
    account.set_secret("sk-another-secret-0001")
    changes = audit.diff(before, account, ["secret"])
    audit.record("account.edit", account, tenant=account.tenant, user=alice, changes=changes)
    shown = page_of(browse(alice), "audit")
    assert "sk-another" not in shown
    assert "<del>set</del> → <ins>changed</ins>" in shown


def test_support_comes_in_by_grant_and_goes_out_at_once(
    acme: Tenant, alice: User, victor: User, olga: User, browse: Callable[[User], Client]
) -> None:
    owner, operator = browse(alice), browse(olga)
    assert operator.get("/t/acme/").status_code == 404
    assert "Nobody lets support in now" in operator.get("/console/support/").content.decode()
    data = {"hours": "4", "role": "viewer", "reason": "100 is silent"}
    assert owner.post(address("support"), data).status_code == 302
    listed = operator.get("/console/support/").content.decode()
    assert "100 is silent" in listed
    inside = operator.get("/t/acme/").content.decode()
    assert "You are here as the operator" in inside
    told = page_of(owner, "calls")
    assert "Your operator's support may come in until" in told
    assert f'href="{address("support")}"' in told
    assert address("support") not in page_of(browse(victor), "calls")
    assert operator.get(address("agent_new")).status_code == 403
    grant = SupportGrant.all_tenants.get()
    owner.post(address("support_revoke", grant_id=grant.public_id))
    assert operator.get("/t/acme/").status_code == 404
    assert "support may come in" not in page_of(owner, "calls")
    shown = page_of(owner, "audit")
    for action in ("support.grant", "support.enter", "support.revoke"):
        assert f'data-action="{action}"' in shown
    assert "<ins>Viewer</ins>" in shown


@pytest.mark.parametrize("hours", ["0", "9999", "x"])
def test_support_is_not_let_in_for_ever(
    hours: str, alice: User, browse: Callable[[User], Client]
) -> None:
    browse(alice).post(address("support"), {"hours": hours, "role": "viewer"})
    assert not SupportGrant.all_tenants.exists()


def test_the_console_sees_the_log_of_all(
    acme: Tenant, birch: Tenant, olga: User, browse: Callable[[User], Client]
) -> None:
    with acting(Actor(via=Via.JOB)):
        audit.record("number.edit", "of Acme", tenant=acme, user=None)
        audit.record("number.edit", "of Birch", tenant=birch, user=None)
    shown = browse(olga).get("/console/audit/").content.decode()
    for words in ("of Acme", "of Birch", "Acme Dental", "Birch Legal"):
        assert words in shown


def test_a_key_is_changed_on_its_page(
    account: ProviderAccount, worker: Worker, bob: User, browse: Callable[[User], Client]
) -> None:
    Worker.objects.filter(pk=worker.pk).update(connected=True)
    browser = browse(bob)
    url = address("account_rotate", account_id=account.public_id)
    secret = "sk-the-next-key-of-mine"
    browser.post(url, {"do": "begin", "next_secret": secret})
    part = browser.get(url, headers={"HX-Request": "true"}).content.decode()
    assert 'data-check="pending"' in part
    assert "<html" not in part
    row = ProviderAccount.all_tenants.get(pk=account.pk)
    accounts.store_check(contract.AccountChecked(check_id=str(row.next_check_id), ok=True))
    shown = page_of(browser, "account_rotate", account_id=account.public_id)
    assert "The next key works" in shown
    assert secret not in shown
    browser.post(url, {"do": "change"})
    assert ProviderAccount.all_tenants.get(pk=account.pk).secret.reveal() == secret


def test_a_next_key_that_is_none_is_said_beside_its_field(
    account: ProviderAccount, bob: User, browse: Callable[[User], Client]
) -> None:
    url = address("account_rotate", account_id=account.public_id)
    answer = browse(bob).post(url, {"do": "begin", "next_secret": "two words"})
    assert answer.status_code == 200
    assert "field-error" in answer.content.decode()
    assert not ProviderAccount.all_tenants.get(pk=account.pk).next_secret


async def whole(answer: Any) -> bytes:
    return b"".join([piece async for piece in answer.streaming_content])


def test_all_data_is_asked_for_fetched_and_deleted(
    acme: Tenant, alice: User, bob: User, browse: Callable[[User], Client]
) -> None:
    browser = browse(alice)
    browser.post(address("export_ask"))
    waiting = page_of(browser, "data")
    assert "Being made" in waiting
    assert 'hx-trigger="every 3s"' in waiting
    exports.make_due()
    assert "hx-trigger" not in page_of(browser, "data").partition('id="exports"')[2]
    row = DataExport.all_tenants.get()
    url = address("export_file", export_id=row.public_id)
    answer = browser.get(url)
    assert answer["Content-Disposition"].startswith('attachment; filename="acme-')
    assert async_to_sync(whole)(answer)[:2] == b"PK"
    assert browse(bob).get(url).status_code == 403
    browser.post(address("export_delete", export_id=row.public_id))
    assert browser.get(url).status_code == 404


def test_the_end_is_asked_for_and_taken_back(
    acme: Tenant,
    alice: User,
    browse: Callable[[User], Client],
    django_capture_on_commit_callbacks: Callable[..., Any],
) -> None:
    User.objects.filter(pk=alice.pk).update(time_zone="Asia/Kolkata")
    browser = browse(alice)
    wrong = browser.post(address("close"), {"name": "acme"})
    assert "not the company" in html.unescape(wrong.content.decode())
    with django_capture_on_commit_callbacks(execute=True):
        browser.post(address("close"), {"name": "Acme Dental"})
    assert "(IST) all its agents" in outbox.outbox[0].body
    assert "This company is to be deleted" in page_of(browser, "data")
    browser.post(address("close_take_back"))
    acme.refresh_from_db()
    assert acme.closing_at is None
