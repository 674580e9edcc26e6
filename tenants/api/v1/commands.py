"""What a running call hears of, and the log of what was asked and what happened."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from ninja import Router
from pydantic import Field

from tenants.api.v1.agents import URI_PATTERN
from tenants.api.v1.calls import find_call
from tenants.api.v1.door import ApiRequest
from tenants.api.v1.routes import route
from tenants.api.v1.settings_document import NOT_BLANK
from tenants.api.v1.types import Id, Input, Instant, Output, example, example_input
from tenants.api.v1.words import CommandStateWord, NoteWord
from tenants.models import CallEvent
from tenants.models.validators import URI_LIMIT
from tenants.services import commands

router = Router(tags=["commands"])

_EVENT: dict[str, Any] = {
    "kind": "said",
    "state": "asked",
    "text": "A colleague calls you back within the hour.",
    "offset_ms": 41500,
    "at": "2026-11-22T10:00:42Z",
    "command": "1f0c8f6e-6a0f-4a57-8a53-90bb0a3f2e71",
    "user": "alice@acme.example",
}


class Event(Output):
    model_config = example(_EVENT)
    kind: NoteWord
    state: CommandStateWord = Field(
        description="Of what somebody asked for: asked, then done or failed; empty: it happened."
    )
    text: str = Field(description="A key, what was to be said, where to; or why it failed.")
    offset_ms: int = Field(description="From the call's answer.")
    at: Instant
    command: Id | None = Field(description="Names what was asked for; None: nobody asked.")
    user: str | None = Field(description="E-mail address of who asked.")


class EventList(Output):
    model_config = example({"items": [_EVENT]})
    items: list[Event]


class Say(Input):
    model_config = example_input({"text": _EVENT["text"]})
    text: str = Field(min_length=1, max_length=commands.SAY_LIMIT, pattern=NOT_BLANK)


class Mute(Input):
    model_config = example_input({"muted": True})
    muted: bool = Field(description="False: the agent speaks again.")


class Transfer(Input):
    model_config = example_input({"uri": "sip:sales@pbx.example.com", "name": "sales"})
    uri: str = Field(pattern=URI_PATTERN, max_length=URI_LIMIT)
    name: str = Field("", max_length=100, description="What you call it; for the log.")


def _document(row: CallEvent) -> Event:
    return Event(
        kind=row.kind,
        state=row.state,
        text=row.text,
        offset_ms=row.offset_ms,
        at=row.at,
        command=row.command,
        user=row.user.email if row.user else None,
    )


def _command(path: str) -> dict[str, Any]:
    """What all commands have in common."""
    return {
        "path": "/calls/{uuid:call_id}/" + path,
        "scope": "live:act",
        "response": Event,
        "status": 202,
        "creates": True,
    }


@route(router, "GET", "/calls/{uuid:call_id}/events", scope="calls:read", response=EventList)
def list_call_events(request: ApiRequest, call_id: UUID) -> EventList:
    """What happened on the line, and what people asked of the call."""
    rows = CallEvent.objects.filter(call=find_call(call_id)).select_related("user")
    return EventList(items=[_document(row) for row in rows])


@route(router, "POST", **_command("say"))
def say_in_call(request: ApiRequest, call_id: UUID, document: Say) -> Event:
    """Have the agent say these words, after what it is saying."""
    user = request.auth.user
    return _document(commands.say(call=find_call(call_id), user=user, text=document.text))


@route(router, "POST", **_command("mute"))
def mute_agent(request: ApiRequest, call_id: UUID, document: Mute) -> Event:
    """Silence the agent, or let it speak again."""
    user = request.auth.user
    return _document(commands.mute(call=find_call(call_id), user=user, muted=document.muted))


@route(router, "POST", **_command("transfer"))
def transfer_call(request: ApiRequest, call_id: UUID, document: Transfer) -> Event:
    """Connect the caller to somebody else; the agent leaves."""
    return _document(
        commands.transfer(
            call=find_call(call_id),
            user=request.auth.user,
            uri=document.uri,
            name=document.name,
        )
    )


@route(router, "POST", **_command("hang-up"))
def hang_up_call(request: ApiRequest, call_id: UUID) -> Event:
    """End the call; its record changes when the media worker has done so."""
    return _document(commands.hang_up(call=find_call(call_id), user=request.auth.user))
