"""How long calls are kept: words and sound go when the tenant's time is over; deleting a call.

The call itself stays as a line of the list and of the sums, until somebody deletes it.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any, Final

import structlog
from django.db import transaction
from django.db.models import Q, QuerySet
from django.utils import timezone

from tenants.models import (
    Call,
    CallEvent,
    Recording,
    SearchDocument,
    Tenant,
    ToolCall,
    TranscriptEntry,
    User,
)
from tenants.services import audit, recordings

log = structlog.get_logger(__name__)

BATCH: Final = 100
"""Calls in one transaction: short, for on SQLite nobody else writes meanwhile."""
BATCHES: Final = 200
"""Of a tenant in one run; the rest goes an hour later."""


class CallRuns(Exception):  # noqa: N818 - says what is the matter
    """A call that runs cannot be deleted: its media worker still tells of it."""


def apply_retention(now: datetime | None = None) -> None:
    """Delete what is older than its tenant keeps it; a line in the audit log for each tenant."""
    now = now or timezone.now()
    for tenant in Tenant.objects.exclude(keep_transcripts_days=None, keep_recordings_days=None):
        words = _run(tenant, tenant.keep_transcripts_days, now, _forget_words)
        sound = _run(tenant, tenant.keep_recordings_days, now, _forget_sound)
        if words or sound:
            log.info("retention_applied", tenant=tenant.slug, words=words, sound=sound)
            counts: dict[str, Any] = {"transcripts": words, "recordings": sound}
            audit.record("retention.apply", tenant, tenant=tenant, user=None, **counts)


def _run(
    tenant: Tenant,
    keep_days: int | None,
    now: datetime,
    forget: Callable[[Tenant, datetime, Q], int],
) -> int:
    """Forget in batches what is older than so many days; gives of how many calls."""
    if keep_days is None:
        return 0
    free = Q(call__keep_until=None) | Q(call__keep_until__lte=now)
    done = 0
    for _batch in range(BATCHES):
        with transaction.atomic():
            count = forget(tenant, now - timedelta(days=keep_days), free)
        done += count
        if count < BATCH:
            break
    return done


def _forget_words(tenant: Tenant, before: datetime, free: Q) -> int:
    """What was said, in the transcript and wherever else it stands. Every settled call in which
    something was said has a document: their index finds the calls.
    """
    due = SearchDocument.all_tenants.filter(free, tenant=tenant, started_at__lt=before)
    calls = list(due.order_by("started_at").values_list("call_id", flat=True)[:BATCH])
    _delete_at_once(TranscriptEntry.all_tenants.filter(call__in=calls))
    ToolCall.all_tenants.filter(call__in=calls).update(arguments={}, result="")
    CallEvent.all_tenants.filter(call__in=calls).update(text="")
    _delete_at_once(SearchDocument.all_tenants.filter(call__in=calls))
    return len(calls)


def _forget_sound(tenant: Tenant, before: datetime, free: Q) -> int:
    due = (
        Recording.all_tenants.select_for_update(of=("self",))
        .filter(free, tenant=tenant, call__started_at__lt=before)
        .exclude(file="")
        .defer("peaks")
    )
    found = list(due[:BATCH])
    recordings.delete_all(found)
    return len(found)


def _delete_at_once(rows: QuerySet[Any]) -> None:
    """Without reading them first: nothing hangs on them."""
    rows._raw_delete(rows.db)


def delete_call(*, call: Call, user: User) -> None:
    """Delete a call with all that belongs to it, for good. Raises CallRuns.

    The audit log keeps that there was one, what it cost and who deleted it; the sums of its day
    stay as they are.
    """
    with transaction.atomic():
        found = Call.all_tenants.select_for_update(of=("self",)).get(pk=call.pk)
        if found.is_open:
            raise CallRuns
        audit.record(
            "call.delete",
            f"call {found.public_id}",  # not its words for itself: they name the caller
            tenant=found.tenant,
            user=user,
            began=found.started_at.isoformat(),
            duration_ms=found.duration_ms,
            cost=None if found.cost is None else str(found.cost),
            currency=found.currency,
        )
        found.delete()
