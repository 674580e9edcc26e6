"""Calls as files: lists as CSV or JSON, piece by piece; one call with all that is known of it."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime
from typing import Any, Final

from django.db.models import Prefetch
from django.forms.models import model_to_dict
from django.utils import timezone

from tenants.models import Call, CallQuality, Tag, Tenant
from tenants.models.choices import Speaker
from tenants.services import problems
from tenants.services.calls_list import CallQuery, page

ROWS_AT_ONCE: Final = 500
COLUMNS: Final = (
    "id",
    "kind",
    "started_at",
    "answered_at",
    "ended_at",
    "duration_seconds",
    "caller",
    "caller_name",
    "called",
    "number",
    "agent",
    "revision",
    "language",
    "state",
    "refusal_reason",
    "end_cause",
    "median_wait_ms",
    "provider",
    "model",
    "cost",
    "currency",
    "tags",
)
_FORMULA: Final = re.compile(r"[=+\-@\t\r\n]")
_TELEPHONE: Final = re.compile(r"\+\d+")
_OF_QUALITY: Final = ("id", "tenant", "call")


def row(call: Call) -> dict[str, Any]:
    """A call as a line of a list; times in UTC, names as they are stored."""
    return {
        "id": str(call.public_id),
        "kind": call.kind,
        "started_at": _time(call.started_at),
        "answered_at": _time(call.answered_at),
        "ended_at": _time(call.ended_at),
        "duration_seconds": call.duration_ms / 1000 if call.answered_at else None,
        "caller": call.calling,
        "caller_name": call.calling_name,
        "called": call.called,
        "number": call.number.label if call.number else "",
        "agent": call.agent.name if call.agent else "",
        "revision": call.revision.number if call.revision else None,
        "language": call.language,
        "state": call.state,
        "refusal_reason": call.refusal_reason,
        "end_cause": call.end_cause,
        "median_wait_ms": call.wait_p50_ms,
        "provider": call.account_name,
        "model": call.model,
        "cost": None if call.cost is None else str(call.cost.normalize()),
        "currency": call.currency,
        # Not all(), which would ask again for tags that are loaded.
        "tags": [tag.name for tag in call.tags.get_queryset()],
    }


# --- lists ----------------------------------------------------------------------------------------


def as_csv(*, query: CallQuery | None, tenant: Tenant) -> Iterator[str]:
    """The calls that match, the newest first; RFC 4180, with a byte order mark for spreadsheets.

    `query` None: none match.
    """
    yield "\ufeff" + _line(COLUMNS)
    for calls in _batches(query, tenant) if query else ():
        lines = []
        for call in calls:
            cells = row(call)
            cells["tags"] = " ".join(cells["tags"])
            lines.append(_line([_cell(cells[name]) for name in COLUMNS]))
        yield "".join(lines)


def as_json(*, query: CallQuery, tenant: Tenant) -> Iterator[str]:
    """The same as one array."""
    before = "[\n"
    for calls in _batches(query, tenant):
        for call in calls:
            yield before + json.dumps(row(call), ensure_ascii=False)
            before = ",\n"
    yield "[]\n" if before == "[\n" else "\n]\n"


def _batches(query: CallQuery, tenant: Tenant) -> Iterator[list[Call]]:
    """Each batch is a query of its own: a long download holds no transaction and no memory."""
    calls = (
        Call.all_tenants.select_related("number", "agent", "revision")
        .prefetch_related(Prefetch("tags", Tag.all_tenants.all()))
        .defer("usage", "settings_used", "end_detail")
    )
    query = replace(query, cursor="")
    while True:
        found = page(query=query, tenant=tenant, size=ROWS_AT_ONCE, calls=calls)
        if found.rows:
            yield found.rows
        if not found.older:
            return
        query = replace(query, cursor=found.older)


def _line(cells: Any) -> str:
    out = io.StringIO()
    csv.writer(out).writerow(cells)
    return out.getvalue()


def _cell(value: Any) -> Any:
    """What a spreadsheet would take for a formula is text: a caller's name comes from outside."""
    if not isinstance(value, str) or not _FORMULA.match(value) or _TELEPHONE.fullmatch(value):
        return value
    return f"'{value}"


