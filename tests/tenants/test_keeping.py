"""Words and sound go when their time is over, and only then; a call is deleted for good."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django_scopes import scope

from tenants.models import (
    AuditEntry,
    Call,
    CallEvent,
    CallNote,
    Recording,
    SearchDocument,
    Tenant,
    ToolCall,
    TranscriptEntry,
    User,
)
from tenants.services import keeping, search
from tests.tenants.test_search import make as make_said

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
On = Callable[..., Any]


def make(tenant: Tenant, days: float, **fields: Any) -> Call:
    """A call so many days ago with words, sound, a tool and a log."""
    began = NOW - timedelta(days=days)
    call = make_said(tenant, "guten tag", started_at=began, ended_at=began, **fields)
    ToolCall.all_tenants.create(
        tenant=tenant,
        call=call,
        tool_call_id="t",
        position=9,
        name="transfer_call",
        arguments={"target": "sales"},
        result="Connected.",
        state="succeeded",
    )
    CallEvent.all_tenants.create(tenant=tenant, call=call, kind="dtmf", text="5")
    kept = Recording(tenant=tenant, call=call, sha256="0" * 64, size=4, peaks=bytes(2000))
    kept.file.save("", ContentFile(b"OggS"), save=False)
    kept.save()
    return call


def words(tenant: Tenant) -> set[int]:
    return set(TranscriptEntry.all_tenants.filter(tenant=tenant).values_list("call", flat=True))


def sound(tenant: Tenant) -> set[int]:
    there = Recording.all_tenants.filter(tenant=tenant).exclude(file="")
    return set(there.values_list("call", flat=True))


def test_without_a_limit_all_is_kept(acme: Tenant):
    call = make(acme, 10_000)
    keeping.apply_retention(NOW)
    assert words(acme) == sound(acme) == {call.pk}
    assert not AuditEntry.all_tenants.exists()


def test_words_go_and_the_line_of_the_list_stays(
    acme: Tenant, birch: Tenant, django_capture_on_commit_callbacks: On
):
    acme.keep_transcripts_days = 30
    acme.save()
    old, young, theirs = make(acme, 30.1), make(acme, 29.9), make(birch, 400)
    CallNote.all_tenants.create(tenant=acme, call=old, text="Call back.")
    with django_capture_on_commit_callbacks(execute=True):
        keeping.apply_retention(NOW)
    assert words(acme) == {young.pk}
    assert words(birch) == {theirs.pk}
    assert sound(acme) == {old.pk, young.pk}
    assert not SearchDocument.all_tenants.filter(call=old).exists()
    tool = ToolCall.all_tenants.get(call=old)
    assert (tool.name, tool.arguments, tool.result) == ("transfer_call", {}, "")
    assert CallEvent.all_tenants.get(call=old).text == ""
    assert CallNote.all_tenants.get(call=old).text == "Call back."
    with scope(tenant=acme):
        assert set(search.narrow(Call.objects.all(), "guten", tenant=acme)) == {young}
    (entry,) = AuditEntry.all_tenants.all()
    assert (entry.action, entry.tenant) == ("retention.apply", acme)
    assert entry.detail == {"transcripts": 1, "recordings": 0}


def test_sound_goes_with_its_file_and_its_picture(
    acme: Tenant, django_capture_on_commit_callbacks: On
):
    acme.keep_recordings_days = 7
    acme.save()
    old, young = make(acme, 8), make(acme, 6)
    name = Recording.all_tenants.get(call=old).file.name
    with django_capture_on_commit_callbacks(execute=True):
        keeping.apply_retention(NOW)
    assert sound(acme) == {young.pk}
    assert words(acme) == {old.pk, young.pk}
    gone = Recording.all_tenants.get(call=old)
    assert (bytes(gone.peaks), gone.deleted_at is not None) == (b"", True)
    assert not default_storage.exists(str(name))


def test_what_is_to_be_kept_longer_is(acme: Tenant):
    acme.keep_transcripts_days = acme.keep_recordings_days = 1
    acme.save()
    held = make(acme, 9, keep_until=NOW + timedelta(seconds=1))
    make(acme, 9, keep_until=NOW)
    keeping.apply_retention(NOW)
    assert words(acme) == sound(acme) == {held.pk}


def test_more_than_a_batch_goes_in_one_run(acme: Tenant, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(keeping, "BATCH", 2)
    acme.keep_transcripts_days = acme.keep_recordings_days = 1
    acme.save()
    for days in range(2, 7):
        make(acme, days)
    keeping.apply_retention(NOW)
    assert words(acme) == sound(acme) == set()


def test_a_call_is_deleted_with_all_of_it_and_the_log_does_not_name_the_caller(
    acme: Tenant, alice: User, tmp_path: Path, django_capture_on_commit_callbacks: On
):
    call = make(acme, 1, calling="+4930123456", calling_name="Maria Huber", duration_ms=5000)
    other = make(acme, 1)
    name = str(Recording.all_tenants.get(call=call).file.name)
    with scope(tenant=acme), django_capture_on_commit_callbacks(execute=True):
        keeping.delete_call(call=call, user=alice)
    assert not Call.all_tenants.filter(pk=call.pk).exists()
    assert words(acme) == sound(acme) == {other.pk}
    assert not default_storage.exists(name)
    entry = AuditEntry.all_tenants.get(action="call.delete")
    assert entry.user == alice
    assert entry.detail["duration_ms"] == 5000
    said = f"{entry.target} {entry.detail}"
    assert str(call.public_id) in said
    assert "Maria" not in said
    assert "+4930" not in said


def test_a_call_that_runs_is_not_deleted(acme: Tenant, alice: User):
    call = Call.all_tenants.create(tenant=acme, called="1", state="running", started_at=NOW)
    with pytest.raises(keeping.CallRuns), scope(tenant=acme):
        keeping.delete_call(call=call, user=alice)
    assert Call.all_tenants.filter(pk=call.pk).exists()
