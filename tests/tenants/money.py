"""Prices and used calls for the tests about money."""

from __future__ import annotations

import uuid
from datetime import UTC, date, datetime, timedelta
from typing import Any, Final

from tenants.models import Call, CallUsage, Price, ProviderAccount, ProviderModel, Tenant

REALTIME: Final = {
    "gpt-realtime-2.1": ("4", "0.40", "24", "32", "0.40", "64"),
    "gpt-realtime-1.5": ("4", "0.40", "16", "32", "0.40", "64"),
    "gpt-realtime-2.1-mini": ("0.60", "0.06", "2.40", "10", "0.30", "20"),
}
"""USD a million tokens, as REALTIME.md section 1.8 has them: text in, cached, out; audio so too."""
RATES: Final = ("text_in", "text_cached", "text_out", "audio_in", "audio_cached", "audio_out")
LONG_AGO: Final = date(2020, 1, 1)


def make_model(name: str, provider: str = "openai", **fields: Any) -> ProviderModel:
    """A model of the catalogue, one that is there already as it is here."""
    return ProviderModel.objects.update_or_create(
        provider=provider, name=name, defaults={"kind": "realtime", **fields}
    )[0]


def make_price(name: str, provider: str = "openai", **fields: Any) -> Price:
    """The only price of a model, from long ago on."""
    model = make_model(name, provider)
    model.prices.all().delete()
    return Price.objects.create(model=model, **{"valid_from": LONG_AGO, **fields})


def realtime_price(name: str = "gpt-realtime-2.1", provider: str = "openai") -> Price:
    return make_price(name, provider, **dict(zip(RATES, REALTIME[name], strict=True)))


def make_used_call(
    tenant: Tenant,
    account: ProviderAccount | None,
    *,
    started_at: datetime = datetime(2026, 11, 23, 9, 0, tzinfo=UTC),
    usages: tuple[dict[str, Any], ...] = (),
    **fields: Any,
) -> Call:
    """A call that is over and not settled, with what it used of models."""
    over = started_at + timedelta(minutes=1)
    call = Call.all_tenants.create(
        **{
            "public_id": uuid.uuid4(),
            "tenant": tenant,
            "account": account,
            "called": "100",
            "state": "ended",
            "end_cause": "caller_hung_up",
            "started_at": started_at,
            "answered_at": started_at,
            "ended_at": over,
            "duration_ms": 60_000,
            "model": "gpt-realtime-2.1",
            **fields,
        }
    )
    for usage in usages:
        CallUsage.all_tenants.create(
            **{
                "tenant": tenant,
                "call": call,
                "kind": "response",
                "model": "gpt-realtime-2.1",
                "responses": 1,
                **usage,
            }
        )
    return call
