"""Requests that create something, asked twice: the second time they get the first one's answer."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

from django.db import IntegrityError, transaction
from django.utils import timezone

from tenants.models import IdempotencyKey, Tenant

KEPT: Final = timedelta(days=1)
ABANDONED: Final = timedelta(minutes=2)
"""A request without an answer after so long has died with its process."""


class KeyReused(Exception):  # noqa: N818 - says what is the matter
    """The key was used for another request."""


class KeyInFlight(Exception):  # noqa: N818 - says what is the matter
    """The first request with this key has not been answered yet."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What the first request got."""

    status: int
    document: Any


def begin(
    *, tenant: Tenant, actor: str, key: str, route: str, body: bytes
) -> IdempotencyKey | Answer:
    """Claim a key for a request; to be given to `finish` or `forget`. Or the answer that the same
    request got before.

    Raises KeyReused or KeyInFlight.
    """
    digest = hashlib.sha256(body).hexdigest()
    rows = IdempotencyKey.all_tenants.filter(tenant=tenant, actor=actor, key=key)
    now = timezone.now()
    rows.filter(at__lte=now - KEPT).delete()
    rows.filter(at__lte=now - ABANDONED, status=None).delete()
    try:
        with transaction.atomic():
            return IdempotencyKey.all_tenants.create(
                tenant=tenant, actor=actor, key=key, route=route, body_digest=digest
            )
    except IntegrityError:
        known = rows.first()
    if known is None:  # given up at this very moment
        raise KeyInFlight
    if (known.route, known.body_digest) != (route, digest):
        raise KeyReused
    if known.status is None:
        raise KeyInFlight
    return Answer(known.status, known.response)


def finish(row: IdempotencyKey, *, status: int, document: Any) -> None:
    """Keep the answer. `document` is JSON without secrets: it lies in the database for a day."""
    row.status, row.response = status, document
    row.save(update_fields=["status", "response"])


def forget(row: IdempotencyKey) -> None:
    """Nothing was created: the same key may try again."""
    row.delete()
