"""Whose turn it is to answer: the responses of one session, and what the mind is told for each."""

from __future__ import annotations

import asyncio
from typing import Any, Final, Protocol

from media_worker.contract import AudioFormat
from media_worker.sandbox.errors import ClientError, error_detail
from media_worker.sandbox.item_input import item_from
from media_worker.sandbox.items import Conversation, Item
from media_worker.sandbox.mind import Situation, ToolOutput
from media_worker.sandbox.misbehaviour import GARBAGE, Misbehaviour
from media_worker.sandbox.recognition import Heard, RecognitionError
from media_worker.sandbox.records import SessionRecord
from media_worker.sandbox.response import Plan, Response
from media_worker.sandbox.settings import SessionSettings, format_of
from media_worker.sandbox.turns import is_english
from media_worker.sandbox.usage import Meter
from media_worker.sandbox.voice import Voice

RATE_LIMITED: Final = error_detail(
    "Rate limit reached for this model in organization org-sandbox on tokens per min (TPM):"
    " Limit 40000, Used 39950, Requested 4096. Please try again in 6s.",
    type_="tokens",
    code="rate_limit_exceeded",
)

Json = dict[str, Any]


class Host(Protocol):
    """What the dialogue needs of its session."""

    settings: SessionSettings
    conversation: Conversation
    conversation_id: str
    record: SessionRecord
    voice: Voice
    pace: float
    misbehaviour: Misbehaviour
    assistant_text: str

    def emit(self, type_: str, **members: Any) -> None: ...

    def send_raw(self, frame: str | bytes) -> None: ...

    def item_begins(self, item: Item) -> None: ...

    def item_ends(self, item: Item) -> None: ...

    def agent_speaks(self) -> None: ...

    def agent_has_spoken(self, playback_ms: float) -> None:
        """A response is complete; the client will play it for so long."""
        ...


class Request:
    """Why a response is made, and which items it answers."""

    def __init__(self, options: Json | None = None, *, is_idle: bool = False) -> None:
        self.options = options or {}
        self.is_idle = is_idle
        self._answered: list[Item] = []

    @property
    def instructions(self) -> str:
        instructions: str = self.options.get("instructions", "")
        return instructions

    @property
    def in_conversation(self) -> bool:
        return self.options.get("conversation") != "none"

    def answers(self, items: list[Item]) -> None:
        self._answered = items
        for item in items:
            item.is_answered = True

    def forget(self) -> None:
        """The response was interrupted before it said anything: the next one answers these too."""
        for item in self._answered:
            item.is_answered = False


