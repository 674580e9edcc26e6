"""Calls: the list, one call, what was said."""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal
from uuid import UUID

from django.db.models import QuerySet
from django.shortcuts import get_object_or_404
from ninja import Query, Router
from pydantic import BaseModel, Field

from tenants.api.v1.call_facts import CallTrouble, Quality, Use, UsedSetting, facts
from tenants.api.v1.door import ApiRequest
from tenants.api.v1.pages import PageQuery, bad_cursor
from tenants.api.v1.routes import route
from tenants.api.v1.types import (
    Id,
    Instant,
    OptionalId,
    OptionalInstant,
    Output,
    example,
)
from tenants.api.v1.words import CallKindWord, CallStateWord
from tenants.models import Agent, Call, Number, Tag
from tenants.services import calls_list
from tenants.services.search import snippets

router = Router(tags=["calls"])

LONGEST_MS: Final = 86_400_000
Outcome = Literal["", "running", "answered", "transferred", "failed", "refused"]

_CALL: dict[str, Any] = {
    "id": "9d9f3c7e-2b1a-4c57-9a52-3f1d8f6b7e10",
    "kind": "phone",
    "state": "ended",
    "from": "+4930123456",
    "from_name": "Maria Huber",
    "to": "100",
    "number": "7f5c2a91-6f2e-4c39-8a10-5d3b9e0c4f21",
    "agent": "3c1f6b0a-9a4e-4f0e-8d21-7a4b6a1c2d90",
    "revision": 3,
    "draft_version": None,
    "language": "de",
    "started_at": "2026-11-22T10:00:00Z",
    "answered_at": "2026-11-22T10:00:01Z",
    "ended_at": "2026-11-22T10:01:01Z",
    "duration_ms": 60000,
    "end_cause": "caller_hung_up",
    "refusal_reason": "",
    "wait_p50_ms": 680,
    "cost": "0.04210000",
    "currency": "USD",
    "tags": ["callback"],
}


class CallSummary(Output):
    model_config = example(_CALL, validate_by_name=True)
    id: Id
    kind: CallKindWord
    state: CallStateWord
    from_: str = Field(alias="from", description="Who called; empty: withheld.")
    from_name: str
    to: str
    number: Id | None = Field(description="None: no number, or it is gone.")
    agent: Id | None
    revision: int | None
    draft_version: int | None = Field(description="Set when a draft was tried.")
    language: str
    started_at: Instant
    answered_at: Instant | None
    ended_at: Instant | None
    duration_ms: int
    end_cause: str
    refusal_reason: str
    wait_p50_ms: int | None = Field(description="Median wait for the agent's answer.")
    cost: str | None = Field(description="Decimal; None: not known, or not settled yet.")
    currency: str
    tags: list[str]


class FoundCall(CallSummary):
    model_config = example({**_CALL, "snippet": None}, validate_by_name=True)
    snippet: str | None = Field(
        description="What was said around the words that were searched for; None: none were."
    )


class CallPage(Output):
    model_config = example(
        {
            "items": [{**_CALL, "snippet": "Please connect me to sales."}],
            "next_cursor": "WyIyMDI2Il0=",
        }
    )
    items: list[FoundCall]
    next_cursor: str | None


class CallTurn(Output):
    model_config = example(
        {"number": 1, "caller_stopped_ms": 6000, "first_packet_ms": 6780, "interrupted": False}
    )
    number: int
    caller_stopped_ms: int | None = Field(description="From the answer, as all times of a call.")
    first_packet_ms: int | None = Field(description="The agent's first sound on the line.")
    interrupted: bool


class CallDetail(CallSummary):
    model_config = example(
        {
            **_CALL,
            "end_detail": "",
            "sip_status": 200,
            "codec": "PCMU",
            "sip_call_id": "8c1f0d5e@192.0.2.10",
            "account_name": "Main",
            "model": "gpt-realtime-2.1",
            "provider_session": "sess_C9CwDc8U0Dlgl9QyxXq2a",
            "has_recording": True,
            "turns": [
                {
                    "number": 1,
                    "caller_stopped_ms": 6000,
                    "first_packet_ms": 6780,
                    "interrupted": False,
                }
            ],
            "quality": None,
            "problems": [],
            "usage": [],
            "settings": {"voice": {"value": "marin", "level": "agent"}},
        },
        validate_by_name=True,
    )
    end_detail: str
    sip_status: int
    codec: str
    sip_call_id: str
    account_name: str
    model: str
    provider_session: str = Field(description="The provider's name for it; for its support.")
    has_recording: bool
    turns: list[CallTurn]
    quality: Quality | None = Field(description="Of the line; None: not measured.")
    problems: list[CallTrouble] = Field(description="At the provider.")
    usage: list[Use] = Field(description="What was used of each model.")
    settings: dict[str, UsedSetting] = Field(description="That the call had, by name.")


class TranscriptPiece(Output):
    model_config = example(
        {
            "speaker": "agent",
            "text": "I will connect",
            "cut_text": "you to sales now.",
            "final": True,
            "offset_ms": 6780,
            "duration_ms": 1200,
        }
    )
    speaker: Literal["caller", "agent"]
    text: str = Field(description="Of the agent: what the caller has heard.")
    cut_text: str = Field(description="What the caller did not hear, for he spoke himself.")
    final: bool
    offset_ms: int
    duration_ms: int


class ToolUse(Output):
    model_config = example(
        {
            "name": "transfer_call",
            "arguments": {"target": "sales"},
            "state": "succeeded",
            "result": "The caller was connected.",
            "offset_ms": 8000,
            "duration_ms": 900,
        }
    )
    name: str
    arguments: dict[str, Any]
    state: str
    result: str
    offset_ms: int
    duration_ms: int


