"""The database's index over the words of calls is in step with the documents."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from django.db import connection

from pbxai import checks
from tenants import search_index
from tenants.models import Call, SearchDocument, Tenant

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)


@pytest.fixture
def document(acme: Tenant) -> SearchDocument:
    return make(acme, "guten tag strasse 12")


def make(tenant: Tenant, body: str) -> SearchDocument:
    call = Call.all_tenants.create(
        tenant=tenant, called="1", state="ended", started_at=NOW, ended_at=NOW
    )
    return SearchDocument.all_tenants.create(tenant=tenant, call=call, started_at=NOW, body=body)


def found(words: str) -> list[int]:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT rowid FROM tenants_search_fts WHERE tenants_search_fts MATCH %s", [words]
        )
        return [row[0] for row in cursor.fetchall()]


def indexed() -> int:
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM tenants_search_fts_docsize")
        return cursor.fetchone()[0]


@pytest.mark.sqlite_only
def test_a_document_is_found_by_its_words_and_by_beginnings(document: SearchDocument, acme: Tenant):
    make(acme, "guten abend")
    assert found('"strasse"') == [document.pk]
    assert found('"guten tag"') == [document.pk]
    assert len(found('"gut"*')) == 2
    assert found('"tag guten"') == []


@pytest.mark.sqlite_only
def test_a_document_that_changes_is_found_by_its_new_words_only(document: SearchDocument):
    document.body = "auf wiedersehen"
    document.save()
    assert found('"wiedersehen"') == [document.pk]
    assert found('"guten"') == []
    SearchDocument.all_tenants.filter(pk=document.pk).update(body="rechnung")
    assert found('"rechnung"') == [document.pk]
    assert found('"wiedersehen"') == []
    SearchDocument.all_tenants.bulk_create(
        [
            SearchDocument(
                pk=document.pk,
                tenant=document.tenant,
                call=document.call,
                started_at=NOW,
                body="neu",
            )
        ],
        update_conflicts=True,
        unique_fields=["call"],
        update_fields=["body"],
    )
    assert (found('"neu"'), found('"rechnung"'), indexed()) == ([document.pk], [], 1)


@pytest.mark.sqlite_only
def test_a_tenant_that_goes_takes_its_words_along(
    document: SearchDocument, acme: Tenant, birch: Tenant
):
    theirs = make(birch, "guten morgen")
    acme.delete()
    assert found('"guten"') == [theirs.pk]
    assert indexed() == 1


@pytest.mark.sqlite_only
def test_a_trigger_that_is_gone_is_said_and_made_again(document: SearchDocument, acme: Tenant):
    assert checks.check_search_index(None, databases=["default"]) == []
    with connection.cursor() as cursor:
        cursor.execute("DROP TRIGGER tenants_search_added")
    (warning,) = checks.check_search_index(None, databases=["default"])
    assert "tenants_search_added" in warning.msg
    unseen = make(acme, "verpasst")
    assert found('"verpasst"') == []
    with connection.cursor() as cursor:
        search_index.create(Statements(cursor))
    assert checks.check_search_index(None, databases=["default"]) == []
    assert found('"verpasst"') == [unseen.pk]
    assert found('"guten"') == [document.pk]


class Statements:
    """A schema editor, as far as the index needs one; the real one wants no transaction around."""

    connection = connection

    def __init__(self, cursor) -> None:
        self.execute = cursor.execute


def test_this_pythons_sqlite_can_index_words():
    assert checks.check_full_text(None) == []
