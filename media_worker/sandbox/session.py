"""One connection: the client's events in, the protocol's events out (REALTIME.md section 1)."""

from __future__ import annotations

import base64
import binascii
import json
import time
from collections.abc import Callable
from typing import Any, Final

from media_worker.contract import AudioFormat
from media_worker.sandbox.checks import an_object, integer, missing, one_of, text
from media_worker.sandbox.dialects import Dialect
from media_worker.sandbox.dialogue import Dialogue, Request
from media_worker.sandbox.errors import ClientError, error_detail
from media_worker.sandbox.ids import new_id
from media_worker.sandbox.item_input import item_from
from media_worker.sandbox.items import Conversation, Item
from media_worker.sandbox.misbehaviour import Misbehaviour
from media_worker.sandbox.recognition import Recogniser
from media_worker.sandbox.records import SessionRecord
from media_worker.sandbox.settings import FORMATS, SessionSettings, format_of
from media_worker.sandbox.turns import Turns
from media_worker.sandbox.voice import Voice

MAX_APPEND_BYTES: Final = 15 * 1024 * 1024
SESSION_SECONDS: Final = 3600
Json = dict[str, Any]


class Session:
    """`send` queues a frame for the client; never blocks."""

    def __init__(
        self,
        *,
        dialect: Dialect,
        model: str,
        misbehaviour: Misbehaviour,
        send: Callable[[str | bytes], None],
        voice: Voice,
        recogniser: Recogniser,
        pace: float,
    ) -> None:
        self.id = new_id("sess")
        self.settings = SessionSettings(model)
        self.voice = voice
        self.recogniser = recogniser
        self.pace = pace
        self.record = SessionRecord(self.id, dialect.name, model, misbehaviour.names)
        self.assistant_text = dialect.assistant_text
        self._dialect = dialect
        self.misbehaviour = misbehaviour
        self.send_raw = send
        self.conversation = Conversation()
        self.conversation_id = new_id("conv")
        self._expires_at = int(time.time()) + SESSION_SECONDS
        self._turns = Turns(self)
        self._dialogue = Dialogue(self)
        self._handlers: dict[str, Callable[[Json], None]] = {
            "session.update": self._update,
            "input_audio_buffer.append": self._append,
            "input_audio_buffer.commit": lambda _: self._turns.commit_by_client(),
            "input_audio_buffer.clear": lambda _: self._turns.clear(),
            "conversation.item.create": self._create_item,
            "conversation.item.retrieve": self._retrieve_item,
            "conversation.item.delete": self._delete_item,
            "conversation.item.truncate": self._truncate_item,
            "response.create": self._create_response,
            "response.cancel": self._cancel_response,
        }

    # --- frames ----------------------------------------------------------------------------------

    def begin(self) -> None:
        self.emit("session.created", session=self._session_body())
        if "unknown_events" in self.misbehaviour:
            self.send_raw(json.dumps({"type": "session.mood.changed", "mood": {"is": "splendid"}}))
            self.send_raw(json.dumps({"type": "ping", "event_id": new_id("event"), "nonce": 7}))

    def end(self) -> None:
        self._dialogue.stop()
        self._turns.stop()
        self.record.ended_at = time.time()

    def receive(self, frame: str | bytes) -> None:
        """One frame of the client; what is wrong with it becomes an `error` event."""
        event_id: str | None = None
        try:
            event = _parsed(frame)
            self.record.received(event, len(frame))
            event_id = event["event_id"] if isinstance(event.get("event_id"), str) else None
            if "type" not in event:
                missing("type")
            one_of(*self._handlers)(event["type"], "type")
            self._handlers[event["type"]](event)
        except ClientError as problem:
            self.emit("error", error=problem.detail(event_id))

    def emit(self, type_: str, **members: Any) -> None:
        event = {"type": type_, "event_id": new_id("event"), **members}
        for wire in self._dialect.events(event):
            self.record.sent(wire)
            if "unknown_events" in self.misbehaviour and type_ == "response.created":
                self.send_raw(json.dumps({"type": "response.thought.delta", "delta": "hm"}))
                wire = wire | {"novelty": {"of": "tomorrow"}}
            self.send_raw(json.dumps(wire))

    def fail(self, code: str, message: str, *, type_: str = "invalid_request_error") -> None:
        self.emit("error", error=error_detail(message, code=code, type_=type_))

    def _session_body(self) -> Json:
        return self._dialect.session(self.id, self._expires_at, self.settings)

    # --- the session's settings ------------------------------------------------------------------

    def _update(self, event: Json) -> None:
        _require(event, "session")
        if "reject_update" in self.misbehaviour:
            raise ClientError(
                "Invalid value: this sandbox was told to refuse every session.update.",
                code="invalid_value",
                param="session",
            )
        patch = self._dialect.session_patch(event["session"])
        if "wrong_echo" in self.misbehaviour:
            _swap_formats(patch)
        self.settings.merge(patch, voice_is_fixed=self._dialogue.has_spoken)
        self._turns.configure()
        self.emit("session.updated", session=self._session_body())

    # --- the caller's audio ----------------------------------------------------------------------

    def _append(self, event: Json) -> None:
        _require(event, "audio")
        text(event["audio"], "audio")
        try:
            data = base64.b64decode(event["audio"], validate=True)
        except (binascii.Error, ValueError):
            raise ClientError(
                "Invalid 'audio'. Expected base64-encoded audio bytes but got an invalid value.",
                code="invalid_value",
                param="audio",
            ) from None
        if len(data) > MAX_APPEND_BYTES:
            raise ClientError(
                "Invalid 'audio': at most 15 MiB in one event.", code="invalid_value", param="audio"
            )
        self._turns.append(data)
        self.record.appended_ms = self._turns.clock_ms

    def turn_began(self) -> None:
        self._turns.stop_waiting()
        if (self.settings.turn_detection or {}).get("interrupt_response"):
            self._dialogue.interrupt()

    def turn_ended(self) -> None:
        if not (self.settings.turn_detection or {}).get("create_response"):
            return
        try:
            self._dialogue.respond(Request())
        except ClientError as problem:  # it may not interrupt, so it must wait
            self.emit("error", error=problem.detail(None))

    def silence_was_too_long(self) -> None:
        if not self._dialogue.is_active:
            self._dialogue.respond(Request(is_idle=True))

    # --- items -----------------------------------------------------------------------------------

    def _create_item(self, event: Json) -> None:
        _require(event, "item")
        after = event.get("previous_item_id")
        item, pcm = item_from(event["item"], self.assistant_text, self.settings.input_format)
        if item.kind == "function_call_output" and self.conversation.called(item.call_id) is None:
            raise ClientError(
                f"Tool call ID '{item.call_id}' not found in conversation.",
                code="invalid_tool_call_id",
                param="item.call_id",
            )
        before = self.conversation.add(item, after)
        if item.role == "assistant":  # history: what came before it was answered by it
            self.conversation.answered_before(item)
        if pcm:
            item.hearing = self._turns.recognise(pcm)
        self.emit("conversation.item.added", item=item.wire(), previous_item_id=before)
        self.item_ends(item)

    def _retrieve_item(self, event: Json) -> None:
        _require(event, "item_id")
        item = self.conversation.find(event["item_id"])
        if item is None:
            raise ClientError(
                f"Error retrieving item: the item with id '{event['item_id']}' does not exist.",
                code="item_retrieve_invalid_item_id",
                param="item_id",
            )
        self.emit("conversation.item.retrieved", item=item.wire())

    def _delete_item(self, event: Json) -> None:
        _require(event, "item_id")
        self.conversation.delete(event["item_id"])
        self.emit("conversation.item.deleted", item_id=event["item_id"])

    def _truncate_item(self, event: Json) -> None:
        _require(event, "item_id", "content_index", "audio_end_ms")
        integer(0, 2**31)(event["audio_end_ms"], "audio_end_ms")
        integer(0, 2**31)(event["content_index"], "content_index")
        place = {name: event[name] for name in ("item_id", "content_index", "audio_end_ms")}
        self.conversation.truncate(**place)
        self.emit("conversation.item.truncated", **place)

    def add_item(self, item: Item, after: str | None = None) -> str | None:
        return self.conversation.add(item, after)

    def item_begins(self, item: Item) -> None:
        before = self.conversation.add(item)
        self.emit("conversation.item.added", item=item.wire(), previous_item_id=before)

    def item_ends(self, item: Item) -> None:
        if self.conversation.find(item.id) is not None:
            before = self.conversation.before(item)
            self.emit("conversation.item.done", item=item.wire(), previous_item_id=before)

    # --- responses -------------------------------------------------------------------------------

    def _create_response(self, event: Json) -> None:
        given = event.get("response")
        options = self._dialect.response_options(given) if given is not None else {}
        self._dialogue.respond(Request(options))

    def _cancel_response(self, event: Json) -> None:
        if "response_id" in event:
            text(event["response_id"], "response_id")
        self._dialogue.cancel(event.get("response_id"))

    def agent_speaks(self) -> None:
        self._turns.stop_waiting()

    def agent_has_spoken(self, playback_ms: float) -> None:
        self._turns.wait_for_caller(playback_ms)


def _parsed(frame: str | bytes) -> Json:
    if isinstance(frame, bytes):
        raise ClientError("Expected a text frame with a JSON object.", code="invalid_json")
    try:
        event = json.loads(frame)
    except ValueError:
        raise ClientError("The frame is not valid JSON.", code="invalid_json") from None
    except RecursionError:
        raise ClientError("The JSON is nested too deeply.", code="invalid_json") from None
    if not isinstance(event, dict):
        raise ClientError("Expected a JSON object.", code="invalid_json")
    return event


def _require(event: Json, *names: str) -> None:
    for name in names:
        if name not in event:
            missing(name)
    if "session" in names:
        an_object(event["session"], "session")
    if "item" in names:
        an_object(event["item"], "item")
    if "item_id" in names:
        text(event["item_id"], "item_id")


def _swap_formats(patch: Json) -> None:
    """Misbehaviour: PCM where G.711 was asked for, and the other way round; the echo says so."""
    for side in patch.get("audio", {}).values():
        if "format" in side:
            asked = format_of(side["format"])
            other = AudioFormat.PCMU if asked is AudioFormat.PCM_24K else AudioFormat.PCM_24K
            side["format"] = dict(FORMATS[other])
