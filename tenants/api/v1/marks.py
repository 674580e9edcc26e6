"""What people add to a call, and the end of its record."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any
from uuid import UUID

from django.shortcuts import get_object_or_404
from ninja import Router
from pydantic import Field

from tenants.api.v1.calls import find_call
from tenants.api.v1.calls import router as calls_router
from tenants.api.v1.door import ApiRequest
from tenants.api.v1.errors import Trouble
from tenants.api.v1.routes import route
from tenants.api.v1.settings_document import NOT_BLANK
from tenants.api.v1.types import Id, Input, Instant, Output, example, example_input
from tenants.models import Call, CallNote
from tenants.services import call_marks, keeping

router = Router(tags=["calls"])

_NOTE: dict[str, Any] = {
    "id": "d2f1c3ee-4a57-4c1c-9a0e-5b1f0c2d3e4f",
    "text": "Call back on Monday.",
    "user": "erin@acme.example",
    "at": "2026-11-22T10:05:00Z",
}


class Note(Output):
    model_config = example(_NOTE)
    id: Id
    text: str
    user: str | None = Field(description="E-mail address; None: the person is gone.")
    at: Instant


class NoteList(Output):
    model_config = example({"items": [_NOTE]})
    items: list[Note]


class NewNote(Input):
    model_config = example_input({"text": _NOTE["text"]})
    text: str = Field(max_length=4000, pattern=NOT_BLANK)


class NewTag(Input):
    model_config = example_input({"name": "callback"})
    name: str = Field(max_length=50, pattern=NOT_BLANK)


class TagList(Output):
    model_config = example({"tags": ["callback"]})
    tags: list[str]


def _note(row: CallNote) -> Note:
    user = row.user.email if row.user else None
    return Note(id=row.public_id, text=row.text, user=user, at=row.at)


def _tags(call: Call) -> TagList:
    return TagList(tags=list(call.tags.order_by("name").values_list("name", flat=True)))


@route(router, "GET", "/calls/{uuid:call_id}/notes", scope="calls:read", response=NoteList)
def list_call_notes(request: ApiRequest, call_id: UUID) -> NoteList:
    """What people wrote about a call."""
    rows = CallNote.objects.filter(call=find_call(call_id)).select_related("user")
    return NoteList(items=[_note(row) for row in rows])


@route(
    router,
    "POST",
    "/calls/{uuid:call_id}/notes",
    scope="calls:write",
    response=Note,
    status=201,
    creates=True,
)
def add_call_note(request: ApiRequest, call_id: UUID, document: NewNote) -> Note:
    """Write something about a call."""
    call = find_call(call_id)
    return _note(call_marks.add_note(call=call, text=document.text, user=request.auth.user))


@route(
    router,
    "DELETE",
    "/calls/{uuid:call_id}/notes/{uuid:note_id}",
    scope="calls:write",
    response=None,
    status=204,
)
def delete_call_note(request: ApiRequest, call_id: UUID, note_id: UUID) -> None:
    """Take a note away."""
    rows = CallNote.objects.select_related("call__tenant", "tenant")
    row = get_object_or_404(rows, call__public_id=call_id, public_id=note_id)
    call_marks.delete_note(note=row, user=request.auth.user)


@route(
    router,
    "POST",
    "/calls/{uuid:call_id}/tags",
    scope="calls:write",
    response=TagList,
)
def tag_call(request: ApiRequest, call_id: UUID, document: NewTag) -> TagList:
    """Put a tag on a call; one that it has already stays."""
    call = find_call(call_id)
    call_marks.add_tag(call=call, name=document.name, user=request.auth.user)
    return _tags(call)


@route(
    router,
    "POST",
    "/calls/{uuid:call_id}/tags/remove",
    scope="calls:write",
    response=TagList,
)
def untag_call(request: ApiRequest, call_id: UUID, document: NewTag) -> TagList:
    """Take a tag off a call; one that it does not have makes no difference."""
    call = find_call(call_id)
    call_marks.remove_tag(call=call, name=document.name, user=request.auth.user)
    return _tags(call)


@route(
    calls_router,  # the one that has the other methods of this address
    "DELETE",
    "/calls/{uuid:call_id}",
    scope="calls:write",
    right="manage",
    response=None,
    status=204,
)
def delete_call(request: ApiRequest, call_id: UUID) -> None:
    """Delete a call with its words, its sound and its log; not while it runs."""
    try:
        keeping.delete_call(call=find_call(call_id), user=request.auth.user)
    except keeping.CallRuns:
        detail = "The call still runs; end it first."
        raise Trouble(HTTPStatus.CONFLICT, detail, code="call-runs") from None
