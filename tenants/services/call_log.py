"""The log of a call: what happened on its line, and what people asked of it."""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import Final

from django.utils import timezone

from media_worker import contract
from tenants.models import Call, CallEvent
from tenants.models.choices import CommandState, EndCause, NoteKind
from tenants.services.text import plain

OVER_FIRST: Final = "The call ended before that."


def note(
    call: Call, event: contract.CallNoted, *, command: uuid.UUID | None, at: datetime
) -> CallEvent:
    """Keep what a worker noted. Of a command that somebody gave for this call it says that it was
    done, and when; who gave it and its words stay.
    """
    if call.tenant is None:
        raise ValueError("Only a call that was taken has a log.")
    text = plain(event.text, 500)
    if command is not None:
        asked = CallEvent.all_tenants.filter(call=call, command=command).first()
        if asked is not None and event.kind.value == NoteKind.LISTEN_ENDED:
            return end_listening(asked, event.offset_ms) or asked
        if asked is not None:
            asked.state, asked.offset_ms = CommandState.DONE, event.offset_ms
            asked.text = asked.text or text
            asked.save(update_fields=["state", "offset_ms", "text"])
            return asked
    return CallEvent.all_tenants.create(
        tenant=call.tenant,
        call=call,
        kind=event.kind.value,
        offset_ms=event.offset_ms,
        text=text,
        at=at,
    )


def end_listening(begun: CallEvent, offset_ms: int | None = None) -> CallEvent | None:
    """Write once that somebody stopped listening, and how long it was; None: it is there."""
    if begun.command is None or begun.state == CommandState.FAILED:
        return None
    if offset_ms is None:
        past = timezone.now() - begun.at
        offset_ms = begun.offset_ms + int(past.total_seconds() * 1000)
    minutes, seconds = divmod(max(0, offset_ms - begun.offset_ms) // 1000, 60)
    ended, is_new = CallEvent.all_tenants.get_or_create(
        command=_end_of(begun.command),
        defaults={
            "tenant_id": begun.tenant_id,
            "call_id": begun.call_id,
            "kind": NoteKind.LISTEN_ENDED,
            "state": CommandState.DONE,
            "offset_ms": offset_ms,
            "text": f"{minutes}:{seconds:02}",
            "user_id": begun.user_id,
        },
    )
    return ended if is_new else None


def listening(call: Call) -> list[CallEvent]:
    """Who listens to the call now."""
    began = CallEvent.all_tenants.filter(call=call, kind=NoteKind.LISTEN_BEGAN).exclude(
        state=CommandState.FAILED
    )
    ended = set(
        CallEvent.all_tenants.filter(call=call, kind=NoteKind.LISTEN_ENDED).values_list(
            "command", flat=True
        )
    )
    return [event for event in began if event.command and _end_of(event.command) not in ended]


def close(call: Call) -> None:
    """The call is over: what was asked for and not done will not be done any more."""
    for event in listening(call):
        end_listening(event, max(event.offset_ms, call.duration_ms))
    asked = CallEvent.all_tenants.filter(call=call, state=CommandState.ASKED)
    if call.end_cause == EndCause.OPERATOR_HUNG_UP:
        asked.filter(kind=NoteKind.HANG_UP_ASKED).update(state=CommandState.DONE)
    if call.end_cause == EndCause.TRANSFERRED:
        asked.filter(kind=NoteKind.TRANSFER_ASKED).update(state=CommandState.DONE)
    asked.update(state=CommandState.FAILED, text=OVER_FIRST)


def _end_of(listen: uuid.UUID) -> uuid.UUID:
    """The id of the entry that says that it ended: it is written once, whoever says so first."""
    return uuid.uuid5(listen, "ended")
