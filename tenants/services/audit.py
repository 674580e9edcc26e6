"""One line for every change that a person or the machine made; services write it, nobody else."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Mapping
from datetime import date, datetime, time
from decimal import Decimal
from typing import Any, Final

from django.db import models

from tenants.actor import Actor, current
from tenants.models import AuditEntry, Tenant, User
from tenants.models.fields import Sealed

SET: Final = "set"
CHANGED: Final = "changed"


def record(
    action: str,
    target: models.Model | str,
    *,
    tenant: Tenant | None,
    user: User | None,
    changes: Mapping[str, list[Any]] | None = None,
    **detail: Any,
) -> AuditEntry:
    """Write an entry, inside of the caller's transaction; who is at work comes from tenants.actor.

    `action` is `noun.verb`. `changes` is what `diff` gives; `detail` is JSON and holds no secret.
    """
    actor = current()
    kind, key = _identity(target)
    return AuditEntry.all_tenants.create(
        tenant=tenant,
        user=user,
        action=action,
        target=str(target)[:255],
        target_kind=kind,
        target_id=key,
        detail=detail,
        changes=dict(changes or {}),
        via=actor.via,
        actor_label=_label(actor, user),
        token=actor.token,
        support=_support(actor, tenant),
        address=actor.address or None,
        request_id=actor.request_id,
    )


def _identity(target: models.Model | str) -> tuple[str, str]:
    """Kind and id of a row; of anything else, nothing."""
    if isinstance(target, str):
        return "", ""
    return target._meta.model_name or "", str(getattr(target, "public_id", target.pk))


def snapshot(row: models.Model, names: Iterable[str]) -> dict[str, Any]:
    """A row's values as they are now, for `diff` later: services change the row that they got."""
    return {name: getattr(row, name) for name in names}


def diff(
    before: models.Model | Mapping[str, Any] | None,
    after: models.Model | Mapping[str, Any],
    names: Iterable[str],
    secret: Iterable[str] = (),
) -> dict[str, list[Any]]:
    """`{name: [old, new]}` of what differs, as JSON; `before` None: nothing was there.

    Of a secret, and of whatever is sealed, only that it was set or changed.
    """
    hidden = set(secret)
    found = {}
    for name in names:
        old, new = _value(before, name), _value(after, name)
        if name in hidden or isinstance(old, Sealed) or isinstance(new, Sealed):
            old_raw, new_raw = _raw(old), _raw(new)
            if old_raw != new_raw:
                kept = CHANGED if old_raw else SET
                found[name] = [SET if old_raw else None, kept if new_raw else None]
        elif (plain := [_json(old), _json(new)]) and plain[0] != plain[1]:
            found[name] = plain
    return found


def _value(source: models.Model | Mapping[str, Any] | None, name: str) -> Any:
    if source is None:
        return None
    return source.get(name) if isinstance(source, Mapping) else getattr(source, name)


def _raw(value: Any) -> Any:
    return (value.raw if isinstance(value, Sealed) else value) or None


def _json(value: Any) -> Any:
    if value is None or isinstance(value, bool | int | float):
        return value
    if isinstance(value, Mapping):
        return {str(key): _json(item) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_json(item) for item in value]
    if isinstance(value, datetime | date | time):
        return value.isoformat()
    if isinstance(value, str | Decimal | uuid.UUID | models.Model):
        return str(value)
    raise TypeError(f"{type(value).__name__} does not go into the audit log.")


def _label(actor: Actor, user: User | None) -> str:
    """Who it was, in words that stay when the user is gone."""
    if user is None:
        return ""
    person = f"{user.name} <{user.email}>" if user.name else user.email
    return (f"{actor.token.name} · {person}" if actor.token else person)[:255]


def _support(actor: Actor, tenant: Tenant | None) -> Any:
    grant = actor.support
    return grant if grant and tenant and grant.tenant_id == tenant.pk else None
