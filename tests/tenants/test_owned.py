"""All that a tenant owns: exported whole, and gone whole when it ends."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.apps import apps
from django.core import mail as outbox
from django.core.exceptions import ValidationError
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.utils import timezone

from tenants.models import (
    Agent,
    AuditEntry,
    Call,
    CallNote,
    DataExport,
    Member,
    Number,
    ProviderAccount,
    Recording,
    Tag,
    Tenant,
    TranscriptEntry,
    User,
    Worker,
)
from tenants.services import audit, closing, exports, members, support, tokens
from tenants.services.owned import OWNED, rows_of
from tests.tenants.calls import admitted

KEY = "sandbox-key-0001"


@pytest.fixture
def full(acme: Tenant, alice: User, number: Number, worker: Worker) -> Call:
    """Acme with something of most kinds; gives its call, which is over."""
    call = admitted(worker)
    Call.all_tenants.filter(pk=call.pk).update(state="ended", ended_at=timezone.now())
    entry = {"tenant": acme, "call": call, "position": 1, "speaker": "caller"}
    TranscriptEntry.all_tenants.create(item_id="a", text="Grüß Gott", **entry)
    CallNote.all_tenants.create(tenant=acme, call=call, user=alice, text="Call back.")
    call.tags.add(Tag.all_tenants.create(tenant=acme, name="Urgent"))
    recording = Recording(tenant=acme, call=call, sha256="0" * 64, duration_ms=1, size=4)
    recording.file.save("", ContentFile(b"OggS"))
    members.invite(tenant=acme, user=alice, email="new@acme.example", role="viewer")
    support.grant(tenant=acme, user=alice, hours=1, reason="")
    token, _text = tokens.create_token(
        tenant=acme, user=alice, name="CRM", scopes=["calls:read"], expires_at=None
    )
    audit.record("token.use", token, tenant=acme, user=alice)
    call.refresh_from_db()
    return call


def opened(tenant: Tenant) -> zipfile.ZipFile:
    body = io.BytesIO()
    exports.write(tenant, body)
    return zipfile.ZipFile(io.BytesIO(body.getvalue()))


def lines(found: zipfile.ZipFile, name: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in found.read(f"{name}.jsonl").decode().splitlines()]


def test_every_model_with_a_tenant_is_owned_and_in_order():
    with_tenant = {
        model
        for model in apps.get_app_config("tenants").get_models()
        if any(field.name == "tenant" for field in model._meta.concrete_fields)
    }
    assert with_tenant == set(OWNED)
    for place, model in enumerate(OWNED):
        for field in model._meta.concrete_fields:
            target = field.related_model
            untied = (model, field.name) == (Agent, "published_revision")
            if target in OWNED and target is not model and not untied:
                assert OWNED.index(target) > place, f"{model.__name__} leans on {target}"


def test_the_export_holds_each_row_and_the_sound(full: Call, acme: Tenant, alice: User):
    found = opened(acme)
    for model in OWNED:
        name = str(model._meta.model_name)
        if model not in exports.LEFT_OUT:
            assert len(lines(found, name)) == rows_of(model, acme).count(), name
    (call,) = lines(found, "call")
    assert (call["public_id"], call["called"]) == (str(full.public_id), "100")
    assert lines(found, "transcriptentry")[0]["text"] == "Grüß Gott"
    assert alice.email in {user["email"] for user in lines(found, "users")}
    assert found.read(f"recordings/{full.public_id}.ogg") == b"OggS"
    assert json.loads(found.read("tenant.json"))["name"] == "Acme Dental"
    recent = full.started_at.year
    assert {member.date_time[0] - recent for member in found.infolist()} <= {0, 1}
    assert {member.compress_type for member in found.infolist()} == {zipfile.ZIP_DEFLATED}


def test_the_export_holds_nothing_of_another_and_no_secret(
    full: Call, acme: Tenant, birch: Tenant, charlie: User, account: ProviderAccount
):
    found = opened(acme)
    whole = b"".join(found.read(name) for name in found.namelist()).decode(errors="replace")
    assert "charlie" not in whole
    assert KEY not in whole
    for word in ('"digest"', '"password"', '"secret"'):
        assert word not in whole
    assert lines(opened(birch), "call") == []


def test_an_export_is_made_by_the_job_kept_a_week_and_deleted(full: Call, alice: User):
    row = exports.ask(tenant=full.tenant, user=alice)
    with pytest.raises(ValidationError, match="already"):
        exports.ask(tenant=full.tenant, user=alice)
    exports.make_due()
    row = DataExport.all_tenants.get(pk=row.pk)
    assert (row.state, row.size > 0) == ("ready", True)
    with row.file.open("rb") as body:
        assert zipfile.ZipFile(body).testzip() is None
    assert exports.expire() == 0
    with time_machine.travel(timezone.now() + exports.KEPT + timedelta(minutes=1)):
        assert exports.expire() == 1
    assert not default_storage.exists(row.file.name)


def test_an_export_that_fails_says_so(full: Call, alice: User, monkeypatch: pytest.MonkeyPatch):
    def full_disk(*_: Any) -> None:
        raise OSError("No space left on device")

    row = exports.ask(tenant=full.tenant, user=alice)
    monkeypatch.setattr(exports, "write", full_disk)
    exports.make_due()
    row = DataExport.all_tenants.get(pk=row.pk)
    assert (row.state, row.error) == ("failed", "OSError")
    exports.ask(tenant=full.tenant, user=alice)


def test_the_end_has_to_be_meant_waits_and_can_be_taken_back(
    acme: Tenant, alice: User, django_capture_on_commit_callbacks: Callable[..., Any]
):
    with pytest.raises(ValidationError, match="not the company's name"):
        closing.ask(tenant=acme, user=alice, name="Acme")
    with django_capture_on_commit_callbacks(execute=True):
        closing.ask(tenant=acme, user=alice, name="Acme Dental")
    assert outbox.outbox[0].to == [alice.email]
    closing.close_due()
    assert Tenant.objects.filter(pk=acme.pk, is_active=True).exists()
    closing.take_back(tenant=acme, user=alice)
    with time_machine.travel(timezone.now() + closing.GRACE + timedelta(days=1)):
        closing.close_due()
    assert Tenant.objects.filter(pk=acme.pk, is_active=True).exists()


def test_all_goes_at_the_end_and_nothing_of_anybody_else(
    full: Call,
    acme: Tenant,
    birch: Tenant,
    alice: User,
    bob: User,
    charlie: User,
    olga: User,
    make_account: Callable[..., ProviderAccount],
):
    make_account(birch)
    Member.all_tenants.create(tenant=birch, user=bob, role="viewer")
    Member.all_tenants.create(tenant=acme, user=olga, role="viewer")
    sound = Recording.all_tenants.get().file.name
    closing.ask(tenant=acme, user=alice, name="Acme Dental")
    with time_machine.travel(timezone.now() + closing.GRACE + timedelta(minutes=1)):
        closing.close_due()
    assert list(Tenant.objects.values_list("slug", flat=True)) == ["birch"]
    for model in OWNED:
        assert not rows_of(model, acme).exists(), model
    assert not default_storage.exists(sound)
    assert set(User.objects.values_list("email", flat=True)) == {
        bob.email,
        charlie.email,
        olga.email,
    }
    assert ProviderAccount.all_tenants.filter(tenant=birch).count() == 1
    entry = AuditEntry.all_tenants.get(action="tenant.closed")
    assert (entry.tenant, entry.target) == (None, "Acme Dental (acme)")


def test_a_call_that_runs_is_waited_for(full: Call, acme: Tenant, alice: User):
    Call.all_tenants.filter(pk=full.pk).update(state="running", ended_at=None)
    closing.ask(tenant=acme, user=alice, name="Acme Dental")
    with time_machine.travel(timezone.now() + closing.GRACE + timedelta(minutes=1)):
        closing.close_due()
        assert Tenant.objects.filter(pk=acme.pk, is_active=False).exists()
        Call.all_tenants.filter(pk=full.pk).update(state="ended", ended_at=timezone.now())
        closing.close_due()
    assert not Tenant.objects.filter(pk=acme.pk).exists()
