"""Who has not been heard of: workers, calls that were never answered, checks without a result."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

import structlog
from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from media_worker import contract
from tenants.models import Call, Worker
from tenants.models.call import OPEN
from tenants.models.choices import CallState
from tenants.services import accounts, calls, live

log = structlog.get_logger(__name__)

RINGING_SECONDS: Final = 180
"""RFC 3261 section 13.3.1.1: a proxy gives up on an INVITE after three minutes."""


def watch() -> int:
    """Close what is lost; gives the number of calls closed. Runs every few seconds."""
    closed = _lost_workers() + _never_answered()
    accounts.expire_checks()
    return closed


def _lost_workers() -> int:
    silent_since = timezone.now() - timedelta(seconds=contract.LIVENESS_SECONDS)
    silent = Q(last_seen_at__lt=silent_since) | Q(last_seen_at=None)
    for worker in Worker.objects.filter(silent, connected=True):
        log.warning("worker_lost", worker=worker.name)
    Worker.objects.filter(silent, connected=True).update(connected=False, active_calls=0)
    return _interrupt(
        Q(worker=None) | Q(worker__last_seen_at__lt=silent_since) | Q(worker__last_seen_at=None),
        calls.LOST_DETAIL,
    )


def _never_answered() -> int:
    since = timezone.now() - timedelta(seconds=RINGING_SECONDS)
    return _interrupt(Q(state=CallState.RINGING, started_at__lt=since), calls.NEVER_ANSWERED_DETAIL)


def _interrupt(which: Q, detail: str) -> int:
    if not Call.all_tenants.filter(OPEN & which).exists():
        # Without this every look would take SQLite's write lock.
        return 0
    with transaction.atomic():
        lost = list(
            Call.all_tenants.select_for_update(of=("self",))
            .select_related("tenant")
            .filter(OPEN & which)
            .order_by("pk")
        )
        live.publish_on_commit(calls.interrupt(lost, detail=detail))
    return len(lost)
