"""Reading the audit log, the newest first, page by page from a place in it."""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from django.db.models import Q, QuerySet
from django.utils.dateparse import parse_datetime

from tenants.models import AuditEntry, Tenant, User

SIZE: Final = 50
PK_LIMIT: Final = 2**63


@dataclass(frozen=True, kw_only=True)
class AuditQuery:
    """What the log is narrowed to; None or empty: not at all."""

    tenant: Tenant | None = None
    user: User | None = None
    noun: str = ""
    """What comes before the point of an action."""
    since: datetime | None = None
    until: datetime | None = None
    cursor: str = ""


@dataclass(frozen=True)
class AuditPage:
    rows: list[AuditEntry]
    older: str
    """Cursor of the next page; empty: this is the end."""


def page(query: AuditQuery, size: int = SIZE) -> AuditPage:
    """The entries behind the cursor; one that cannot be read is the beginning."""
    rows = list(_narrowed(query).select_related("user", "tenant", "support")[: size + 1])
    older = _cursor(rows[size - 1]) if len(rows) > size else ""
    return AuditPage(rows[:size], older)


def nouns(tenant: Tenant) -> list[str]:
    """What the tenant has entries of."""
    entries = AuditEntry.all_tenants.filter(tenant=tenant).order_by()
    found = entries.values_list("action", flat=True).distinct()
    return sorted({action.partition(".")[0] for action in found})


def _narrowed(query: AuditQuery) -> QuerySet[AuditEntry]:
    if query.tenant is None:
        # Entries are only ever added, and no index has the times of all tenants in order.
        found = AuditEntry.all_tenants.order_by("-pk")
    else:
        found = AuditEntry.all_tenants.filter(tenant=query.tenant).order_by("-at", "-pk")
    if query.user is not None:
        found = found.filter(user=query.user)
    if query.noun:
        found = found.filter(action__startswith=f"{query.noun}.")
    if query.since:
        found = found.filter(at__gte=query.since)
    if query.until:
        found = found.filter(at__lt=query.until)
    place = _place(query.cursor)
    if place:
        at, pk = place
        later = Q(at__lt=at) | Q(at=at, pk__lt=pk) if query.tenant else Q(pk__lt=pk)
        found = found.filter(later)
    return found


def _cursor(row: AuditEntry) -> str:
    return base64.urlsafe_b64encode(f"{row.pk} {row.at.isoformat()}".encode()).decode().rstrip("=")


def _place(cursor: str) -> tuple[datetime, int] | None:
    try:
        plain = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
        number, _space, moment = plain.decode().partition(" ")
        pk, at = int(number), parse_datetime(moment)
    except (ValueError, binascii.Error):
        return None
    return (at, pk) if at and at.tzinfo and 0 <= pk < PK_LIMIT else None
