"""One connection: the client's events in, the protocol's events out (REALTIME.md section 1)."""

from __future__ import annotations

import asyncio
import base64
import binascii
import json
import time
from collections.abc import Callable
from typing import Any, Final

from media_worker.contract import AudioFormat
from media_worker.sandbox.checks import an_object, integer, missing, one_of, text
from media_worker.sandbox.dialects import Dialect
from media_worker.sandbox.errors import ClientError, error_detail
from media_worker.sandbox.ids import new_id
from media_worker.sandbox.item_input import item_from
from media_worker.sandbox.items import Conversation, Item
from media_worker.sandbox.mind import Situation, ToolOutput
from media_worker.sandbox.misbehaviour import GARBAGE, Misbehaviour
from media_worker.sandbox.recognition import Heard, Recogniser, RecognitionError
from media_worker.sandbox.records import SessionRecord
from media_worker.sandbox.response import Plan, Response
from media_worker.sandbox.settings import FORMATS, SessionSettings, format_of
from media_worker.sandbox.turns import Turns, is_english
from media_worker.sandbox.usage import Meter
from media_worker.sandbox.voice import Voice

MAX_APPEND_BYTES: Final = 15 * 1024 * 1024
SESSION_SECONDS: Final = 3600
_FAILURES: Final = {
    "rate_limit": error_detail(
        "Rate limit reached for this model in organization org-sandbox on tokens per min (TPM):"
        " Limit 40000, Used 39950, Requested 4096. Please try again in 6s.",
        type_="tokens",
        code="rate_limit_exceeded",
    ),
}

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
        self._dialect = dialect
        self._misbehaviour = misbehaviour
        self._send = send
        self._conversation = Conversation()
        self._conversation_id = new_id("conv")
        self._expires_at = int(time.time()) + SESSION_SECONDS
        self._turns = Turns(self)
        self._meter = Meter()
        self._active: Response | None = None
        self._aside: set[Response] = set()
        """Responses outside the conversation; any number at once."""
        self._requests: dict[str, _Request] = {}
        self._has_spoken = False
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
        if "unknown_events" in self._misbehaviour:
            self._send(json.dumps({"type": "session.mood.changed", "mood": {"is": "splendid"}}))
            self._send(json.dumps({"type": "ping", "event_id": new_id("event"), "nonce": 7}))

    def end(self) -> None:
        for response in filter(None, (self._active, *self._aside)):
            response.stop()
        self._turns.stop()
        self.record.ended_at = time.time()

    def receive(self, frame: str | bytes) -> None:
        """One frame of the client; what is wrong with it becomes an `error` event."""
        event_id: str | None = None
        try:
            event = _parsed(frame)
            self.record.received(event)
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
            if "unknown_events" in self._misbehaviour and type_ == "response.created":
                self._send(json.dumps({"type": "response.thought.delta", "delta": "hm"}))
                wire = wire | {"novelty": {"of": "tomorrow"}}
            self._send(json.dumps(wire))

    def fail(self, code: str, message: str, *, type_: str = "invalid_request_error") -> None:
        self.emit("error", error=error_detail(message, code=code, type_=type_))

    def _session_body(self, settings: SessionSettings | None = None) -> Json:
        return self._dialect.session(self.id, self._expires_at, settings or self.settings)

    # --- the session's settings ------------------------------------------------------------------

    def _update(self, event: Json) -> None:
        _require(event, "session")
        if "reject_update" in self._misbehaviour:
            raise ClientError(
                "Invalid value: this sandbox was told to refuse every session.update.",
                code="invalid_value",
                param="session",
            )
        patch = self._dialect.session_patch(event["session"])
        if "wrong_echo" in self._misbehaviour:
            _swap_formats(patch)
        self.settings.merge(patch, voice_is_fixed=self._has_spoken)
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
        detection = self.settings.turn_detection or {}
        self._turns.stop_waiting()
        if self._active is not None and detection.get("interrupt_response"):
            self._active.cancel("turn_detected")

    def turn_ended(self) -> None:
        detection = self.settings.turn_detection or {}
        if not detection.get("create_response"):
            return
        if self._active is not None:
            self.emit("error", error=self._busy(self._active).detail(None))
            return
        self._respond({}, _Request())

    def silence_was_too_long(self) -> None:
        if self._active is None:
            self._respond({}, _Request(is_idle=True))

    # --- items -----------------------------------------------------------------------------------

    def _create_item(self, event: Json) -> None:
        _require(event, "item")
        after = event.get("previous_item_id")
        item, pcm = item_from(
            event["item"], self._dialect.assistant_text, self.settings.input_format
        )
        if item.kind == "function_call_output" and self._conversation.called(item.call_id) is None:
            raise ClientError(
                f"Tool call ID '{item.call_id}' not found in conversation.",
                code="invalid_tool_call_id",
                param="item.call_id",
            )
        before = self._conversation.add(item, after)
        if pcm:
            item.hearing = self._turns.recognise(pcm)
        self.emit("conversation.item.added", item=item.wire(), previous_item_id=before)
        self.item_ends(item)

    def _retrieve_item(self, event: Json) -> None:
        _require(event, "item_id")
        item = self._conversation.find(event["item_id"])
        if item is None:
            raise ClientError(
                f"Error retrieving item: the item with id '{event['item_id']}' does not exist.",
                code="item_retrieve_invalid_item_id",
                param="item_id",
            )
        self.emit("conversation.item.retrieved", item=item.wire())

    def _delete_item(self, event: Json) -> None:
        _require(event, "item_id")
        self._conversation.delete(event["item_id"])
        self.emit("conversation.item.deleted", item_id=event["item_id"])

    def _truncate_item(self, event: Json) -> None:
        _require(event, "item_id", "content_index", "audio_end_ms")
        integer(0, 2**31)(event["audio_end_ms"], "audio_end_ms")
        integer(0, 2**31)(event["content_index"], "content_index")
        place = {name: event[name] for name in ("item_id", "content_index", "audio_end_ms")}
        self._conversation.truncate(**place)
        self.emit("conversation.item.truncated", **place)

    def add_item(self, item: Item, after: str | None = None) -> str | None:
        return self._conversation.add(item, after)

    def item_begins(self, item: Item) -> None:
        before = self._conversation.add(item)
        self.emit("conversation.item.added", item=item.wire(), previous_item_id=before)

    def item_ends(self, item: Item) -> None:
        if self._conversation.find(item.id) is not None:
            before = self._conversation.before(item)
            self.emit("conversation.item.done", item=item.wire(), previous_item_id=before)

    # --- responses -------------------------------------------------------------------------------

    def _create_response(self, event: Json) -> None:
        given = event.get("response")
        options = self._dialect.response_options(given) if given is not None else {}
        if self._active is not None and options.get("conversation") != "none":
            raise self._busy(self._active)
        self._respond(options, _Request(options))

    def _cancel_response(self, event: Json) -> None:
        wanted = event.get("response_id")
        running = [self._active] if self._active else []
        for response in [*running, *self._aside]:
            if response.id == wanted or (wanted is None and response is self._active):
                response.cancel("client_cancelled")
                return
        raise ClientError(
            "Cancellation failed: no active response found", code="response_cancel_not_active"
        )

    def _busy(self, active: Response) -> ClientError:
        return ClientError(
            f"Conversation already has an active response in progress: {active.id}. Wait"
            " until the response is finished before creating a new one.",
            code="conversation_already_has_active_response",
        )

    def _respond(self, options: Json, request: _Request) -> None:
        self._turns.stop_waiting()
        if "silence" in self._misbehaviour:
            return
        if "garbage" in self._misbehaviour:
            for frame in GARBAGE * 3:
                self._send(frame)
            return
        in_conversation = options.get("conversation") != "none"
        conversation_id = self._conversation_id if in_conversation else None
        response = Response(self, self._plan(options), conversation_id)
        self._requests[response.id] = request
        if in_conversation:
            self._active = response
        else:
            self._aside.add(response)
        response.start()

    def _plan(self, options: Json) -> Plan:
        values, output = self.settings.values, options.get("audio", {}).get("output", {})
        fmt = output.get("format", values["audio"]["output"]["format"])
        voice = output.get("voice", values["audio"]["output"]["voice"])
        modalities = options.get("output_modalities", values["output_modalities"])
        spoken = format_of(fmt)
        if "wrong_audio" in self._misbehaviour:
            spoken = AudioFormat.PCM_24K
        failures = [body for name, body in _FAILURES.items() if name in self._misbehaviour]
        return Plan(
            modalities=["text"] if "text_only" in self._misbehaviour else modalities,
            format=fmt,
            voice=voice["id"] if isinstance(voice, dict) else voice,
            speed=values["audio"]["output"]["speed"],
            spoken_format=spoken,
            max_output_tokens=options.get("max_output_tokens", values["max_output_tokens"]),
            in_conversation=options.get("conversation") != "none",
            metadata=options.get("metadata"),
            starts_after_seconds=self._misbehaviour.seconds("slow"),
            failure=failures[0] if failures else None,
        )

    def response_ended(self, response: Response) -> None:
        request = self._requests.pop(response.id)
        self.record.sent_audio_ms += response.audio_ms
        self._has_spoken = self._has_spoken or response.audio_ms > 0
        if response.status == "cancelled" and not response.output:
            request.forget()
        if response is self._active:
            self._active = None
            if response.status == "completed":
                self._turns.wait_for_caller(response.audio_ms)
        self._aside.discard(response)

    async def situation(self, response: Response) -> tuple[Situation, Json]:
        request = self._requests[response.id]
        items = self._context(request)
        words = await self._words(items)
        values = self.settings.values
        tools = request.options.get("tools", values["tools"])
        input_usage = self._meter.read(values["instructions"] + request.instructions, tools, items)
        fresh = [item for item in items if not item.is_answered and item.role == "user"]
        before = [item for item in items if item.is_answered and item.role == "user"]
        outputs = [
            item for item in items if not item.is_answered and item.kind == "function_call_output"
        ]
        request.answers(fresh + outputs)
        spoken = [item.text for item in items if item.role == "assistant" and item.text]
        return Situation(
            instructions=values["instructions"],
            request=request.instructions,
            tools=tools,
            tool_choice=request.options.get("tool_choice", values["tool_choice"]),
            said=[words[item.id].text for item in fresh],
            said_before=[words[item.id].text for item in before],
            our_last_words=spoken[-1] if spoken else "",
            outputs=[self._tool_output(item) for item in outputs],
            is_idle=request.is_idle,
            unknown_language=self._unknown_language([words[item.id] for item in fresh]),
        ), input_usage

    def _context(self, request: _Request) -> list[Item]:
        """Items that the response is about: the conversation, or those that it was given."""
        if "input" not in request.options:
            return [item for item in self._conversation.items if item.status != "in_progress"]
        items = []
        for given in request.options["input"]:
            if given.get("type") == "item_reference":
                found = self._conversation.find(str(given.get("id")))
                items += [found] if found else []
            else:
                items.append(item_from(given, self._dialect.assistant_text, None)[0])
        return items

    async def _words(self, items: list[Item]) -> dict[str, Heard]:
        """What each item of the caller says; waits for the recogniser."""
        words: dict[str, Heard] = {}
        for item in items:
            if item.hearing is None:
                words[item.id] = Heard(item.text, sure=True)
                continue
            try:
                words[item.id] = await asyncio.shield(item.hearing)
            except RecognitionError:
                words[item.id] = Heard("", sure=True)
        return words

    def _tool_output(self, item: Item) -> ToolOutput:
        call = self._conversation.called(item.call_id)
        if call is None:
            return ToolOutput("", "", item.output)
        return ToolOutput(call.name, call.arguments, item.output)

    def _unknown_language(self, heard: list[Heard]) -> str:
        language: str = (self.settings.transcription or {}).get("language") or "en"
        is_foreign = not is_english(language) and bool(heard) and not heard[-1].sure
        return language if is_foreign else ""


class _Request:
    """Why a response is made, and which items it answers."""

    def __init__(self, options: Json | None = None, *, is_idle: bool = False) -> None:
        self.options = options or {}
        self.is_idle = is_idle
        self._answered: list[Item] = []

    @property
    def instructions(self) -> str:
        instructions: str = self.options.get("instructions", "")
        return instructions

    def answers(self, items: list[Item]) -> None:
        self._answered = items
        for item in items:
            item.is_answered = True

    def forget(self) -> None:
        """The response was interrupted before it said anything: the next one answers these too."""
        for item in self._answered:
            item.is_answered = False


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