class Dialogue:
    def __init__(self, host: Host) -> None:
        self._host = host
        self._meter = Meter()
        self._active: Response | None = None
        self._aside: set[Response] = set()
        """Responses outside the conversation; any number at once."""
        self._requests: dict[str, Request] = {}
        self.has_spoken = False

    @property
    def is_active(self) -> bool:
        return self._active is not None

    @property
    def _misbehaviour(self) -> Misbehaviour:
        return self._host.misbehaviour

    def stop(self) -> None:
        for response in filter(None, (self._active, *self._aside)):
            response.stop()

    def interrupt(self) -> None:
        """The caller speaks."""
        if self._active is not None:
            self._active.cancel("turn_detected")

    def cancel(self, response_id: str | None) -> None:
        """By the client; None: the active one. Raises ClientError."""
        running = [self._active] if self._active else []
        for response in [*running, *self._aside]:
            if response.id == response_id or (response_id is None and response is self._active):
                response.cancel("client_cancelled")
                return
        raise ClientError(
            "Cancellation failed: no active response found", code="response_cancel_not_active"
        )

    def respond(self, request: Request) -> None:
        """Begin a response. Raises ClientError where the conversation already has one."""
        if self._active is not None and request.in_conversation:
            raise ClientError(
                f"Conversation already has an active response in progress: {self._active.id}."
                " Wait until the response is finished before creating a new one.",
                code="conversation_already_has_active_response",
            )
        self._host.agent_speaks()
        if "silence" in self._misbehaviour:
            return
        if "garbage" in self._misbehaviour:
            for frame in GARBAGE * 3:
                self._host.send_raw(frame)
            return
        conversation_id = self._host.conversation_id if request.in_conversation else None
        response = Response(self, self._plan(request), conversation_id)
        self._requests[response.id] = request
        if request.in_conversation:
            self._active = response
        else:
            self._aside.add(response)
        response.start()

    def _plan(self, request: Request) -> Plan:
        values, options = self._host.settings.values, request.options
        output = values["audio"]["output"] | options.get("audio", {}).get("output", {})
        voice, modalities = output["voice"], options.get("output_modalities")
        spoken = format_of(output["format"])
        return Plan(
            modalities=["text"]
            if "text_only" in self._misbehaviour
            else modalities or values["output_modalities"],
            format=output["format"],
            voice=voice["id"] if isinstance(voice, dict) else voice,
            speed=output["speed"],
            spoken_format=AudioFormat.PCM_24K if "wrong_audio" in self._misbehaviour else spoken,
            max_output_tokens=options.get("max_output_tokens", values["max_output_tokens"]),
            in_conversation=request.in_conversation,
            metadata=options.get("metadata"),
            starts_after_seconds=self._misbehaviour.seconds("slow"),
            failure=RATE_LIMITED if "rate_limit" in self._misbehaviour else None,
        )

    # --- what a response needs -------------------------------------------------------------------

    @property
    def voice(self) -> Voice:
        return self._host.voice

    @property
    def pace(self) -> float:
        return self._host.pace

    def emit(self, type_: str, **members: Any) -> None:
        self._host.emit(type_, **members)

    def item_begins(self, item: Item) -> None:
        self._host.item_begins(item)

    def item_ends(self, item: Item) -> None:
        self._host.item_ends(item)

    def response_ended(self, response: Response) -> None:
        request = self._requests.pop(response.id)
        self._host.record.sent_audio_ms += response.audio_ms
        self.has_spoken = self.has_spoken or response.audio_ms > 0
        if response.status == "cancelled" and not response.output:
            request.forget()
        self._aside.discard(response)
        if response is self._active:
            self._active = None
            if response.status == "completed":
                self._host.agent_has_spoken(response.audio_ms)

    async def situation(self, response: Response) -> tuple[Situation, Json]:
        """What the mind is to know, and the input side of the usage; waits for the recogniser."""
        request, values = self._requests[response.id], self._host.settings.values
        items = self._context(request)
        words = await self._words(items)
        tools = request.options.get("tools", values["tools"])
        usage = self._meter.read(values["instructions"] + request.instructions, tools, items)
        callers = [item for item in items if item.role == "user"]
        fresh = [item for item in callers if not item.is_answered]
        outputs = [
            item for item in items if item.kind == "function_call_output" and not item.is_answered
        ]
        request.answers(fresh + outputs)
        ours = [item.text for item in items if item.role == "assistant" and item.text]
        situation = Situation(
            instructions=values["instructions"],
            request=request.instructions,
            tools=tools,
            tool_choice=request.options.get("tool_choice", values["tool_choice"]),
            said=[words[item.id].text for item in fresh],
            said_before=[words[item.id].text for item in callers if item not in fresh],
            our_last_words=ours[-1] if ours else "",
            outputs=[self._tool_output(item) for item in outputs],
            is_idle=request.is_idle,
            unknown_language=self._unknown_language([words[item.id] for item in fresh]),
        )
        return situation, usage

    def _context(self, request: Request) -> list[Item]:
        """Items that the response is about: the conversation, or those that it was given."""
        if "input" not in request.options:
            return [item for item in self._host.conversation.items if item.status != "in_progress"]
        items: list[Item] = []
        for given in request.options["input"]:
            if given.get("type") == "item_reference":
                found = self._host.conversation.find(str(given.get("id")))
                items += [found] if found else []
            else:
                items.append(item_from(given, self._host.assistant_text, None)[0])
        return items

    async def _words(self, items: list[Item]) -> dict[str, Heard]:
        words: dict[str, Heard] = {}
        for item in items:
            if item.hearing is None:
                words[item.id] = Heard(item.text, sure=True)
                continue
            try:
                # the response may be cancelled; the words are for the transcript too
                words[item.id] = await asyncio.shield(item.hearing)
            except RecognitionError:
                words[item.id] = Heard("", sure=True)
        return words

    def _tool_output(self, item: Item) -> ToolOutput:
        call = self._host.conversation.called(item.call_id)
        if call is None:
            return ToolOutput("", "", item.output)
        return ToolOutput(call.name, call.arguments, item.output)

    def _unknown_language(self, heard: list[Heard]) -> str:
        language: str = (self._host.settings.transcription or {}).get("language") or "en"
        is_foreign = not is_english(language) and bool(heard) and not heard[-1].sure
        return language if is_foreign else ""
