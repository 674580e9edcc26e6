"""What the use of a model costs: golden costs out of REALTIME.md section 1.8."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest
from django.core.exceptions import ValidationError

from tenants.models import AuditEntry, CallUsage, Price, ProviderAccount, Tenant, User
from tenants.models.choices import Provider
from tenants.services.prices import add_price, cost_of, price_of, provider_of
from tenants.services.settling import settle_due
from tests.tenants.money import (
    RATES,
    REALTIME,
    make_model,
    make_price,
    make_used_call,
    realtime_price,
)

MILLION = 1_000_000


def priced(model: str) -> Price:
    rates = zip(RATES, REALTIME[model], strict=True)
    return Price(currency="USD", **{name: Decimal(rate) for name, rate in rates})


@pytest.mark.parametrize(
    ("model", "counts", "cost"),
    [
        # REALTIME: a minute of the caller is 600 tokens, a minute of the model 1,200.
        ("gpt-realtime-2.1", {"input_audio_tokens": 600}, "0.0192"),
        ("gpt-realtime-2.1", {"output_audio_tokens": 1200}, "0.0768"),
        ("gpt-realtime-2.1", {"input_text_tokens": MILLION}, "4"),
        ("gpt-realtime-2.1", {"output_text_tokens": MILLION}, "24"),
        ("gpt-realtime-1.5", {"output_text_tokens": MILLION}, "16"),
        # Cached tokens are among the input tokens, not beside them: 600,000 * 4 + 400,000 * 0.40.
        (
            "gpt-realtime-2.1",
            {"input_text_tokens": MILLION, "cached_text_tokens": 400_000},
            "2.56",
        ),
        (
            "gpt-realtime-2.1-mini",
            {"input_audio_tokens": MILLION, "cached_audio_tokens": MILLION},
            "0.30",
        ),
        (
            "gpt-realtime-2.1-mini",
            {
                "input_text_tokens": 1000,
                "cached_text_tokens": 896,
                "input_audio_tokens": 500,
                "cached_audio_tokens": 320,
                "output_text_tokens": 40,
                "output_audio_tokens": 160,
            },
            # (104*0.60 + 896*0.06 + 180*10 + 320*0.30 + 40*2.40 + 160*20) / 1,000,000
            "0.00530816",
        ),
        ("gpt-realtime-2.1", {}, "0"),
    ],
)
def test_tokens_cost_what_the_price_list_says(model: str, counts: dict[str, int], cost: str):
    assert cost_of(CallUsage(**counts), priced(model)) == Decimal(cost)


def test_more_cached_than_given_is_never_less_than_nothing():
    usage = CallUsage(input_text_tokens=100, cached_text_tokens=500)
    assert cost_of(usage, priced("gpt-realtime-2.1")) == Decimal("0.00004")


def test_transcription_costs_by_the_minute():
    price = Price(currency="USD", a_minute=Decimal("0.017"))
    assert cost_of(CallUsage(seconds=90.0), price) == Decimal("0.0255")
    assert cost_of(CallUsage(seconds=60.0, input_audio_tokens=600), price) == Decimal("0.017")


@pytest.mark.parametrize(
    ("counts", "rates"),
    [
        ({"output_audio_tokens": 5}, {"text_in": Decimal(4), "text_out": Decimal(24)}),
        ({"seconds": 30.0}, {"audio_in": Decimal(32)}),
        ({"input_audio_tokens": 600}, {"a_minute": Decimal("0.017")}),
    ],
)
def test_what_has_no_rate_is_not_known_and_never_free(
    counts: dict[str, Any], rates: dict[str, Decimal]
):
    assert cost_of(CallUsage(**counts), Price(currency="USD", **rates)) is None


@pytest.mark.parametrize(
    ("url", "provider"),
    [
        ("wss://api.openai.com/v1/realtime", Provider.OPENAI),
        ("wss://eu.api.openai.com/v1/realtime", Provider.OPENAI),
        ("wss://acme.openai.azure.com/openai/v1/realtime", Provider.AZURE),
        ("ws://127.0.0.1:8090/v1/realtime", Provider.SANDBOX),
        ("ws://127.0.0.1:9999/v1/realtime", Provider.OTHER),
        ("wss://api.openai.com.example.org/v1/realtime", Provider.OTHER),
        ("wss://notapi.openai.com/v1/realtime", Provider.OTHER),
    ],
)
def test_the_address_tells_whose_models_are_offered(url: str, provider: Provider, settings: Any):
    settings.SANDBOX_PORT = 8090
    assert provider_of(url) is provider


def test_a_price_holds_from_its_first_day_to_its_last(db: None):
    make_price("m", valid_from=date(2026, 1, 1), valid_to=date(2026, 6, 30), text_in=1)
    model = make_model("m")
    Price.objects.create(model=model, valid_from=date(2026, 7, 1), text_in=2)

    def on(*day: int) -> Any:
        found = price_of(model="m", provider=Provider.OPENAI, on=date(*day))
        return found and found.text_in

    assert (on(2025, 12, 31), on(2026, 1, 1), on(2026, 6, 30)) == (None, 1, 1)
    assert (on(2026, 7, 1), on(2030, 1, 1)) == (2, 2)
    assert price_of(model="m", provider=Provider.AZURE, on=date(2026, 7, 1)) is None


# --- a new price ---------------------------------------------------------------------------------


def test_a_new_price_ends_the_one_before(olga: User):
    before = make_price("m", valid_from=date(2026, 1, 1), text_in=1)
    price = Price(model=before.model, valid_from=date(2026, 12, 1), text_in=Decimal(2))
    add_price(price=price, user=olga)
    before.refresh_from_db()
    assert before.valid_to == date(2026, 11, 30)
    entry = AuditEntry.all_tenants.get(action="price.create")
    assert entry.changes["text_in"][0] is None
    assert entry.user == olga


def test_a_price_may_be_put_before_a_known_one(olga: User):
    later = make_price("m", valid_from=date(2026, 6, 1), text_in=1)
    earlier = Price(model=later.model, valid_from=date(2026, 1, 1), text_in=Decimal(2))
    add_price(price=earlier, user=olga)
    assert earlier.valid_to == date(2026, 5, 31)


def test_a_price_of_nothing_is_refused(olga: User):
    model = make_model("m")
    with pytest.raises(ValidationError):
        add_price(price=Price(model=model, valid_from=date(2026, 1, 1)), user=olga)


def test_calls_without_a_price_are_counted_anew_when_it_is_known(
    acme: Tenant, account: ProviderAccount, olga: User, settings: Any
):
    account.url = "wss://api.openai.com/v1/realtime"
    account.save()
    realtime_price()
    make_model("asr", kind="transcription").prices.all().delete()
    used = (
        {"output_audio_tokens": 1200},
        {"kind": "transcription", "model": "asr", "seconds": 60.0},
    )
    call = make_used_call(acme, account, usages=used)
    earlier = make_used_call(
        acme, account, usages=used, started_at=datetime(2026, 11, 1, tzinfo=UTC)
    )
    assert settle_due() == 2
    call.refresh_from_db()
    assert (call.cost, call.currency) == (Decimal("0.0768"), "USD")

    price = Price(model=make_model("asr"), valid_from=date(2026, 11, 23), a_minute=Decimal("0.01"))
    add_price(price=price, user=olga)
    assert settle_due() == 1
    call.refresh_from_db()
    earlier.refresh_from_db()
    assert (call.cost, earlier.cost) == (Decimal("0.0868"), Decimal("0.0768"))
