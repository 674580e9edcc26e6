"""The log of a call: what happened on its line, and what people asked of it."""

from __future__ import annotations

import uuid
from datetime import datetime

from media_worker import contract
from tenants.models import Call, CallEvent
from tenants.models.choices import CommandState
from tenants.services.text import plain


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
