"""The log of a call as its page shows it: what happened on the line, and who asked for what."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy

from tenants.models import Call, CallEvent
from tenants.models.choices import CommandState, NoteKind
from tenants.portal.words import Badge

_BADGES: Final = {
    CommandState.ASKED: Badge(gettext_lazy("Asked for"), "live", "asked"),
    CommandState.DONE: Badge(gettext_lazy("Done"), "good", "done"),
    CommandState.FAILED: Badge(gettext_lazy("Failed"), "bad", "failed"),
}
_ICONS: Final = {
    NoteKind.DTMF: "hash",
    NoteKind.HELD: "player-pause",
    NoteKind.RESUMED: "player-play",
    NoteKind.SESSION_OPENED: "robot",
    NoteKind.SESSION_REPLACED: "refresh",
    NoteKind.FALLBACK_USED: "refresh",
    NoteKind.SAID: "message",
    NoteKind.MUTED: "microphone-off",
    NoteKind.UNMUTED: "microphone",
    NoteKind.TRANSFER_ASKED: "phone-outgoing",
    NoteKind.HANG_UP_ASKED: "phone-off",
    NoteKind.LISTEN_BEGAN: "headphones",
    NoteKind.LISTEN_ENDED: "headphones",
}


@dataclass(frozen=True, kw_only=True)
class LogLine:
    kind: str
    icon: str
    title: str | Promise
    text: str
    who: str
    badge: Badge | None
    offset_ms: int


@dataclass(frozen=True, kw_only=True)
class CallLog:
    """Lines in order, and what follows from them: whether the agent is muted, who listens."""

    lines: list[LogLine]
    is_muted: bool
    listeners: list[str]


def call_log(call: Call) -> CallLog:
    events = list(CallEvent.objects.filter(call=call).select_related("user"))
    return CallLog(
        lines=[_line(event) for event in events],
        is_muted=call.is_open and _is_muted(events),
        listeners=_listeners(events) if call.is_open else [],
    )


def _line(event: CallEvent) -> LogLine:
    return LogLine(
        kind=event.kind,
        icon=_ICONS.get(NoteKind(event.kind), "activity"),
        title=event.get_kind_display(),
        text=event.text,
        who=event.user.get_full_name() if event.user else "",
        badge=_BADGES.get(CommandState(event.state)),
        offset_ms=event.offset_ms,
    )


def _is_muted(events: list[CallEvent]) -> bool:
    """As far as the worker has said so."""
    told = [
        event
        for event in events
        if event.kind in {NoteKind.MUTED, NoteKind.UNMUTED} and event.state == CommandState.DONE
    ]
    last = max(told, key=lambda event: event.pk, default=None)
    return last is not None and last.kind == NoteKind.MUTED


def _listeners(events: list[CallEvent]) -> list[str]:
    """Who listens now, each name once."""
    listening: list[str] = []
    for event in sorted(events, key=lambda event: event.pk):
        name = event.user.get_full_name() if event.user else ""
        if event.kind == NoteKind.LISTEN_BEGAN and event.state == CommandState.DONE:
            listening.append(name)
        elif event.kind == NoteKind.LISTEN_ENDED and name in listening:
            listening.remove(name)
    return list(dict.fromkeys(listening))
