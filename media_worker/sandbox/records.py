"""What clients sent, for tests and for people who want to see it; no audio, bounded."""

from __future__ import annotations

import json
import time
from collections import Counter, OrderedDict, deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final

SESSIONS_KEPT: Final = 200
EVENTS_KEPT: Final = 500
"""Events of a session each way, the newest; audio and deltas are only counted."""

EVENT_CHARACTERS_KEPT: Final = 200_000
NAMES_KEPT: Final = 100
_IDS: Final = ("event_id", "item_id", "response_id", "audio_start_ms", "audio_end_ms")


@dataclass
class SessionRecord:
    id: str
    dialect: str
    model: str
    misbehave: list[str]
    started_at: float = field(default_factory=time.time)
    ended_at: float | None = None
    close_code: int | None = None
    client_events: deque[dict[str, Any]] = field(default_factory=lambda: deque(maxlen=EVENTS_KEPT))
    server_events: deque[dict[str, Any]] = field(default_factory=lambda: deque(maxlen=EVENTS_KEPT))
    """`type`, `at` (time.monotonic of this host) and the ids in it, without deltas."""
    client_counts: Counter[str] = field(default_factory=Counter)
    server_counts: Counter[str] = field(default_factory=Counter)
    appended_ms: float = 0.0
    sent_audio_ms: float = 0.0

    @property
    def updates(self) -> list[dict[str, Any]]:
        """The session objects of all session.update events kept, oldest first."""
        updates = (event for event in self.client_events if event.get("type") == "session.update")
        return [event["session"] for event in updates if isinstance(event.get("session"), dict)]

    def received(self, event: dict[str, Any], characters: int = 0) -> None:
        """`characters` of its frame; of a huge one only the size is kept."""
        name = str(event.get("type"))[:80]
        self.client_counts[name if len(self.client_counts) < NAMES_KEPT else "others"] += 1
        if name == "input_audio_buffer.append":
            return
        kept = _without_audio(event)
        if characters > EVENT_CHARACTERS_KEPT and len(json.dumps(kept)) > EVENT_CHARACTERS_KEPT:
            kept = {"type": name, "characters": characters}
        self.client_events.append(kept)

    def sent(self, event: dict[str, Any]) -> None:
        name = event["type"]
        self.server_counts[name] += 1
        if not name.endswith(".delta"):
            ids = {key: event[key] for key in _IDS if key in event}
            self.server_events.append({"type": name, "at": time.monotonic()} | ids)

    def summary(self) -> dict[str, Any]:
        return {
            "id": self.id,
            "dialect": self.dialect,
            "model": self.model,
            "misbehave": self.misbehave,
            "started_at": self.started_at,
            "ended_at": self.ended_at,
            "close_code": self.close_code,
            "appended_ms": round(self.appended_ms),
            "sent_audio_ms": round(self.sent_audio_ms),
        }

    def whole(self) -> dict[str, Any]:
        return self.summary() | {
            "client_events": list(self.client_events),
            "server_events": list(self.server_events),
            "client_counts": dict(self.client_counts),
            "server_counts": dict(self.server_counts),
        }


class Records:
    """The last 200 sessions, newest last."""

    def __init__(self) -> None:
        self._sessions: OrderedDict[str, SessionRecord] = OrderedDict()

    def __iter__(self) -> Iterator[SessionRecord]:
        return iter(list(self._sessions.values()))

    def add(self, record: SessionRecord) -> None:
        self._sessions[record.id] = record
        while len(self._sessions) > SESSIONS_KEPT:
            self._sessions.popitem(last=False)

    def find(self, session_id: str) -> SessionRecord | None:
        return self._sessions.get(session_id)


def _without_audio(value: Any) -> Any:
    """The same event, with the length in place of base64 audio."""
    if isinstance(value, list):
        return [_without_audio(member) for member in value]
    if not isinstance(value, dict):
        return value
    return {
        name: f"<{len(member)} characters of audio>"
        if name == "audio" and isinstance(member, str)
        else _without_audio(member)
        for name, member in value.items()
    }
