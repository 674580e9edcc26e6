"""Start, Live, the list of calls and a call's own page."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from channels.layers import get_channel_layer
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from tenants.models import (
    Agent,
    Call,
    CallEvent,
    CallProblem,
    CallQuality,
    Number,
    ProviderAccount,
    Tenant,
    User,
    Worker,
)
from tenants.services import problems
from tenants.services.live import worker_group
from tests.portal.conftest import address, say


def shown(browser: Client, name: str, **arguments: Any) -> str:
    answer = browser.get(address(name, **arguments))
    assert answer.status_code == 200
    return " ".join(answer.content.decode().split())


def test_start_counts_today(
    make_call: Callable[..., Call], call: Call, alice: User, browse: Callable[[User], Client]
) -> None:
    make_call(state="running")
    now = timezone.now()
    make_call(
        state="refused",
        refusal_reason="tenant_limit",
        end_cause="",
        answered_at=None,
        started_at=now,
        ended_at=now,
    )
    make_call(started_at=now - timedelta(days=2))
    page = shown(browse(alice), "start")
    assert 'id="running-count" class="running-count" data-count="1"' in page
    assert "1 refused" in page
    assert "780 ms" in page  # the one turn that was measured: 6780 - 6000
    assert "1 call heard the busy tone today: 10 calls at once are allowed." in page


def test_start_says_what_needs_attention(
    acme: Tenant,
    call: Call,
    account: ProviderAccount,
    alice: User,
    browse: Callable[[User], Client],
) -> None:
    night = Agent.all_tenants.create(tenant=acme, name="Night", provider_account=account)
    Number.all_tenants.create(tenant=acme, number="200", agent=night)
    account.check_state, account.check_kind = "failed", "key_refused"
    account.save()
    page = shown(browse(alice), "start")
    assert "The check of “Main” failed: The provider refused the key." in page
    assert "“Night” was never published: calls to its numbers are refused." in page
    assert "No media worker is connected: nobody answers the phone." in page


def test_trouble_in_calls_is_news_until_a_check_goes_well(
    account: ProviderAccount, alice: User, browse: Callable[[User], Client]
) -> None:
    account.last_problem_kind, account.last_problem_at = "quota", timezone.now()
    account.save()
    assert "The credit at the provider is used up." in shown(browse(alice), "start")
    account.check_state, account.checked_at = "ok", timezone.now()
    account.save()
    assert "The credit at the provider is used up." not in shown(browse(alice), "start")


def test_live_shows_the_calls_that_run_and_no_other(
    call: Call, running: Call, victor: User, browse: Callable[[User], Client]
) -> None:
    page = shown(browse(victor), "live")
    assert f'data-call="{running.public_id}"' in page
    assert f'data-call="{call.public_id}"' not in page
    assert "Front desk (100)" in page


def test_a_calls_page_tells_the_whole_story(
    call: Call, victor: User, browse: Callable[[User], Client]
) -> None:
    call.sip_status, call.codec, call.session_id = 200, "PCMU/8000", "sess_1"
    call.save()
    CallProblem.all_tenants.create(
        tenant=call.tenant, call=call, kind="rate_limit", code="rate_limit_exceeded", offset_ms=500
    )
    page = shown(browse(victor), "call", call_id=call.public_id)
    assert 'id="call-state" data-state="ended"' in page
    assert "The agent connected the caller to somebody else." in page
    assert 'data-speaker="caller" data-item="item_2" data-final="true"' in page
    assert "heard until here" in page
    assert '<s class="cut" data-cut>you to sales now.</s>' in page
    assert 'data-tool="transfer_call" data-state="succeeded"' in page
    assert "Transfer to sales" in page
    assert "780 ms" in page
    assert "The provider allows no more requests at the moment." in page
    assert "rate_limit_exceeded" in page
    assert "PCMU/8000" in page
    order = [page.index(f'data-item="item_{n}"') for n in (1, 2, 3)]
    assert order == sorted(order)
    assert "End call" not in page


def test_a_problem_names_the_account_that_had_it(
    call: Call, victor: User, browse: Callable[[User], Client]
) -> None:
    call.settings_used = {
        "provider_account": {"value": "Main", "level": "tenant"},
        "fallback_account": {"value": "Second", "level": "agent", "id": "0"},
    }
    call.save()
    for offset_ms in (500, 9000):
        CallProblem.all_tenants.create(
            tenant=call.tenant, call=call, kind="quota", code="no_money", offset_ms=offset_ms
        )
    names = [trouble.account for trouble in problems.of_call(call)]
    assert names == ["Main", "Main"]
    CallEvent.all_tenants.create(
        tenant=call.tenant, call=call, kind="fallback_used", text="Second", offset_ms=500
    )
    page = shown(browse(victor), "call", call_id=call.public_id)
    assert "<small>Main · no_money</small>" in page
    assert "<small>Second · no_money</small>" in page


def test_words_of_a_caller_are_text_not_markup(
    call: Call, alice: User, browse: Callable[[User], Client]
) -> None:
    say(call, "item_9", 90, "caller", "<script>alert(1)</script>")
    call.calling_name = "<b>Bobby</b>"
    call.save()
    for name, arguments in (("call", {"call_id": call.public_id}), ("calls", {}), ("start", {})):
        page = shown(browse(alice), name, **arguments)
        assert "<script>alert" not in page
        assert "<b>Bobby" not in page


def test_a_refused_call_says_why(
    make_call: Callable[..., Call], alice: User, browse: Callable[[User], Client]
) -> None:
    now = timezone.now()
    refused = make_call(
        state="refused",
        refusal_reason="no_provider_account",
        end_cause="",
        answered_at=None,
        ended_at=now,
        revision=None,
        sip_status=480,
    )
    page = shown(browse(alice), "call", call_id=refused.public_id)
    assert "No AI provider account is chosen for the agent, or it has no key." in page
    assert "SIP status 480" in page
    assert "Nothing was used." in page


@pytest.mark.parametrize(("person", "may"), [("erin", True), ("victor", False)])
def test_editors_can_end_a_running_call(
    person: str,
    may: bool,
    running: Call,
    browse: Callable[[User], Client],
    request: pytest.FixtureRequest,
) -> None:
    page = shown(browse(request.getfixturevalue(person)), "call", call_id=running.public_id)
    assert ('id="hang-up"' in page) is may


@pytest.mark.django_db(transaction=True)
async def test_ending_a_call_sends_the_worker_its_command(
    running: Call, worker: Worker, erin: User, browse: Callable[[User], Client]
) -> None:
    await Worker.objects.filter(pk=worker.pk).aupdate(connected=True)
    layer: Any = get_channel_layer()
    channel = await layer.new_channel()
    await layer.group_add(worker_group(worker), channel)
    url = address("call_hang_up", call_id=running.public_id)
    answer = await sync_to_async(lambda: browse(erin).post(url))()
    assert answer.status_code == 302
    command = await layer.receive(channel)
    assert "call.hang_up" in command["frame"]
    assert str(running.public_id) in command["frame"]


def test_ending_a_call_that_is_over_says_so(
    call: Call, erin: User, browse: Callable[[User], Client]
) -> None:
    answer = browse(erin).post(address("call_hang_up", call_id=call.public_id), follow=True)
    assert "The call is over already" in answer.content.decode()


def measured(call: Call, **counts: Any) -> CallQuality:
    """What the worker says of a call, as the intake stores it."""
    values: dict[str, Any] = {
        "packets_received": 14_940,
        "packets_lost": 60,
        "packets_discarded": 15,
        "packets_sent": 15_000,
        "jitter_ms": 2.5,
        "jitter_max_ms": 7.25,
        "heard_ms": 300_000,
        "not_sent_ms": 130_000,
        "mos": 4.31,
    }
    return CallQuality.all_tenants.create(tenant=call.tenant, call=call, **(values | counts))


def test_sound_of_a_call_is_judged_in_a_word_with_what_was_measured(
    call: Call, alice: User, browse: Callable[[User], Client]
) -> None:
    measured(call, remote_lost=150, round_trip_ms=48.4, underruns=1, late_frames=3, dropped_ms=40)
    page = shown(browse(alice), "call", call_id=call.public_id)
    assert 'data-state="good"' in page
    assert "Speech came through clearly." in page
    assert "<dt>Lost on the way to us</dt><dd>0.4 %<small>60 of 15,000 packets</small>" in page
    assert "<dt>Came too late</dt><dd>0.1 %<small>15 of 15,000 packets</small>" in page
    assert "<dt>Lost on the way to the caller</dt><dd>1.0 %" in page
    small = "<small>nobody spoke, or the call was on hold</small>"
    assert f"<dt>Not sent to the provider</dt><dd>2:10 of 5:00{small}" in page
    assert "<dt>Gaps in the agent&#x27;s speech</dt><dd>1 time<small>" in page
    assert "<small>MOS 4.3, estimated by ITU-T G.107; 4.4 is the best</small>" in page
    spoken = "To us: 99.5 % arrived, 0.1 % came too late, 0.4 % was lost"
    assert f'role="img" aria-label="{spoken}"' in page
    assert '<rect class="sound-lost" x="994" y="0" width="6"' in page
    assert 'aria-label="To the caller: 99.0 % arrived' in page
    assert '<rect class="sound-at" x="946"' in page
    assert "<dt>Jitter</dt><dd>2.5 ms<small>at most 7.2 ms</small>" in page
    assert "<dt>Round trip</dt><dd>48 ms<small>by RTCP</small>" in page
    assert "<dt>Late frames</dt><dd>3<small>" in page
    assert "<dt>Caller&#x27;s sound lost here</dt><dd>40 ms</dd>" in page


@pytest.mark.parametrize(
    ("mos", "state", "word"),
    [(4.0, "good", "Good"), (3.99, "fair", "Fair"), (3.6, "fair", "Fair"), (3.59, "poor", "Poor"),
     (1.0, "poor", "Poor")],
)  # fmt: skip
def test_score_has_a_plain_word(
    call: Call, alice: User, browse: Callable[[User], Client], mos: float, state: str, word: str
) -> None:
    measured(call, mos=mos)
    page = shown(browse(alice), "call", call_id=call.public_id)
    assert f'data-state="{state}"><span class="dot" aria-hidden="true"></span>{word}</span>' in page


def test_what_was_not_measured_is_not_claimed(
    call: Call, running: Call, alice: User, browse: Callable[[User], Client]
) -> None:
    nothing = dict.fromkeys(
        ("packets_received", "packets_lost", "packets_discarded", "packets_sent", "mos")
    )
    measured(call, **nothing, heard_ms=0, not_sent_ms=0)
    page = shown(browse(alice), "call", call_id=call.public_id)
    assert "Too little was heard of the caller to judge the line." in page
    assert "sound-scale" not in page
    assert "To us" not in page
    for claim in ("Lost on the way", "Came too late", "Not sent to the provider", "MOS", "Jitter"):
        assert claim not in page
    page = shown(browse(alice), "call", call_id=running.public_id)
    assert "Measured when the call has ended." in page


def test_wait_of_each_turn_is_a_bar_with_its_parts_in_numbers_and_in_words(
    call: Call, alice: User, browse: Callable[[User], Client]
) -> None:
    page = shown(browse(alice), "call", call_id=call.public_id)
    assert '<b class="turn-wait">780 ms</b>' in page
    assert (
        'role="img" aria-label="The caller waited 780 ms: 500 ms until the end of speech was'
        " noticed, 240 ms until the provider answered, 40 ms until it was on the line." in page
    )
    for kind, text in (("end", "500 ms"), ("provider", "240 ms"), ("out", "40 ms")):
        assert f'<span class="swatch swatch-{kind}"></span>{text}' in page
    for legend in ("end of speech noticed", "answer began", "first sound on the line"):
        assert legend in page


def test_the_pages_of_calls_take_few_queries(
    call: Call,
    running: Call,
    keep_recording: Callable[..., Any],
    alice: User,
    browse: Callable[[User], Client],
) -> None:
    keep_recording(call)
    measured(call)
    browser = browse(alice)
    pages = {name: address(name) for name in ("start", "live", "calls", "search")}
    pages["call"] = address("call", call_id=call.public_id)
    for name, url in pages.items():
        with CaptureQueriesContext(connection) as queries:
            assert browser.get(url, {"q": "sales"}).status_code == 200
        assert len(queries) <= 20, (name, [query["sql"][:200] for query in queries])
