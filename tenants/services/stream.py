"""The stream of events for integrators: one shape of document, whatever carries it.

    {"id": "...", "type": "call.answered", "at": "2026-11-23T10:00:00Z", "tenant": "acme",
     "data": {...}}

An id is the same for the same event, so that who gets one twice can tell. Nothing is kept: who was
not there asks the REST API for the calls' records.
"""

from __future__ import annotations

import uuid
from datetime import UTC, datetime
from typing import Any, Final, Literal

from django.utils import timezone

from tenants.models import Call, CallEvent, Tenant, ToolCall, TranscriptEntry
from tenants.models.choices import CallState
from tenants.services import live

Kind = Literal[
    "call.started",
    "call.answered",
    "call.ended",
    "call.refused",
    "call.noted",
    "transcript.updated",
    "tool.updated",
]
KINDS: Final[tuple[Kind, ...]] = (
    "call.started",
    "call.answered",
    "call.ended",
    "call.refused",
    "call.noted",
    "transcript.updated",
    "tool.updated",
)
_OF_STATE: Final[dict[str, Kind]] = {
    CallState.RINGING: "call.started",
    CallState.RUNNING: "call.answered",
    CallState.ENDED: "call.ended",
    CallState.REFUSED: "call.refused",
}


def stream_group(tenant: Tenant) -> str:
    return f"stream.{tenant.public_id.hex}"


def document(kind: Kind, call: Call, data: dict[str, Any]) -> dict[str, Any]:
    """An event of a call; `data` gets the call's and its agent's id in front."""
    if call.tenant is None:
        raise ValueError("Only a tenant's call is streamed.")
    named = {
        "call": str(call.public_id),
        "agent": str(call.agent.public_id) if call.agent else None,
    }
    key = uuid.uuid5(call.public_id, f"{kind}:{call.version}:{data.get('item_id', '')}")
    return {
        "id": str(key),
        "type": kind,
        "at": _instant(timezone.now()),
        "tenant": call.tenant.slug,
        "data": named | data,
    }


def of_call(call: Call) -> list[live.Notice]:
    """It began, was answered, ended or was refused."""
    data = {
        "kind": call.kind,
        "state": call.state,
        "from": call.calling,
        "from_name": call.calling_name,
        "to": call.called,
        "started_at": _instant(call.started_at),
        "answered_at": _instant(call.answered_at),
        "ended_at": _instant(call.ended_at),
        "duration_ms": call.duration_ms,
        "end_cause": call.end_cause or None,
        "refusal_reason": call.refusal_reason or None,
    }
    return _notice(_OF_STATE[call.state], call, data)


def of_entry(call: Call, entry: TranscriptEntry) -> list[live.Notice]:
    """Something was said; the same `item_id` replaces what it said before."""
    names = ("item_id", *live.SAID)
    return _notice("transcript.updated", call, {name: getattr(entry, name) for name in names})


def of_tool(call: Call, tool: ToolCall) -> list[live.Notice]:
    names = ("tool_call_id", "name", "arguments", "state", "result", "offset_ms", "duration_ms")
    return _notice("tool.updated", call, {name: getattr(tool, name) for name in names})


def of_event(call: Call, event: CallEvent) -> list[live.Notice]:
    """An entry of the call's log: a key, hold, what a person asked for."""
    data = {
        "kind": event.kind,
        "state": event.state or None,
        "text": event.text,
        "offset_ms": event.offset_ms,
    }
    return _notice("call.noted", call, data)


def wanted(told: dict[str, Any], *, types: frozenset[str], agent: str) -> bool:
    """Whether a document is for somebody who asked for these types, and for one agent or any."""
    is_type = not types or told["type"] in types
    return is_type and (not agent or told["data"]["agent"] == agent)


def _notice(kind: Kind, call: Call, data: dict[str, Any]) -> list[live.Notice]:
    if call.tenant is None:
        return []
    message = live.Streamed(type="stream.event", document=document(kind, call, data))
    return [(stream_group(call.tenant), message)]


def _instant(moment: datetime | None) -> str | None:
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z") if moment else None