# --- one call -------------------------------------------------------------------------------------


def document(call: Call) -> dict[str, Any]:
    """All that is known of a call, as JSON; `at_ms` counts from its answer."""
    quality = CallQuality.all_tenants.filter(call=call).first()
    return {
        **row(call),
        "end_detail": call.end_detail,
        "sip_status": call.sip_status,
        "sip_call_id": call.sip_call_id,
        "codec": call.codec,
        "provider_session": call.session_id,
        "settings": call.settings_used,
        "problems": [
            {
                "at_ms": trouble.problem.offset_ms,
                "kind": trouble.problem.kind,
                "account": trouble.account,
                "code": trouble.problem.code,
                "message": trouble.problem.message,
                "fatal": trouble.problem.fatal,
            }
            for trouble in problems.of_call(call)
        ],
        "transcript": _transcript(call),
        "tool_calls": _tool_calls(call),
        "events": [
            {
                "at_ms": event.offset_ms,
                "event": event.kind,
                "detail": event.text,
                "state": event.state,
                "by": event.user.email if event.user else None,
            }
            for event in call.events(manager="all_tenants").select_related("user")  # type: ignore[operator]
        ],
        "turns": [
            model_to_dict(turn, exclude=_OF_QUALITY)
            for turn in call.turns(manager="all_tenants").all()  # type: ignore[operator]
        ],
        "quality": model_to_dict(quality, exclude=_OF_QUALITY) if quality else None,
        "usage": _usage(call),
        "notes": [
            {
                "at": _time(note.at),
                "by": note.user.email if note.user else None,
                "text": note.text,
            }
            for note in call.notes(manager="all_tenants").select_related("user")  # type: ignore[operator]
        ],
    }


def as_text(call: Call) -> str:
    """The transcript to read: a line for each thing that was said or done."""
    facts = row(call)
    began = timezone.localtime(call.started_at).strftime("%Y-%m-%d %H:%M:%S %Z")
    caller = " ".join(part for part in (facts["caller_name"], facts["caller"]) if part) or "?"
    lines = [f"{began}  {caller} → {call.called}", ""]
    for item in sorted(
        _transcript(call) + _tool_calls(call), key=lambda found: int(found["position"])
    ):
        if "tool" in item:
            lines.append(f"{_clock(item['at_ms'])}  [{item['tool']}: {item['state']}]")
        else:
            cut = f" [{item['not_heard']}]" if item["not_heard"] else ""
            who = {Speaker.CALLER: "<", Speaker.AGENT: ">"}[Speaker(item["speaker"])]
            lines.append(f"{_clock(item['at_ms'])}  {who} {item['text']}{cut}")
    return "\n".join(lines) + "\n"


def _transcript(call: Call) -> list[dict[str, Any]]:
    return [
        {
            "position": entry.position,
            "at_ms": entry.offset_ms,
            "duration_ms": entry.duration_ms,
            "speaker": entry.speaker,
            "text": entry.text,
            "not_heard": entry.cut_text,
        }
        for entry in call.transcript(manager="all_tenants").all()  # type: ignore[operator]
    ]


def _tool_calls(call: Call) -> list[dict[str, Any]]:
    return [
        {
            "position": tool.position,
            "at_ms": tool.offset_ms,
            "duration_ms": tool.duration_ms,
            "tool": tool.name,
            "arguments": tool.arguments,
            "state": tool.state,
            "result": tool.result,
        }
        for tool in call.tool_calls(manager="all_tenants").all()  # type: ignore[operator]
    ]


def _usage(call: Call) -> list[dict[str, Any]]:
    return [
        {
            **model_to_dict(usage, exclude=(*_OF_QUALITY, "price", "cost")),
            "cost": None if usage.cost is None else str(usage.cost.normalize()),
            "currency": usage.price.currency if usage.price else "",
        }
        for usage in call.usages(manager="all_tenants").select_related("price")  # type: ignore[operator]
    ]


def _time(value: datetime | None) -> str | None:
    return None if value is None else value.isoformat(timespec="milliseconds")


def _clock(ms: int) -> str:
    seconds = ms // 1000
    return f"{seconds // 3600}:{seconds // 60 % 60:02}:{seconds % 60:02}"