class Transcript(Output):
    model_config = example(
        {
            "call": _CALL["id"],
            "entries": [
                {
                    "speaker": "caller",
                    "text": "Please connect me to sales.",
                    "cut_text": "",
                    "final": True,
                    "offset_ms": 4000,
                    "duration_ms": 1500,
                }
            ],
            "tools": [],
        }
    )
    call: Id
    entries: list[TranscriptPiece]
    tools: list[ToolUse]


class CallFilterQuery(BaseModel):
    since: OptionalInstant = Field(None, description="Began at this time or later.")
    until: OptionalInstant = Field(None, description="Began before this time.")
    agent: OptionalId = Field(None, description="Id of an agent.")
    number: OptionalId = Field(None, description="Id of a number.")
    caller: str = Field("", max_length=100, description="How the number or the name begins.")
    outcome: Outcome = Field("", description="Empty: all.")
    kind: CallKindWord | Literal[""] = Field("", description="Empty: all.")
    min_ms: int = Field(0, ge=0, le=LONGEST_MS, description="Lasted so long at least.")
    max_ms: int = Field(0, ge=0, le=LONGEST_MS, description="Lasted shorter; 0: any length.")
    tool: str = Field("", max_length=100, description="Name of a tool that was used.")
    tag: str = Field("", max_length=50, description="A tag that it has.")
    text: str = Field("", max_length=200, description="Words that were said; calls that are over.")


class CallListQuery(CallFilterQuery, PageQuery):
    pass


def find_calls() -> QuerySet[Call]:
    """Calls of the tenant in scope, with what their documents need."""
    return Call.objects.select_related(
        "tenant", "number", "agent", "revision", "worker"
    ).prefetch_related("tags")


def find_call(call_id: UUID) -> Call:
    return get_object_or_404(find_calls(), public_id=call_id)


def summary(call: Call) -> dict[str, Any]:
    same = (
        "kind", "state", "draft_version", "language", "started_at", "answered_at", "ended_at",
        "duration_ms", "end_cause", "refusal_reason", "wait_p50_ms", "currency",
    )  # fmt: skip
    return {
        **{name: getattr(call, name) for name in same},
        "id": call.public_id,
        "from_": call.calling,
        "from_name": call.calling_name,
        "to": call.called,
        "number": call.number.public_id if call.number else None,
        "agent": call.agent.public_id if call.agent else None,
        "revision": call.revision.number if call.revision else None,
        "cost": None if call.cost is None else str(call.cost),
        "tags": [tag.name for tag in call.tags.all()],
    }


@route(router, "GET", "/calls", scope="calls:read", response=CallPage, pages=True)
def list_calls(request: ApiRequest, query: Annotated[CallListQuery, Query()]) -> CallPage:
    """Calls, the newest first."""
    asked = narrowed(query, query.cursor)
    if asked is None:
        return CallPage(items=[], next_cursor=None)
    try:
        page = calls_list.page(
            query=asked, tenant=request.auth.tenant, size=query.limit, calls=find_calls()
        )
    except calls_list.BadCursor:
        raise bad_cursor() from None
    items = _found(page.rows, query.text)
    return CallPage(items=items, next_cursor=page.older or None)


def _found(rows: list[Call], text: str) -> list[FoundCall]:
    said = {
        key: "".join(piece.text for piece in found.pieces)
        for key, found in (snippets(rows, text) if text else {}).items()
    }
    return [FoundCall(**summary(row), snippet=said.get(row.pk)) for row in rows]


def narrowed(query: CallFilterQuery, cursor: str = "") -> calls_list.CallQuery | None:
    """The service's query; None: it names something that is not there, so no call matches."""
    agent = Agent.objects.filter(public_id=query.agent).first() if query.agent else None
    number = Number.objects.filter(public_id=query.number).first() if query.number else None
    tag = Tag.objects.filter(name__iexact=query.tag).first() if query.tag else None
    for asked, found in ((query.agent, agent), (query.number, number), (query.tag, tag)):
        if asked and found is None:
            return None
    return calls_list.CallQuery(
        since=query.since,
        until=query.until,
        agent=agent,
        number=number,
        tag=tag,
        caller=query.caller,
        outcome=query.outcome,
        kind=query.kind,
        min_ms=query.min_ms or None,
        max_ms=query.max_ms or None,
        tool=query.tool,
        text=query.text,
        cursor=cursor,
    )


@route(router, "GET", "/calls/{uuid:call_id}", scope="calls:read", response=CallDetail)
def get_call(request: ApiRequest, call_id: UUID) -> CallDetail:
    """A call with its waits, its line, what it used and what went wrong."""
    call = find_call(call_id)
    recording = getattr(call, "recording", None)
    same = ("end_detail", "sip_status", "codec", "sip_call_id", "account_name", "model")
    turns = call.turns.values("number", "caller_stopped_ms", "first_packet_ms", "interrupted")
    return CallDetail(
        **summary(call),
        **{name: getattr(call, name) for name in same},
        **facts(call),
        provider_session=call.session_id,
        has_recording=bool(recording and recording.file),
        turns=[CallTurn(**turn) for turn in turns],
    )


@route(router, "GET", "/calls/{uuid:call_id}/transcript", scope="calls:read", response=Transcript)
def get_transcript(request: ApiRequest, call_id: UUID) -> Transcript:
    """What was said, and what the agent did; of a running call, so far."""
    call = find_call(call_id)
    said = call.transcript.values(*TranscriptPiece.model_fields)
    done = call.tool_calls.values(*ToolUse.model_fields)
    return Transcript(
        call=call.public_id,
        entries=[TranscriptPiece(**entry) for entry in said],
        tools=[ToolUse(**tool) for tool in done],
    )
