"""The books on calls that are over, and the sums of their days."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from media_worker import contract
from tenants.models import (
    Call,
    CallUsage,
    DayStats,
    Number,
    ProviderAccount,
    SearchDocument,
    StaleDay,
    Tenant,
    TranscriptEntry,
    Turn,
    Worker,
)
from tenants.services import days, settling
from tenants.services.settling import settle_due
from tests.tenants.calls import Outbox, admitted
from tests.tenants.money import make_price, make_used_call, realtime_price

EVENING = datetime(2026, 11, 30, 22, 59, tzinfo=UTC)
"""In Berlin, 23:59 on the last day of November."""
MINUTE = timedelta(minutes=1)
LATER = datetime(2026, 12, 20, tzinfo=UTC)


@pytest.fixture(autouse=True)
def _at_openai(account: ProviderAccount) -> None:
    account.url = "wss://api.openai.com/v1/realtime"
    account.save()


@pytest.fixture
def used_call(acme: Tenant, account: ProviderAccount) -> Callable[..., Call]:
    """An unsettled call of Acme with one answer of a minute."""
    realtime_price()

    def make(**fields: Any) -> Call:
        fields.setdefault("usages", ({"output_audio_tokens": 1200},))
        return make_used_call(acme, account, **fields)

    return make


def fresh(call: Call) -> Call:
    return Call.all_tenants.get(pk=call.pk)


def turn(call: Call, number: int, stopped: int | None, heard: int | None) -> None:
    Turn.all_tenants.create(
        tenant=call.tenant,
        call=call,
        number=number,
        caller_stopped_ms=stopped,
        first_packet_ms=heard,
    )


# --- one call ------------------------------------------------------------------------------------


def test_a_call_gets_its_cost_and_its_median_wait(used_call: Callable[..., Call]):
    call = used_call()
    turn(call, 1, None, 300)
    turn(call, 2, 1000, 1400)
    turn(call, 3, 5000, 5800)
    turn(call, 4, 9000, 9600)
    turn(call, 5, 12_000, None)
    assert settle_due() == 1
    settled = fresh(call)
    assert (settled.cost, settled.currency) == (Decimal("0.0768"), "USD")
    assert settled.wait_p50_ms == 600
    assert settled.settled_at is not None
    [usage] = CallUsage.all_tenants.filter(call=call)
    assert usage.price is not None
    assert usage.cost == Decimal("0.0768")
    assert settle_due() == 0


def test_a_settled_call_is_found_by_its_words(used_call: Callable[..., Call]):
    call = used_call()
    TranscriptEntry.all_tenants.create(
        tenant=call.tenant, call=call, item_id="1", position=1, speaker="caller", text="An oboe."
    )
    settle_due()
    assert "oboe" in SearchDocument.all_tenants.get(call=call).body


def test_a_model_without_a_price_costs_what_is_not_known(used_call: Callable[..., Call]):
    call = used_call(usages=({"model": "brand-new", "output_audio_tokens": 1200},))
    settle_due()
    assert (fresh(call).cost, fresh(call).currency) == (None, "")
    assert CallUsage.all_tenants.get(call=call).cost is None


def test_a_call_from_before_the_price_list_has_no_cost(used_call: Callable[..., Call]):
    call = used_call(started_at=datetime(2019, 12, 31, 22, 0, tzinfo=UTC))
    settle_due()
    assert fresh(call).cost is None


def test_a_call_that_used_nothing_costs_nothing(used_call: Callable[..., Call]):
    call = used_call(usages=())
    settle_due()
    assert (fresh(call).cost, fresh(call).currency) == (Decimal(), "USD")


def test_the_price_of_the_day_on_the_customers_clock_holds(used_call: Callable[..., Call]):
    call = used_call(started_at=EVENING + MINUTE)
    price = make_price("gpt-realtime-2.1", valid_from=date(2026, 12, 1), audio_out=1)
    settle_due()
    assert fresh(call).cost == Decimal("0.0012")
    assert CallUsage.all_tenants.get(call=call).price == price


def test_sums_in_two_currencies_are_no_cost(used_call: Callable[..., Call]):
    make_price("asr", currency="EUR", a_minute=1)
    call = used_call(
        usages=(
            {"output_audio_tokens": 1200},
            {"kind": "transcription", "model": "asr", "seconds": 60.0},
        )
    )
    settle_due()
    assert (fresh(call).cost, fresh(call).currency) == (None, "")
    costs = CallUsage.all_tenants.filter(call=call).values_list("cost", flat=True)
    assert sorted(costs) == [Decimal("0.0768"), Decimal(1)]


def test_calls_from_before_the_book_are_taken_over(used_call: Callable[..., Call]):
    sums = {"output_audio_tokens": 1200, "responses": 3}
    one = used_call(usages=(), usage=sums | {"models": ["gpt-realtime-2.1"]})
    two = used_call(usages=(), usage=sums | {"models": ["a", "b"]})
    settle_due()
    assert fresh(one).cost == Decimal("0.0768")
    assert fresh(two).cost is None
    assert CallUsage.all_tenants.get(call=two).model == "a + b"
    Call.all_tenants.update(settled_at=None)
    settle_due()
    assert CallUsage.all_tenants.count() == 2


def test_a_long_history_is_worked_through_in_batches(
    used_call: Callable[..., Call], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(settling, "BATCH", 2)
    monkeypatch.setattr(settling, "BATCHES", 2)
    for minute in range(7):
        used_call(started_at=EVENING + minute * MINUTE)
    assert [settle_due(), settle_due(), settle_due()] == [4, 3, 0]


# --- what workers report -------------------------------------------------------------------------


def test_responses_and_transcriptions_are_counted_apart(number: Number, worker: Worker):
    call, outbox = admitted(worker), Outbox(worker)
    answer = contract.UsageReported(model="m", input_audio_tokens=10, output_audio_tokens=40)
    outbox.send(answer, call)
    outbox.send(answer, call)
    outbox.send(
        contract.UsageReported(kind=contract.UsageKind.TRANSCRIPTION, model="asr", seconds=1.5),
        call,
    )
    transcribed, responded = CallUsage.all_tenants.filter(call=call).order_by("model")
    assert (responded.kind, responded.responses, responded.output_audio_tokens) == (
        "response",
        2,
        80,
    )
    assert (transcribed.kind, transcribed.seconds) == ("transcription", 1.5)
    assert fresh(call).usage["responses"] == 2
    assert fresh(call).usage["models"] == ["m"]


def test_what_is_told_after_the_end_is_counted_too(number: Number, worker: Worker):
    realtime_price()
    call, outbox = admitted(worker), Outbox(worker)
    outbox.send(contract.CallAnswered(codec="PCMU/8000"), call)
    outbox.send(contract.CallEnded(cause=contract.EndCause.CALLER_HUNG_UP), call)
    settle_due()
    assert fresh(call).cost == 0
    outbox.send(contract.UsageReported(model="gpt-realtime-2.1", output_audio_tokens=1200), call)
    settle_due()
    assert fresh(call).cost == Decimal("0.0768")


# --- days ----------------------------------------------------------------------------------------


def table(tenant: Tenant) -> list[tuple[Any, ...]]:
    return sorted(
        DayStats.all_tenants.filter(tenant=tenant).values_list(
            "day", "model", "kind", "currency", "calls", "answered", "refused", "duration_ms",
            "cost", "tokens_out",
        )
    )  # fmt: skip


def test_a_month_ends_on_the_customers_clock(acme: Tenant, used_call: Callable[..., Call]):
    used_call(started_at=EVENING)
    used_call(started_at=EVENING + MINUTE)
    settle_due()
    assert days.remake_due(now=LATER) == 2
    november, december = table(acme)
    assert (november[0], december[0]) == (date(2026, 11, 30), date(2026, 12, 1))
    assert november[1:] == (
        "gpt-realtime-2.1", "phone", "USD", 1, 1, 0, 60_000, Decimal("0.0768"), 1200,
    )  # fmt: skip


def test_a_day_on_which_clocks_change_holds_all_its_hours(acme: Tenant):
    summer = date(2026, 10, 25)
    begin = days.begin_of(acme, summer)
    end = days.begin_of(acme, summer + timedelta(days=1))
    assert end.astimezone(UTC) - begin.astimezone(UTC) == timedelta(hours=25)
    assert days.day_of(acme, end.astimezone(UTC) - timedelta(seconds=1)) == summer


def test_a_day_made_twice_is_the_same(acme: Tenant, used_call: Callable[..., Call]):
    for minute in range(3):
        used_call(started_at=EVENING - minute * MINUTE)
    settle_due()
    days.remake_due(now=LATER)
    first = table(acme)
    assert first[0][4] == 3
    days.mark([(acme.pk, date(2026, 11, 30))])
    days.mark([(acme.pk, date(2026, 11, 30))])
    assert days.remake_due(now=LATER) == 1
    assert table(acme) == first
    assert not StaleDay.all_tenants.exists()


def test_a_day_that_is_not_over_waits(acme: Tenant, used_call: Callable[..., Call]):
    used_call(started_at=EVENING)
    settle_due()
    assert days.remake_due(now=EVENING + timedelta(seconds=59)) == 0
    assert StaleDay.all_tenants.count() == 1
    assert days.remake_due(now=EVENING + MINUTE) == 1


def test_waits_are_kept_by_call(acme: Tenant, used_call: Callable[..., Call]):
    for wait in (0, 99, 100, 650, 60_000):
        turn(used_call(started_at=EVENING), 1, 1000, 1000 + wait)
    settle_due()
    days.remake_due(now=LATER)
    [row] = DayStats.all_tenants.filter(tenant=acme)
    assert [row.waits[0], row.waits[1], row.waits[6], row.waits[-1]] == [2, 1, 1, 1]
    assert sum(row.waits) == 5


def test_days_of_refused_calls_are_found(acme: Tenant, used_call: Callable[..., Call]):
    used_call(
        started_at=EVENING, state="refused", refusal_reason="closed", end_cause="",
        answered_at=None, usages=(),
    )  # fmt: skip
    now = EVENING + timedelta(hours=3)
    assert (settle_due(), days.remake_due(now=now)) == (0, 0)
    assert days.mark_missed(now=now) == 1
    assert days.remake_due(now=now) == 1
    [row] = table(acme)
    assert row[4:7] == (1, 0, 1)
    assert days.mark_missed(now=now) == 0


def test_sums_outlive_the_calls_that_were_deleted(acme: Tenant, used_call: Callable[..., Call]):
    call = used_call(started_at=EVENING)
    settle_due()
    days.remake_due(now=EVENING + timedelta(hours=3))
    call.delete()
    assert days.mark_missed(now=EVENING + timedelta(hours=3)) == 0
    assert table(acme)[0][4] == 1
