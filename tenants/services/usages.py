"""What calls use of their models, as their workers report it."""

from __future__ import annotations

from typing import Final

from django.db.models import F

from media_worker import contract
from tenants.models import Call, CallUsage, Tenant
from tenants.services.text import plain

TOKEN_COUNTS: Final = tuple(
    name for name in contract.UsageReported.__struct_fields__ if name.endswith("_tokens")
)


def add(call: Call, tenant: Tenant, event: contract.UsageReported) -> None:
    """Count one response or one transcription, inside of a transaction that holds the call's row.

    The call's own sums (`Call.usage`, not saved here) are those of its responses.
    """
    _add_to_model(call, tenant, event)
    if event.kind is contract.UsageKind.RESPONSE:
        _add_to_sums(call, event)


def _add_to_model(call: Call, tenant: Tenant, event: contract.UsageReported) -> None:
    counts = {name: getattr(event, name) for name in (*TOKEN_COUNTS, "seconds")}
    of_model = {"call": call, "kind": event.kind.value, "model": plain(event.model, 100)}
    found = CallUsage.all_tenants.filter(**of_model).update(
        responses=F("responses") + 1, **{name: F(name) + count for name, count in counts.items()}
    )
    if not found:
        CallUsage.all_tenants.create(tenant=tenant, responses=1, **of_model, **counts)


def _add_to_sums(call: Call, event: contract.UsageReported) -> None:
    used = dict(call.usage)
    for name in TOKEN_COUNTS:
        used[name] = used.get(name, 0) + getattr(event, name)
    used["responses"] = used.get("responses", 0) + 1
    used["models"] = sorted({*used.get("models", []), plain(event.model, 100)} - {""})
    call.usage = used
