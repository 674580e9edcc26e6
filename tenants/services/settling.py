"""Closing the books on calls that are over: cost, how long callers waited, words to search for.

Every call that ended is unsettled until this has looked at it, and again when something is told of
it later (services/events.py) or its price becomes known (services/prices.py). Settling twice gives
the same. Calls from before the price book go the same way, in the same batches.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from datetime import timedelta
from decimal import Decimal
from statistics import median
from typing import Any, Final

import structlog
from django.db import transaction
from django.db.models import F
from django.utils import timezone

from tenants.models import Call, CallUsage, Turn
from tenants.models.call import UNSETTLED
from tenants.models.choices import UsageKind
from tenants.services import days, live, search
from tenants.services.prices import PriceBook, cost_of, provider_of_account
from tenants.services.usages import TOKEN_COUNTS

log = structlog.get_logger(__name__)

BATCH: Final = 25
"""Calls in one transaction: short, for on SQLite nobody else writes meanwhile."""
BATCHES: Final = 20
"""In one run of the job, which comes every few seconds."""
STILL_WATCHED: Final = timedelta(minutes=5)


def settle_due() -> int:
    """Settle calls that are over, the longest over first; gives how many."""
    done = 0
    for _batch in range(BATCHES):
        settled = _settle_some()
        done += settled
        if settled < BATCH:
            break
    return done


def _settle_some() -> int:
    due = Call.all_tenants.filter(UNSETTLED).order_by("ended_at").values_list("pk", flat=True)
    keys = list(due[:BATCH])
    if not keys:
        # Without this every look would take SQLite's write lock.
        return 0
    with transaction.atomic():
        calls = list(
            Call.all_tenants.select_for_update(of=("self",), skip_locked=True)
            .select_related("tenant", "account")
            .filter(UNSETTLED, pk__in=keys)
        )
        settle(calls)
    return len(calls)


def settle(calls: Sequence[Call]) -> None:
    """Settle these calls, inside of the caller's transaction, which holds their rows."""
    _take_over_sums(calls)
    usages, waits, book = _usages(calls), _waits(calls), PriceBook()
    now = timezone.now()
    for call in calls:
        call.cost, call.currency = _charge(call, usages[call.pk], book)
        call.wait_p50_ms = round(median(waits[call.pk])) if waits[call.pk] else None
        call.settled_at = now
        call.version += 1
    CallUsage.all_tenants.bulk_update(
        [usage for of_call in usages.values() for usage in of_call], ["price", "cost"]
    )
    Call.all_tenants.bulk_update(
        calls, ["cost", "currency", "wait_p50_ms", "settled_at", "version"]
    )
    search.index(*calls)
    days.mark(
        (call.tenant.pk, days.day_of(call.tenant, call.started_at)) for call in calls if call.tenant
    )
    # Nobody watches the page of an older call for its cost.
    watched = [call for call in calls if call.ended_at and now - call.ended_at < STILL_WATCHED]
    live.publish_on_commit(notice for call in watched for notice in live.call_changed(call))


def _usages(calls: Sequence[Call]) -> dict[int, list[CallUsage]]:
    found: dict[int, list[CallUsage]] = defaultdict(list)
    for usage in CallUsage.all_tenants.filter(call__in=calls):
        found[usage.call_id].append(usage)
    return found


def _charge(call: Call, usages: Sequence[CallUsage], book: PriceBook) -> tuple[Decimal | None, str]:
    """Price the call's usages; the sum of those whose price is known, and its currency.

    None: something was used and nothing of it has a price, or prices are of different currencies.
    A call that used nothing costs nothing.
    """
    for usage in usages:
        _price(call, usage, book)
    if not usages and call.tenant:
        return Decimal(), call.tenant.budget_currency
    currencies = {usage.price.currency for usage in usages if usage.price}
    if len(currencies) != 1:
        return None, ""
    known = [usage.cost for usage in usages if usage.cost is not None]
    return sum(known, Decimal()), currencies.pop()


def _price(call: Call, usage: CallUsage, book: PriceBook) -> None:
    usage.price = usage.cost = None
    provider = provider_of_account(call.account)
    model = usage.model or (call.model if usage.kind == UsageKind.RESPONSE else "")
    if provider is None or not model or call.tenant is None:
        return
    price = book.find(model=model, provider=provider, on=days.day_of(call.tenant, call.started_at))
    cost = cost_of(usage, price) if price else None
    if cost is not None:
        usage.price, usage.cost = price, cost


def _waits(calls: Sequence[Call]) -> dict[int, list[int]]:
    """How long the caller waited in each turn, ms, by the primary key of the call."""
    found: dict[int, list[int]] = defaultdict(list)
    turns = Turn.all_tenants.filter(
        call__in=calls, first_packet_ms__gte=F("caller_stopped_ms")
    ).values_list("call_id", F("first_packet_ms") - F("caller_stopped_ms"))
    for call_id, wait in turns:
        found[call_id].append(wait)
    return found


def _take_over_sums(calls: Sequence[Call]) -> None:
    """Give calls from before CallUsage theirs, out of the sums in their own row.

    Where several models were used the sums do not tell which one counted what, so they go under a
    name that has no price.
    """
    counted = [call for call in calls if call.tenant and call.usage.get("responses")]
    known = set(
        CallUsage.all_tenants.filter(call__in=counted, kind=UsageKind.RESPONSE).values_list(
            "call_id", flat=True
        )
    )
    CallUsage.all_tenants.bulk_create(
        _usage_of_sums(call) for call in counted if call.pk not in known
    )


def _usage_of_sums(call: Call) -> CallUsage:
    models: list[str] = call.usage.get("models", [])
    counts: dict[str, Any] = {name: call.usage.get(name, 0) for name in TOKEN_COUNTS}
    return CallUsage(
        tenant=call.tenant,
        call=call,
        kind=UsageKind.RESPONSE,
        model=models[0] if len(models) == 1 else " + ".join(models)[:100],
        responses=call.usage["responses"],
        **counts,
    )
