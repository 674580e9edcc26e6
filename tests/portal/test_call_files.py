"""Calls to take away, tags and notes, deletion, the waveform, what a call cost."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from asgiref.sync import async_to_sync
from django.test import Client
from django.utils import timezone

from tenants.models import (
    AuditEntry,
    Call,
    CallNote,
    CallProblem,
    CallUsage,
    Price,
    ProviderModel,
    Recording,
    Tag,
    Tenant,
    Turn,
    User,
)
from tenants.services import call_files
from tests.portal.conftest import address, say

HTMX = {"HX-Request": "true"}


@pytest.fixture
def alices(alice: User, browse: Callable[[User], Client]) -> Client:
    return browse(alice)


def body(answer: Any) -> str:
    async def collect() -> bytes:
        return b"".join([piece async for piece in answer.streaming_content])

    return async_to_sync(collect)().decode()


def table(browser: Client, query: str = "") -> list[dict[str, str]]:
    text = body(browser.get(address("calls_export") + query))
    assert text.startswith("\ufeff")
    return list(csv.DictReader(io.StringIO(text.removeprefix("\ufeff"))))


# --- lists ----------------------------------------------------------------------------------------


def test_the_list_as_csv_is_the_filtered_one_and_all_pages_of_it(
    make_call: Callable[..., Call], erin: User, browse: Callable[[User], Client], monkeypatch: Any
):
    monkeypatch.setattr(call_files, "ROWS_AT_ONCE", 2)
    calls = [make_call(cost=Decimal("0.01230000"), currency="USD") for _ in range(5)]
    calls[0].tags.add(Tag.all_tenants.create(tenant=calls[0].tenant, name="late bill"))
    make_call(end_cause="provider_failed", answered_at=None)
    browser = browse(erin)
    rows = table(browser, "?outcome=answered")
    assert {row["id"] for row in rows} == {str(call.public_id) for call in calls}
    (tagged,) = (row for row in rows if row["tags"])
    assert tagged["tags"] == "late bill"
    assert (tagged["cost"], tagged["currency"]) == ("0.0123", "USD")
    assert (tagged["caller"], tagged["caller_name"]) == ("+4930123456", "Maria Huber")
    assert (tagged["agent"], tagged["number"], tagged["revision"]) == (
        "Reception",
        "Front desk",
        "1",
    )
    entry = AuditEntry.all_tenants.get(action="calls.export")
    assert entry.detail == {"format": "csv", "filter": {"outcome": "answered"}}


@pytest.mark.parametrize("name", ["=1+1", "+cmd|x", "-2", "@SUM(A1)", "\t=1", "\r=1", "\n=1"])
def test_what_a_spreadsheet_would_reckon_with_is_text(
    make_call: Callable[..., Call], alices: Client, name: str
):
    make_call(calling_name=name, calling="+4930,1")
    (row,) = table(alices)
    assert row["caller_name"] == f"'{name}"
    assert row["caller"] == "'+4930,1"


def test_the_list_as_json(make_call: Callable[..., Call], alices: Client, monkeypatch: Any):
    monkeypatch.setattr(call_files, "ROWS_AT_ONCE", 2)
    calls = [make_call() for _ in range(3)]
    answer = alices.get(address("calls_export") + "?format=json")
    assert answer["Content-Type"] == "application/json"
    assert '.json"' in answer["Content-Disposition"]
    rows = json.loads(body(answer))
    assert {row["id"] for row in rows} == {str(call.public_id) for call in calls}
    assert rows[0]["duration_seconds"] == 60.0
    nothing = alices.get(address("calls_export") + "?format=json&caller=nobody")
    assert json.loads(body(nothing)) == []
    assert table(alices, "?caller=nobody") == []


# --- one call -------------------------------------------------------------------------------------


def test_a_call_as_json_has_all_that_its_page_has(call: Call, alices: Client, alice: User):
    CallNote.all_tenants.create(tenant=call.tenant, call=call, user=alice, text="Call back.")
    CallProblem.all_tenants.create(tenant=call.tenant, call=call, kind="quota", offset_ms=500)
    answer = alices.get(address("call_download", call_id=call.public_id))
    found = json.loads(answer.content)
    assert (found["problems"][0]["kind"], found["problems"][0]["at_ms"]) == ("quota", 500)
    assert found["id"] == str(call.public_id)
    assert [entry["text"] for entry in found["transcript"]][1] == "Please connect me to sales."
    assert found["transcript"][2]["not_heard"] == "you to sales now."
    assert found["tool_calls"][0]["arguments"] == {"target": "sales"}
    assert found["turns"][1]["first_packet_ms"] == 6780
    assert found["notes"][0]["by"] == alice.email
    assert AuditEntry.all_tenants.get(action="call.download").user == alice


def test_a_call_as_text_is_to_be_read(call: Call, alices: Client):
    answer = alices.get(address("call_download", call_id=call.public_id) + "?format=text")
    lines = answer.content.decode().splitlines()
    assert "Maria Huber +4930123456 → 100" in lines[0]
    assert lines[2] == "0:00:00  > Hello, Acme Dental."
    assert lines[3] == "0:00:04  < Please connect me to sales."
    assert lines[4] == "0:00:00  > I will connect [you to sales now.]"
    assert lines[5] == "0:00:00  [transfer_call: succeeded]"


def test_a_call_is_deleted_by_who_manages(
    call: Call, bob: User, erin: User, browse: Callable[[User], Client]
):
    page = browse(erin).get(address("call", call_id=call.public_id)).content.decode()
    assert "Delete this call?" not in page
    browser = browse(bob)
    assert (
        "Delete this call?" in browser.get(address("call", call_id=call.public_id)).content.decode()
    )
    answer = browser.post(address("call_delete", call_id=call.public_id), follow=True)
    assert "The call was deleted." in answer.content.decode()
    assert not Call.all_tenants.filter(pk=call.pk).exists()


def test_a_running_call_is_not_deleted(running: Call, alices: Client):
    page = alices.get(address("call", call_id=running.public_id)).content.decode()
    assert "Delete this call?" not in page
    answer = alices.post(address("call_delete", call_id=running.public_id), follow=True)
    assert "A call that runs cannot be deleted." in answer.content.decode()


def test_the_waveform_is_there_when_it_is_drawn(
    call: Call, alices: Client, keep_recording: Callable[..., Recording]
):
    url = address("call_peaks", call_id=call.public_id)
    assert alices.get(url).status_code == 404
    kept = keep_recording(call, peaks=b"")
    assert (
        f'data-peaks="{url}"'
        in alices.get(address("call", call_id=call.public_id)).content.decode()
    )
    for peaks, status in ((b"", 204), (b"\0", 204), (bytes(range(200)) * 10, 200)):
        Recording.all_tenants.filter(pk=kept.pk).update(peaks=peaks)
        answer = alices.get(url)
        assert answer.status_code == status
    assert answer.content == peaks


# --- tags and notes -------------------------------------------------------------------------------


def test_tags_are_added_offered_and_taken_off(
    call: Call, make_call: Callable[..., Call], alices: Client
):
    other = make_call()
    url = address("call_tags", call_id=call.public_id)
    card = alices.post(url, {"name": "  Late   bill "}, headers=HTMX).content.decode()
    assert "Late bill" in card
    assert "<html" not in card
    # The same word in another case is the same tag.
    alices.post(address("call_tags", call_id=other.public_id), {"name": "late BILL"})
    assert Tag.all_tenants.get().name == "Late bill"
    third = make_call()
    page = alices.get(address("call", call_id=third.public_id)).content.decode()
    assert '<option value="Late bill">' in page
    alices.post(url, {"remove": "Late bill"})
    assert Tag.all_tenants.exists()
    alices.post(address("call_tags", call_id=other.public_id), {"remove": "Late bill"})
    assert not Tag.all_tenants.exists()
    entries = AuditEntry.all_tenants.filter(action__startswith="call.").order_by("pk")
    actions = list(entries.values_list("action", flat=True))
    assert actions == ["call.tag", "call.tag", "call.untag", "call.untag"]


def test_a_tag_that_is_too_long_or_one_too_many_is_refused_in_words(
    call: Call, acme: Tenant, alices: Client
):
    url = address("call_tags", call_id=call.public_id)
    card = alices.post(url, {"name": "x" * 51}, headers=HTMX).content.decode()
    assert "50 characters" in card
    for number in range(20):
        call.tags.add(Tag.all_tenants.create(tenant=acme, name=f"t{number}"))
    card = alices.post(url, {"name": "more"}, headers=HTMX).content.decode()
    assert "A call can have 20 tags." in card
    assert Call.tags.through.objects.filter(call=call).count() == 20


def test_notes_are_ones_own_to_delete(
    call: Call, erin: User, bob: User, victor: User, browse: Callable[[User], Client]
):
    url = address("call_notes", call_id=call.public_id)
    bobs, erins = browse(bob), browse(erin)
    bobs.post(url, {"text": "Refunded <b>once</b>."})
    card = erins.post(url, {"text": "Call back."}, headers=HTMX).content.decode()
    assert "Refunded &lt;b&gt;once&lt;/b&gt;." in card
    assert card.count('name="delete"') == 1
    of_bob = CallNote.all_tenants.get(user=bob)
    assert erins.post(url, {"delete": str(of_bob.public_id)}).status_code == 404
    assert erins.post(url, {"delete": "nonsense"}).status_code == 302
    of_erin = CallNote.all_tenants.get(user=erin)
    bobs.post(url, {"delete": str(of_erin.public_id)})
    assert list(CallNote.all_tenants.all()) == [of_bob]
    page = browse(victor).get(address("call", call_id=call.public_id)).content.decode()
    assert "Refunded" in page
    assert 'name="text"' not in page
    long = erins.post(url, {"text": "x" * 4001}, headers=HTMX).content.decode()
    assert "4000 characters" in long


# --- what it cost, what was done ------------------------------------------------------------------


def test_a_call_shows_what_it_cost_and_used(call: Call, alices: Client):
    page = alices.get(address("call", call_id=call.public_id)).content.decode()
    assert "It is being counted." in page
    model = ProviderModel.objects.create(provider="openai", name="gpt-test", kind="realtime")
    price = Price.objects.create(model=model, valid_from="2026-01-01", currency="USD")
    CallUsage.all_tenants.create(
        tenant=call.tenant,
        call=call,
        kind="response",
        model="gpt-test",
        input_audio_tokens=1200,
        output_audio_tokens=3400,
        cached_audio_tokens=700,
        responses=2,
        price=price,
        cost=Decimal("0.25"),
    )
    Call.all_tenants.filter(pk=call.pk).update(
        cost=Decimal("0.25"), currency="USD", settled_at=timezone.now()
    )
    page = " ".join(alices.get(address("call", call_id=call.public_id)).content.decode().split())
    assert '<p class="cost-total">0.25 USD</p>' in page
    for text in ("1,200", "3,400", "from the cache: 700", "2 responses", "gpt-test"):
        assert text in page, text


def test_a_call_whose_model_has_no_price_says_so(call: Call, alices: Client):
    CallUsage.all_tenants.create(tenant=call.tenant, call=call, kind="response", model="new")
    Call.all_tenants.filter(pk=call.pk).update(settled_at=timezone.now())
    page = alices.get(address("call", call_id=call.public_id)).content.decode()
    assert "No price is known for a model of this call." in page


def test_waits_are_a_chart_with_its_table(call: Call, alices: Client):
    Turn.all_tenants.create(
        tenant=call.tenant, call=call, number=3, caller_stopped_ms=9000, first_packet_ms=9555
    )
    page = " ".join(alices.get(address("call", call_id=call.public_id)).content.decode().split())
    assert 'data-value="780">780 ms</td>' in page
    assert 'data-value="555">555 ms</td>' in page


def test_a_tool_shows_what_it_was_called_with(call: Call, alices: Client):
    say(call, "item_9", 90, "caller", "Bye.")
    page = alices.get(address("call", call_id=call.public_id)).content.decode()
    assert "<code>{&quot;target&quot;: &quot;sales&quot;}</code>" in page


def test_a_calls_page_asks_the_database_at_most_twenty_times(
    call: Call,
    alices: Client,
    keep_recording: Callable[..., Recording],
    django_assert_max_num_queries: Any,
):
    keep_recording(call)
    with django_assert_max_num_queries(20):
        alices.get(address("call", call_id=call.public_id))
