"""Words of calls are found alike on both databases: these tests run on SQLite and on PostgreSQL."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import connection
from django_scopes import scope

from tenants.models import Call, SearchDocument, Tenant, TranscriptEntry
from tenants.services import search

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
SAID = {
    "tax": "Die Steuererklärung für die Straße 12, bitte. Guten Tag!",
    "mail": "My e-mail is maria.huber@example.org, that's it; O'Neil knows.",
    "number": "Call 030/1234-567 or 0x1f, 1e5, 3.14 and 12abc.",
    "greek": "Καλημέρα σας, θέλω ένα ραντεβού.",
    "russian": "Добрый день, ёлка",
    "japanese": "東京に行きたいです。",
    "arabic": "مَرحَبًا بك",
    "snake": "the order_id is A_17",
    "good": "Good morning. good bye.",
}


@pytest.fixture
def calls(acme: Tenant) -> dict[str, Call]:
    return {
        name: make(acme, text, started_at=NOW - timedelta(minutes=number))
        for number, (name, text) in enumerate(SAID.items())
    }


def make(tenant: Tenant, *texts: str, **fields: Any) -> Call:
    values = {"called": "1", "state": "ended", "started_at": NOW, "ended_at": NOW} | fields
    call = Call.all_tenants.create(tenant=tenant, **values)
    for position, text in enumerate(texts):
        TranscriptEntry.all_tenants.create(
            tenant=tenant,
            call=call,
            item_id=f"item_{position}",
            position=position,
            speaker="caller",
            text=text,
            offset_ms=position * 1000,
            final=True,
        )
    search.index(call)
    return call


def found(tenant: Tenant, text: str) -> set[Call]:
    with scope(tenant=tenant):
        return set(search.narrow(Call.objects.all(), text, tenant=tenant))


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ("steuererklärung", {"tax"}),
        ("STEUERERKLARUNG", {"tax"}),
        ("strasse", {"tax"}),
        ("Straße 12", {"tax"}),
        ("12", {"tax", "number"}),  # the last word is a beginning: 12abc
        ('"12"', {"tax"}),
        ("12abc", {"number"}),
        ("steu", {"tax"}),
        ("steu bitte", set()),  # only the last word is a beginning
        ("bitte steu", {"tax"}),
        ('"guten tag"', {"tax"}),
        ('"tag guten"', set()),
        ("tag guten", {"tax"}),
        ("e-mail", {"mail"}),
        ("mail-e", set()),
        ("maria.huber@example.org", {"mail"}),
        ("that's", {"mail"}),
        ("O'Ne", {"mail"}),
        ("030/1234-567", {"number"}),
        ("1234 567", {"number"}),
        ("0x1f", {"number"}),
        ("1e5", {"number"}),
        ("3.14", {"number"}),
        ("καλημερα", {"greek"}),
        ("ΘΕΛΩ", {"greek"}),
        ("елка", {"russian"}),
        ("добр", {"russian"}),
        ("東京", {"japanese"}),
        ("京東", set()),
        ("مرحبا", {"arabic"}),
        ("order_id", {"snake"}),
        ("good", {"good"}),
        ("goo", {"good"}),
        ("g", set()),  # too short to be a beginning
        ("AND", {"number"}),  # a word like any other
        ("good OR steuererklärung", set()),
        ("???", set()),
        ("", set()),
        ("%", set()),
        ("' | ! & ( <-> :* good", {"good"}),
        ('"good', {"good"}),
        ('morning "good', {"good"}),
    ],
)
def test_a_query_finds_the_calls_that_have_its_words(
    calls: dict[str, Call], acme: Tenant, query: str, names: set[str]
):
    by_call = {call: name for name, call in calls.items()}
    assert {by_call[call] for call in found(acme, query)} == names


def test_words_may_be_far_apart_and_a_phrase_far_behind(acme: Tenant):
    call = make(acme, "ab " * 20_000 + "very end", "ab cd")
    assert found(acme, "very cd") == {call}
    assert found(acme, '"very end ab cd"') == {call}
    assert found(acme, '"end cd"') == set()


def test_a_body_ends_with_a_whole_word(acme: Tenant):
    call = make(acme, "straßenbahn " * 60_000)
    body = SearchDocument.all_tenants.get(call=call).body
    assert search.BODY_BYTES - 20 < len(body.encode()) <= search.BODY_BYTES
    assert set(body.split()) == {"strassenbahn"}
    assert body[0] == body[-1] == " "
    assert found(acme, "straßen") == {call}


def test_nobody_finds_what_another_tenants_callers_said(
    calls: dict[str, Call], acme: Tenant, birch: Tenant
):
    theirs = make(birch, "steuererklärung")
    assert found(birch, "steuer") == {theirs}
    assert found(acme, "steuer") == {calls["tax"]}


def test_indexing_again_replaces(acme: Tenant):
    call = make(acme, "before")
    TranscriptEntry.all_tenants.filter(call=call).update(text="after", cut_text="beyond")
    search.index(call)
    assert found(acme, "before") == set()
    assert found(acme, "after beyond") == {call}


def test_both_databases_look_into_their_index(calls: dict[str, Call], acme: Tenant):
    many = Call.all_tenants.bulk_create(
        Call(tenant=acme, called="1", state="ended", started_at=NOW, ended_at=NOW)
        for _ in range(1000)
    )
    SearchDocument.all_tenants.bulk_create(
        SearchDocument(tenant=acme, call=call, started_at=NOW, body=" guten tag und danke ")
        for call in many
    )
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")
        if connection.vendor == "postgresql":
            cursor.execute("SET LOCAL enable_seqscan = off")  # small tables are read whole
    with scope(tenant=acme):
        plan = search.narrow(Call.objects.all(), "steuer", tenant=acme).explain()
    index = "tenants_search_words" if connection.vendor == "postgresql" else "VIRTUAL TABLE INDEX"
    assert index in plan


def test_a_snippet_shows_the_words_in_their_sentence(calls: dict[str, Call], acme: Tenant):
    with scope(tenant=acme):
        shown = search.snippet(calls["tax"], "strasse steuer")
    assert shown is not None
    assert "".join(piece.text for piece in shown.pieces) == SAID["tax"]
    assert [piece.text for piece in shown.pieces if piece.found] == ["Steuererklärung", "Straße"]


def test_a_snippet_is_cut_around_the_entry_with_most_of_the_words(acme: Tenant):
    filler = " ".join(f"w{number}" for number in range(30))
    call = make(acme, "alpha", f"{filler} beta alpha {filler}", "beta")
    with scope(tenant=acme):
        shown = search.snippet(call, "alpha beta")
    assert shown is not None
    assert shown.offset_ms == 1000
    text = "".join(piece.text for piece in shown.pieces)
    assert text.startswith("… w25")
    assert text.endswith("w6 …")
    assert [piece.text for piece in shown.pieces if piece.found] == ["beta", "alpha"]
    with scope(tenant=acme):
        assert search.snippet(call, "nothing") is None
        assert search.snippet(call, "") is None


def test_a_decomposed_letter_is_the_letter(acme: Tenant):
    call = make(acme, "Mu\u0308ller")
    assert found(acme, "müller") == {call}
    assert found(acme, "mu\u0308ll") == {call}
    assert found(acme, "muller") == {call}
