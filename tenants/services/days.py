"""Days of a tenant: when they begin, and the sums of those that are over.

A day's sums are never added to. Settling a call marks its day; a job makes every marked day anew
once it is over. Today is summed when somebody looks (services/usage.py), by the same query.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any, Final
from zoneinfo import ZoneInfo

import structlog
from django.db import transaction
from django.db.models import Count, F, Q, Sum
from django.db.models.functions import TruncDate
from django.utils import timezone

from tenants.models import Call, CallUsage, DayStats, StaleDay, Tenant
from tenants.models.choices import CallState, EndCause
from tenants.models.day_stats import WAIT_BUCKETS_MS

log = structlog.get_logger(__name__)

FAILED: Final = (
    EndCause.PROVIDER_FAILED,
    EndCause.INTERRUPTED,
    EndCause.MEDIA_LOST,
    EndCause.INTERNAL_ERROR,
)
DIMENSIONS: Final = ("agent", "number", "model", "kind", "currency")
REMADE_AT_ONCE: Final = 50
"""Days that one run of the job makes anew; the rest waits for the next."""
LOOKED_BACK_DAYS: Final = 3


def day_of(tenant: Tenant, moment: datetime) -> date:
    """The day of a moment on the tenant's clock."""
    return moment.astimezone(ZoneInfo(tenant.time_zone)).date()


def begin_of(tenant: Tenant, day: date) -> datetime:
    """When a day of the tenant's clock begins; the end of the day before."""
    return datetime.combine(day, time(), ZoneInfo(tenant.time_zone))


def sums(tenant: Tenant, day: date) -> list[DayStats]:
    """The day's sums, not saved, out of its calls as they are stored now; running ones count."""
    within = {
        "started_at__gte": begin_of(tenant, day),
        "started_at__lt": begin_of(tenant, day + timedelta(days=1)),
    }
    groups = (
        Call.all_tenants.filter(tenant=tenant, **within)
        .order_by()
        .values(*DIMENSIONS)
        .annotate(**_COUNTS, **_WAITS)
    )
    tokens = _tokens(tenant, within)
    return [_row(tenant, day, group, tokens) for group in groups]


_COUNTS: Final[dict[str, Any]] = {
    "n": Count("pk"),
    "n_answered": Count("pk", filter=Q(answered_at__isnull=False)),
    "n_refused": Count("pk", filter=Q(state=CallState.REFUSED)),
    "n_failed": Count("pk", filter=Q(end_cause__in=FAILED)),
    "n_transferred": Count("pk", filter=Q(end_cause=EndCause.TRANSFERRED)),
    "sum_ms": Sum("duration_ms"),
    "sum_cost": Sum("cost"),
}


def _wait_buckets() -> dict[str, Any]:
    bounds = [0, *WAIT_BUCKETS_MS]
    buckets = {
        f"wait_{place}": Count("pk", filter=Q(wait_p50_ms__gte=low, wait_p50_ms__lt=high))
        for place, (low, high) in enumerate(zip(bounds, WAIT_BUCKETS_MS, strict=False))
    }
    longest = Count("pk", filter=Q(wait_p50_ms__gte=WAIT_BUCKETS_MS[-1]))
    return {**buckets, f"wait_{len(WAIT_BUCKETS_MS)}": longest}


_WAITS: Final = _wait_buckets()


def _tokens(tenant: Tenant, within: dict[str, datetime]) -> dict[tuple[Any, ...], tuple[int, int]]:
    """Tokens in and out by the dimensions of their calls."""
    names = [f"call__{name}" for name in DIMENSIONS]
    found = (
        CallUsage.all_tenants.filter(
            call__tenant=tenant, **{f"call__{name}": value for name, value in within.items()}
        )
        .order_by()
        .values_list(*names)
        .annotate(
            given=Sum(F("input_text_tokens") + F("input_audio_tokens")),
            made=Sum(F("output_text_tokens") + F("output_audio_tokens")),
        )
    )
    return {tuple(row[:-2]): (row[-2] or 0, row[-1] or 0) for row in found}


