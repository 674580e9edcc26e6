"""What a tenant used over days: calls, minutes, money, waits; in all and by what.

Days that are over come from DayStats; today, and what is marked to be made anew, is summed from the
calls themselves. Days are those of the tenant's clock.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from decimal import Decimal
from operator import add, attrgetter
from typing import Any, Final, NamedTuple, TypeVar

from django.db.models import QuerySet, TextField
from django.db.models.functions import Cast
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


class _Line(NamedTuple):
    """A row of DayStats. A year of a busy tenant has thousands: no model is made of each."""

    day: date
    agent_id: int | None
    number_id: int | None
    model: str
    kind: str
    currency: str
    cost: Decimal
    waits: list[int]
    calls: int
    answered: int
    refused: int
    failed: int
    transferred: int
    duration_ms: int
    tokens_in: int
    tokens_out: int


_FIELDS: Final = _Line._fields
_COUNTS: Final = _FIELDS[_FIELDS.index("calls") :]
_counts: Final = attrgetter(*_COUNTS)


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

    def include(self, other: Sums) -> None:
        for name, mine, more in zip(_COUNTS, _counts(self), _counts(other), strict=True):
            setattr(self, name, mine + more)
        for currency, cost in other.costs.items():
            self.costs[currency] = self.costs.get(currency, Decimal()) + cost
        self.waits = list(map(add, self.waits, other.waits))

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
    lines = _lines(tenant, period)
    by_day = {day: Sums() for day in period.days}
    by_day |= _by(lines, attrgetter("day"))
    # Few: what is summed once more is this, not the lines of a whole year.
    groups = _by(lines, attrgetter("agent_id", "number_id", "model", "kind"))
    return Report(
        period=period,
        total=_total(groups),
        by_day=by_day,
        by_agent=_most_first(groups, 0),
        by_number=_most_first(groups, 1),
        by_model=_most_first(groups, 2),
        by_kind=_most_first(groups, 3),
    )


def spent_this_month(tenant: Tenant) -> dict[str, Decimal]:
    """What the current month's calls cost so far, by currency; what has no price is not in it."""
    now = today(tenant)
    return _summed(_lines(tenant, Period(now.replace(day=1), now))).costs


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


def _lines(tenant: Tenant, period: Period) -> list[_Line]:
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
    fresh = (row for day in sorted(live) for row in days.sums(tenant, day))
    return [*_stored(stored), *(_Line(*(getattr(row, name) for name in _FIELDS)) for row in fresh)]


def _stored(rows: QuerySet[DayStats]) -> list[_Line]:
    """All `waits` are read as one document: one for each of thousands took a third of the page."""
    texts = rows.order_by().annotate(waits_text=Cast("waits", TextField()))
    fields = ["waits_text" if name == "waits" else name for name in _FIELDS]
    lines = list(itertools.starmap(_Line, texts.values_list(*fields)))
    waits = json.loads(f"[{','.join(str(line.waits) for line in lines)}]")
    return [line._replace(waits=each) for line, each in zip(lines, waits, strict=True)]


def _summed(lines: Sequence[_Line]) -> Sums:
    if not lines:
        return Sums()
    found = Sums(*(sum(column) for column in zip(*map(_counts, lines), strict=True)))
    found.waits = [sum(column) for column in zip(*(line.waits for line in lines), strict=True)]
    for line in lines:
        if line.currency:
            found.costs[line.currency] = found.costs.get(line.currency, Decimal()) + line.cost
    return found


def _by(lines: Sequence[_Line], key: Callable[[_Line], Key]) -> dict[Key, Sums]:
    found: dict[Key, list[_Line]] = {}
    for line in lines:
        found.setdefault(key(line), []).append(line)
    return {key: _summed(group) for key, group in found.items()}


def _total(groups: dict[tuple[Any, ...], Sums]) -> Sums:
    found = Sums()
    for sums in groups.values():
        found.include(sums)
    return found


def _most_first(groups: dict[tuple[Any, ...], Sums], place: int) -> dict[Any, Sums]:
    """Sums by one place of the groups' keys, the one with most calls first."""
    found: dict[Any, Sums] = {}
    for key, sums in groups.items():
        found.setdefault(key[place], Sums()).include(sums)
    return dict(sorted(found.items(), key=lambda item: -item[1].calls))
