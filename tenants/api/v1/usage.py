"""What was used: calls, minutes, money, waits."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Annotated, Any, Final
from uuid import UUID

from ninja import Query, Router
from pydantic import BaseModel, BeforeValidator, Field, WithJsonSchema

from tenants.api.v1.door import ApiRequest
from tenants.api.v1.errors import refused
from tenants.api.v1.routes import route
from tenants.api.v1.types import Id, Output, example
from tenants.api.v1.words import CallKindWord
from tenants.models import Agent, Number
from tenants.models.day_stats import WAIT_BUCKETS_MS
from tenants.services import usage

router = Router(tags=["usage"])

LONGEST_DAYS: Final = 366
EARLIEST_YEAR: Final = 2000


def _day(value: Any) -> Any:
    if isinstance(value, str) and len(value) != len("2026-11-22"):
        raise ValueError("Give a day such as 2026-11-22.")
    return value


OptionalDay = Annotated[
    date | None, BeforeValidator(_day), WithJsonSchema({"type": "string", "format": "date"})
]
_SUMS: Final[dict[str, Any]] = {
    "calls": 120,
    "answered": 117,
    "refused": 3,
    "failed": 1,
    "transferred": 20,
    "duration_ms": 7_020_000,
    "tokens_in": 510_000,
    "tokens_out": 88_000,
    "costs": {"USD": "4.21000000"},
    "median_wait_ms": 690,
}


class Sums(Output):
    model_config = example(_SUMS)
    calls: int
    answered: int
    refused: int
    failed: int
    transferred: int
    duration_ms: int
    tokens_in: int
    tokens_out: int
    costs: dict[str, str] = Field(description="Decimal by currency, of what has a known price.")
    median_wait_ms: int | None = Field(description="For the agent's answer; about.")


class OfDay(Output):
    model_config = example({"day": "2026-11-22", "sums": _SUMS})
    day: date
    sums: Sums


class OfThing(Output):
    model_config = example({"id": "3c1f6b0a-9a4e-4f0e-8d21-7a4b6a1c2d90", "sums": _SUMS})
    id: Id | None = Field(description="None: of none, or of one that was deleted.")
    sums: Sums


class OfKind(Output):
    model_config = example({"kind": "phone", "sums": _SUMS})
    kind: CallKindWord
    sums: Sums


class Waits(Output):
    model_config = example({"up_to_ms": 800, "calls": 41})
    up_to_ms: int | None = Field(description="And longer than the line before; None: any longer.")
    calls: int = Field(description="Whose median wait for the agent's answer this was.")


class OfModel(Output):
    model_config = example({"model": "gpt-realtime-2.1", "sums": _SUMS})
    model: str
    sums: Sums


class Usage(Output):
    model_config = example(
        {
            "since": "2026-11-01",
            "until": "2026-11-22",
            "total": _SUMS,
            "by_day": [{"day": "2026-11-22", "sums": _SUMS}],
            "by_agent": [{"id": None, "sums": _SUMS}],
            "by_number": [],
            "by_model": [{"model": "gpt-realtime-2.1", "sums": _SUMS}],
            "by_kind": [{"kind": "phone", "sums": _SUMS}],
            "waits": [{"up_to_ms": 800, "calls": 41}, {"up_to_ms": None, "calls": 0}],
            "unpriced_models": [],
            "spent_this_month": {"USD": "4.21000000"},
        }
    )
    since: date
    until: date
    total: Sums
    by_day: list[OfDay]
    by_agent: list[OfThing]
    by_number: list[OfThing]
    by_model: list[OfModel]
    by_kind: list[OfKind]
    waits: list[Waits] = Field(description="How the period's calls spread.")
    unpriced_models: list[str] = Field(description="Whose use the costs lack: no price is known.")
    spent_this_month: dict[str, str] = Field(description="By currency, whatever the period is.")


class PeriodQuery(BaseModel):
    since: OptionalDay = Field(None, description="First day; else the first of the month.")
    until: OptionalDay = Field(None, description="Last day; else today.")


def _sums(found: usage.Sums) -> Sums:
    same = [name for name in Sums.model_fields if name not in {"costs", "median_wait_ms"}]
    return Sums(
        **{name: getattr(found, name) for name in same},
        costs=_costs(found.costs),
        median_wait_ms=found.wait_ms,
    )


def _costs(found: dict[str, Decimal]) -> dict[str, str]:
    return {currency: str(cost) for currency, cost in found.items()}


def _waits(found: usage.Sums) -> list[Waits]:
    ends = [*WAIT_BUCKETS_MS, None]
    return [Waits(up_to_ms=end, calls=calls) for end, calls in zip(ends, found.waits, strict=True)]


def _things(sums: dict[int | None, usage.Sums], ids: dict[int, UUID]) -> list[OfThing]:
    return [
        OfThing(id=ids.get(key) if key is not None else None, sums=_sums(found))
        for key, found in sums.items()
    ]


@route(router, "GET", "/usage", scope="usage:read", response=Usage, pages=True)
def get_usage(request: ApiRequest, query: Annotated[PeriodQuery, Query()]) -> Usage:
    """Sums over days of the tenant's clock, in all and by what."""
    today = usage.today(request.auth.tenant)
    last = min(query.until or today, today)
    first = query.since or last.replace(day=1)
    if first > last or (last - first).days >= LONGEST_DAYS or first.year < EARLIEST_YEAR:
        raise refused(f"From 1 to {LONGEST_DAYS} days, the first one not later.", parameter="since")
    tenant, period = request.auth.tenant, usage.Period(first, last)
    found = usage.report(tenant=tenant, period=period)
    agents = dict(Agent.objects.values_list("pk", "public_id"))
    numbers = dict(Number.objects.values_list("pk", "public_id"))
    return Usage(
        since=first,
        until=last,
        total=_sums(found.total),
        by_day=[OfDay(day=day, sums=_sums(sums)) for day, sums in found.by_day.items()],
        by_agent=_things(found.by_agent, agents),
        by_number=_things(found.by_number, numbers),
        by_model=[OfModel(model=name, sums=_sums(sums)) for name, sums in found.by_model.items()],
        by_kind=[OfKind(kind=name, sums=_sums(sums)) for name, sums in found.by_kind.items()],
        waits=_waits(found.total),
        unpriced_models=usage.unpriced_models(tenant=tenant, period=period),
        spent_this_month=_costs(usage.spent_this_month(tenant)),
    )
