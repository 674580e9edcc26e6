"""A session without its socket, and the server's events to feed it with."""

from __future__ import annotations

import json
from typing import Any

from media_worker.contract import AudioFormat, Dialect
from media_worker.realtime import wire
from media_worker.realtime.core import SessionCore
from media_worker.realtime.dialects import SHAPES
from media_worker.realtime.failures import Scrubber
from media_worker.realtime.session import SessionEvent, SessionInfo
from tests.media_worker.realtime import plans


def core(
    *, guarded: bool = False, opened: AudioFormat = AudioFormat.PCMU, **changes: Any
) -> SessionCore:
    """An open session; what it said to open it is taken away."""
    settings = plans.settings(**changes)
    shape = SHAPES[settings.dialect](settings, plans.TOOLS, language="en")
    info = SessionInfo(
        session_id="sess_1", model="served-model", input_format=opened, output_format=opened
    )
    session = SessionCore(shape, info, Scrubber(plans.KEY, plans.PROMPT))
    session.begin(guarded=guarded)
    session.outgoing.clear()
    return session


class Feed:
    """Feeds one session with server events, in the names of a dialect."""

    def __init__(self, session: SessionCore, dialect: Dialect = Dialect.OPENAI) -> None:
        self.session = session
        self._output = "output_" if dialect is Dialect.OPENAI else ""
        self._added = "added" if dialect is Dialect.OPENAI else "created"

    def __call__(self, kind: str, **fields: Any) -> list[SessionEvent]:
        return self.session.receive(wire.decode(json.dumps({"type": kind, **fields})))

    def sent(self) -> list[dict[str, Any]]:
        """What the session has sent since the last look, without the ids of its events."""
        taken = [{k: v for k, v in e.items() if k != "event_id"} for e in self.session.outgoing]
        self.session.outgoing.clear()
        return taken

    def sent_id(self) -> str:
        """event_id of the last event that waits to be sent."""
        event_id: str = self.session.outgoing[-1]["event_id"]
        return event_id

    def created(self, response_id: str = "resp_1") -> list[SessionEvent]:
        return self("response.created", response={"id": response_id, "status": "in_progress"})

    def done(self, response_id: str = "resp_1", status: str = "completed", **more: Any) -> Any:
        return self("response.done", response={"id": response_id, "status": status, **more})

    def item(
        self, item_id: str, response_id: str = "resp_1", previous: str | None = None
    ) -> list[SessionEvent]:
        item = {"id": item_id, "type": "message", "role": "assistant", "status": "in_progress"}
        return [
            *self("response.output_item.added", response_id=response_id, item=item),
            *self(f"conversation.item.{self._added}", item=item, previous_item_id=previous),
        ]

    def audio(self, item_id: str, data: str, response_id: str = "resp_1") -> list[SessionEvent]:
        kind = f"response.{self._output}audio.delta"
        return self(kind, item_id=item_id, response_id=response_id, delta=data)

    def audio_done(self, item_id: str, response_id: str = "resp_1") -> list[SessionEvent]:
        return self(f"response.{self._output}audio.done", item_id=item_id, response_id=response_id)

    def words(self, item_id: str, delta: str, response_id: str = "resp_1") -> list[SessionEvent]:
        kind = f"response.{self._output}audio_transcript.delta"
        return self(kind, item_id=item_id, response_id=response_id, delta=delta)

    def words_done(
        self, item_id: str, text: str, response_id: str = "resp_1"
    ) -> list[SessionEvent]:
        kind = f"response.{self._output}audio_transcript.done"
        return self(kind, item_id=item_id, response_id=response_id, transcript=text)
