"""What a tenant used over days: calls, minutes, money, waits; in all and by what.

Days that are over come from DayStats; today, and what is marked to be made anew, is summed from the
calls themselves. Days are those of the tenant's clock.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from decimal import Decimal
from typing import Final, TypeVar

from django.utils import timezone

from tenants.models import Call, CallUsage, DayStats, StaleDay, Tenant
from tenants.models.day_stats import WAIT_BUCKETS_MS, no_waits
from tenants.services import days

LIVE_DAYS: Final = 4
"""Days that are summed when somebody looks: today, and the last ones that are marked."""
CALLS_LOOKED_AT: Final = 1000
"""The newest calls of a period, in which models without a price are looked for."""

Key = TypeVar("Key", bound=Hashable)


@dataclass(frozen=True)
class Period:
    """Days of the tenant's clock, both included."""

    first: date
    last: date

    @property
    def days(self) -> list[date]:
        return [self.first + timedelta(days=n) for n in range((self.last - self.first).days + 1)]


@dataclass
class Sums:
    """Sums over rows of DayStats; what costs in several currencies is summed apart."""

    calls: int = 0
    answered: int = 0
    refused: int = 0
    failed: int = 0
    transferred: int = 0
    duration_ms: int = 0
    tokens_in: int = 0
    tokens_out: int = 0
    costs: dict[str, Decimal] = field(default_factory=dict)
    waits: list[int] = field(default_factory=no_waits)

    def add(self, row: DayStats) -> None:
        for name in _COUNTS:
            setattr(self, name, getattr(self, name) + getattr(row, name))
        if row.currency:
            self.costs[row.currency] = self.costs.get(row.currency, Decimal()) + row.cost
        self.waits = [mine + other for mine, other in zip(self.waits, row.waits, strict=True)]

    @property
    def minutes(self) -> int:
        return round(self.duration_ms / 60_000)

    @property
    def fine(self) -> int:
        """Answered calls that did not fail."""
        return max(0, self.calls - self.refused - self.failed)

    @property
    def wait_ms(self) -> int | None:
        """About the median of the calls' waits; None: no caller waited."""
        return median_of(self.waits)


_COUNTS: Final = (
    "calls",
    "answered",
    "refused",
    "failed",
    "transferred",
    "duration_ms",
    "tokens_in",
    "tokens_out",
)


def median_of(waits: Sequence[int]) -> int | None:
    """The median out of counts by WAIT_BUCKETS_MS, as if a bucket's waits lay evenly in it; of the
    last bucket, which has no end, its beginning.
    """
    half, before, low = sum(waits) / 2, 0, 0
    if not half:
        return None
    for count, high in zip(waits, WAIT_BUCKETS_MS, strict=False):
        if count and before + count >= half:
            return round(low + (high - low) * (half - before) / count)
        before, low = before + count, high
    return low


@dataclass(frozen=True)
class Report:
    """A period's usage; every grouping sums up to the same total."""

    period: Period
    total: Sums
    by_day: dict[date, Sums]
    """Every day of the period, in order."""
    by_agent: dict[int | None, Sums]
    """By primary key; None: of none, or of one that was deleted."""
    by_number: dict[int | None, Sums]
    by_model: dict[str, Sums]
    by_kind: dict[str, Sums]

    @property
    def currency(self) -> str:
        """The one that most was paid in; empty: nothing has a known cost."""
        return max(self.total.costs, key=lambda code: self.total.costs[code], default="")


def today(tenant: Tenant) -> date:
    return days.day_of(tenant, timezone.now())


def report(*, tenant: Tenant, period: Period) -> Report:
    rows = _rows(tenant, period)
    by_day = {day: Sums() for day in period.days}
    total = Sums()
    for row in rows:
        by_day[row.day].add(row)
        total.add(row)
    return Report(
        period=period,
        total=total,
        by_day=by_day,
        by_agent=_by(rows, lambda row: row.agent_id),
        by_number=_by(rows, lambda row: row.number_id),
        by_model=_by(rows, lambda row: row.model),
        by_kind=_by(rows, lambda row: row.kind),
    )


def spent_this_month(tenant: Tenant) -> dict[str, Decimal]:
    """What the current month's calls cost so far, by currency; what has no price is not in it."""
    now = today(tenant)
    total = Sums()
    for row in _rows(tenant, Period(now.replace(day=1), now)):
        total.add(row)
    return total.costs


def unpriced_models(*, tenant: Tenant, period: Period) -> list[str]:
    """Models that the period's newest calls used and that had no price: its costs lack them."""
    newest = (
        Call.all_tenants.filter(
            tenant=tenant,
            started_at__gte=days.begin_of(tenant, period.first),
            started_at__lt=days.begin_of(tenant, period.last + timedelta(days=1)),
            settled_at__isnull=False,
        )
        .order_by("-started_at", "-pk")
        .values("pk")[:CALLS_LOOKED_AT]
    )
    found = CallUsage.all_tenants.filter(call__in=newest, cost=None).order_by()
    return sorted(name or "?" for name in found.values_list("model", flat=True).distinct())


def _rows(tenant: Tenant, period: Period) -> list[DayStats]:
    now = today(tenant)
    marked = StaleDay.all_tenants.filter(
        tenant=tenant, day__gte=period.first, day__lte=period.last, day__lt=now
    ).order_by("-day")
    live = set(marked.values_list("day", flat=True)[: LIVE_DAYS - 1])
    if period.first <= now <= period.last:
        live.add(now)
    stored = DayStats.all_tenants.filter(
        tenant=tenant, day__gte=period.first, day__lte=period.last
    ).exclude(day__in=live)
    return [*stored, *(row for day in sorted(live) for row in days.sums(tenant, day))]


def _by(rows: Sequence[DayStats], key: Callable[[DayStats], Key]) -> dict[Key, Sums]:
    """Sums by a key, the one with most calls first."""
    found: dict[Key, Sums] = {}
    for row in rows:
        found.setdefault(key(row), Sums()).add(row)
    return dict(sorted(found.items(), key=lambda item: -item[1].calls))
