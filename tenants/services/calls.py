"""What the web side does to a call by itself: it closes what a lost worker left open."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Final

import structlog
from django.utils import timezone

from tenants.models import Call, ToolCall
from tenants.models.choices import CallState, EndCause, ToolState
from tenants.services import call_log, live, stream

log = structlog.get_logger(__name__)

LOST_DETAIL: Final = "The media worker was lost while the call was open."
NEVER_ANSWERED_DETAIL: Final = "The media worker asked for the call and never answered it."


class CallIsOver(Exception):  # noqa: N818 - says what is the matter
    """The call has ended already, or its worker cannot be reached."""


def interrupt(
    calls: Iterable[Call], *, detail: str = LOST_DETAIL, at: datetime | None = None
) -> list[live.Notice]:
    """End open calls whose worker is gone. If a worker speaks of one again, it is open again.

    The duration goes as far as the worker told, not to the moment when it was missed.
    """
    now = at or timezone.now()
    notices = []
    for call in calls:
        call.state = CallState.ENDED
        call.end_cause = EndCause.INTERRUPTED
        call.end_detail = detail
        call.ended_at = now
        if call.answered_at and call.last_event_at:
            known = call.last_event_at - call.answered_at
            call.duration_ms = max(0, known // timedelta(milliseconds=1))
        save(call, "state", "end_cause", "end_detail", "ended_at", "duration_ms")
        ToolCall.all_tenants.filter(call=call, state=ToolState.RUNNING).update(
            state=ToolState.FAILED, result=detail
        )
        call_log.close(call)
        log.warning("call_interrupted", call=str(call.public_id), why=detail)
        notices += live.call_changed(call) + stream.of_call(call)
    return notices


def save(call: Call, *fields: str) -> None:
    """Write some fields of a call and count the change."""
    call.version += 1
    call.save(update_fields=[*fields, "last_event_at", "version"])