def _row(
    tenant: Tenant,
    day: date,
    group: dict[str, Any],
    tokens: dict[tuple[Any, ...], tuple[int, int]],
) -> DayStats:
    tokens_in, tokens_out = tokens.get(tuple(group[name] for name in DIMENSIONS), (0, 0))
    return DayStats(
        tenant=tenant,
        day=day,
        agent_id=group["agent"],
        number_id=group["number"],
        model=group["model"],
        kind=group["kind"],
        currency=group["currency"],
        calls=group["n"],
        answered=group["n_answered"],
        refused=group["n_refused"],
        failed=group["n_failed"],
        transferred=group["n_transferred"],
        duration_ms=group["sum_ms"] or 0,
        cost=group["sum_cost"] or Decimal(),
        tokens_in=tokens_in,
        tokens_out=tokens_out,
        waits=[group[f"wait_{place}"] for place in range(len(_WAITS))],
    )


def mark(days: Iterable[tuple[int, date]]) -> None:
    """Let these days (primary key of the tenant, day) be made anew when they are over."""
    for tenant_id, day in sorted(set(days)):
        # The update waits for a job that is just taking the mark away, so that none is lost.
        StaleDay.all_tenants.update_or_create(
            tenant_id=tenant_id, day=day, defaults={"since": timezone.now()}
        )


def remake_due(*, now: datetime | None = None) -> int:
    """Make marked days that are over anew; gives how many."""
    now = now or timezone.now()
    # No clock of the earth is a whole day ahead of UTC.
    waiting = StaleDay.all_tenants.filter(day__lte=now.date() + timedelta(days=1))
    done = 0
    for stale in waiting.select_related("tenant").order_by("day", "pk"):
        if stale.day >= day_of(stale.tenant, now):
            continue
        done += remake(stale.pk)
        if done >= REMADE_AT_ONCE:
            break
    return done


@transaction.atomic
def remake(stale_pk: int) -> bool:
    """Make the day of a mark anew; False: another run has done it."""
    stale = (
        StaleDay.all_tenants.select_for_update(skip_locked=True, of=("self",))
        .select_related("tenant")
        .filter(pk=stale_pk)
        .first()
    )
    if stale is None:
        return False
    DayStats.all_tenants.filter(tenant=stale.tenant, day=stale.day).delete()
    DayStats.all_tenants.bulk_create(sums(stale.tenant, stale.day))
    stale.delete()
    return True


def mark_missed(*, now: datetime | None = None) -> int:
    """Mark the last days that hold more calls than their sums tell: calls that were only refused
    are never settled, and a worker that was cut off tells of them late. Gives how many days.
    """
    now = now or timezone.now()
    zones = Tenant.objects.order_by().values_list("time_zone", flat=True).distinct()
    missed = [day for zone in zones for day in _missed(ZoneInfo(zone), now)]
    with transaction.atomic():
        mark(missed)
    return len(missed)


def _missed(zone: ZoneInfo, now: datetime) -> list[tuple[int, date]]:
    today = now.astimezone(zone).date()
    first = today - timedelta(days=LOOKED_BACK_DAYS)
    calls = (
        Call.all_tenants.filter(
            tenant__time_zone=zone.key,
            started_at__gte=datetime.combine(first, time(), zone),
            started_at__lt=datetime.combine(today, time(), zone),
        )
        .order_by()
        .values_list("tenant_id", TruncDate("started_at", tzinfo=zone))
        .annotate(n=Count("pk"))
    )
    counted = {
        (tenant_id, day): n
        for tenant_id, day, n in DayStats.all_tenants.filter(
            tenant__time_zone=zone.key, day__gte=first, day__lt=today
        )
        .order_by()
        .values_list("tenant_id", "day")
        .annotate(n=Sum("calls"))
    }
    return [(tenant_id, day) for tenant_id, day, n in calls if n > counted.get((tenant_id, day), 0)]
