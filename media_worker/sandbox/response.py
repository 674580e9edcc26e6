"""One response: from response.created to response.done, faster than real time."""

from __future__ import annotations

import asyncio
import base64
import json
import logging
from dataclasses import dataclass, field
from typing import Any, Protocol

from media_worker.contract import AudioFormat
from media_worker.sandbox.ids import new_id
from media_worker.sandbox.items import Item
from media_worker.sandbox.mind import Call, Situation, Thought, think
from media_worker.sandbox.usage import agent_audio_tokens, text_tokens, with_output
from media_worker.sandbox.voice import Chunk, Voice
from media_worker.speech import SpeechError

log = logging.getLogger(__name__)

Json = dict[str, Any]


@dataclass(frozen=True)
class Plan:
    """Everything that is fixed when a response begins."""

    modalities: list[str]
    format: Json
    voice: str
    speed: float
    spoken_format: AudioFormat
    """What the bytes really are; differs from `format` only by order."""
    max_output_tokens: int | str
    in_conversation: bool = True
    metadata: Json | None = None
    starts_after_seconds: float = 0.0
    failure: Json | None = None
    """The response fails with this error, by order."""


class Session(Protocol):
    """What a response needs of its session."""

    @property
    def voice(self) -> Voice: ...

    @property
    def pace(self) -> float:
        """So many times faster than real time."""
        ...

    def emit(self, type_: str, **members: Any) -> None: ...

    async def situation(self, response: Response) -> tuple[Situation, Json]:
        """What the mind is to know, and the input side of the usage."""
        ...

    def item_begins(self, item: Item) -> None: ...

    def item_ends(self, item: Item) -> None: ...

    def response_ended(self, response: Response) -> None: ...


@dataclass
class _Message:
    """The message that is being spoken or written."""

    item: Item
    index: int
    is_audio: bool
    words: list[str] = field(default_factory=list)

    @property
    def text(self) -> str:
        return "".join(self.words)


class Response:
    def __init__(self, session: Session, plan: Plan, conversation_id: str | None) -> None:
        self.id = new_id("resp")
        self.plan = plan
        self.output: list[Item] = []
        self.status = "in_progress"
        self.audio_ms = 0.0
        self._session = session
        self._conversation_id = conversation_id
        self._status_details: Json | None = None
        self._usage: Json | None = None
        self._input_usage: Json | None = None
        self._text_tokens = 0
        self._message: _Message | None = None
        self._task: asyncio.Task[None] | None = None

    @property
    def is_over(self) -> bool:
        return self.status != "in_progress"

    def start(self) -> None:
        self._session.emit("response.created", response=self._wire())
        limits = [
            {"name": "tokens", "limit": 40_000, "remaining": 39_000, "reset_seconds": 0.5},
        ]
        self._session.emit("rate_limits.updated", rate_limits=limits)
        self._task = asyncio.create_task(self._run(), name=f"response {self.id}")

    def cancel(self, reason: str) -> None:
        """`turn_detected` or `client_cancelled`."""
        if not self.is_over:
            self._finish("cancelled", {"type": "cancelled", "reason": reason})

    def stop(self) -> None:
        """The session is over: end without a word."""
        self.status = "cancelled" if self.status == "in_progress" else self.status
        if self._task is not None:
            self._task.cancel()

    async def _run(self) -> None:
        try:
            await self._make()
        except SpeechError as problem:
            self._fail("invalid_request_error", "unsupported_language", str(problem))
        except Exception:
            log.exception("a response failed")
            self._fail("server_error", "server_error", "The server had an error. Sorry about that!")

    async def _make(self) -> None:
        if self.plan.failure is not None:
            error = self.plan.failure
            self._fail(error["type"], error["code"], error["message"])
            return
        if self.plan.starts_after_seconds:
            await asyncio.sleep(self.plan.starts_after_seconds)
        situation, self._input_usage = await self._session.situation(self)
        thought = think(situation)
        if thought.words and not await self._say(thought):
            return
        for call in thought.calls:
            self._call(call)
        self._finish("completed", None)

    # --- a message -------------------------------------------------------------------------------

    async def _say(self, thought: Thought) -> bool:
        """False when the token limit ended the response."""
        is_audio = "audio" in self.plan.modalities
        item = Item(new_id("item"), "message", role="assistant", status="in_progress")
        self._message = message = _Message(item, len(self.output), is_audio)
        self._begin(item)
        self._part(message, "response.content_part.added", self._part_body(""))
        if not is_audio:
            return self._write(message, thought.words)
        async for chunk in self._session.voice.speak(
            thought.words, thought.language, self.plan.speed, self.plan.spoken_format
        ):
            self._send(message, chunk)
            if self._is_too_long():
                return False
            await asyncio.sleep(chunk.milliseconds / 1000 / self._session.pace)
        self._end_message("completed")
        return True

    def _write(self, message: _Message, words: str) -> bool:
        for number, word in enumerate(words.split()):
            delta = word if number == 0 else f" {word}"
            message.words.append(delta)
            self._text_tokens = text_tokens(message.text)
            self._part(message, "response.output_text.delta", {"delta": delta})
            if self._is_too_long():
                return False
        self._end_message("completed")
        return True

    def _send(self, message: _Message, chunk: Chunk) -> None:
        for word in chunk.words:
            message.words.append(word)
            self._part(message, "response.output_audio_transcript.delta", {"delta": word})
        message.item.audio_ms += chunk.milliseconds
        self.audio_ms += chunk.milliseconds
        self._text_tokens = text_tokens(message.text)
        audio = base64.b64encode(chunk.audio).decode()
        self._part(message, "response.output_audio.delta", {"delta": audio})

    def _is_too_long(self) -> bool:
        """The limit is in tokens of text and audio; what is over it is not said."""
        limit = self.plan.max_output_tokens
        if isinstance(limit, str):
            return False
        if self._text_tokens + agent_audio_tokens(self.audio_ms) < limit:
            return False
        details = {"type": "incomplete", "reason": "max_output_tokens"}
        self._finish("incomplete", details)
        return True

    def _end_message(self, status: str) -> None:
        message, self._message = self._message, None
        if message is None:
            return
        item = message.item
        kind = "output_audio" if message.is_audio else "output_text"
        content_key = "transcript" if message.is_audio else "text"
        item.content = [{"type": kind, content_key: message.text}]
        place = self._place(message)
        if message.is_audio:
            self._session.emit("response.output_audio.done", **place)
            self._session.emit(
                "response.output_audio_transcript.done", **place, transcript=message.text
            )
        else:
            self._session.emit("response.output_text.done", **place, text=message.text)
        part = {"type": "audio" if message.is_audio else "text", content_key: message.text}
        self._session.emit("response.content_part.done", **place, part=part)
        self._end(item, status)

    def _place(self, message: _Message) -> Json:
        return {
            "response_id": self.id,
            "item_id": message.item.id,
            "output_index": message.index,
            "content_index": 0,
        }

    def _part(self, message: _Message, type_: str, members: Json) -> None:
        self._session.emit(type_, **self._place(message), **members)

    def _part_body(self, words: str) -> Json:
        if "audio" in self.plan.modalities:
            return {"part": {"type": "audio", "transcript": words}}
        return {"part": {"type": "text", "text": words}}

    # --- a function call -------------------------------------------------------------------------

    def _call(self, call: Call) -> None:
        item = Item(
            new_id("item"),
            "function_call",
            status="in_progress",
            call_id=new_id("call"),
            name=call.name,
        )
        place = {"response_id": self.id, "item_id": item.id, "output_index": len(self.output)}
        self._begin(item)
        item.arguments = json.dumps(call.arguments)
        half = len(item.arguments) // 2
        for delta in (item.arguments[:half], item.arguments[half:]):
            self._session.emit(
                "response.function_call_arguments.delta",
                **place,
                call_id=item.call_id,
                delta=delta,
            )
        self._session.emit(
            "response.function_call_arguments.done",
            **place,
            call_id=item.call_id,
            name=item.name,
            arguments=item.arguments,
        )
        self._text_tokens += text_tokens(item.name + item.arguments)
        self._end(item, "completed")

    # --- items and the end -----------------------------------------------------------------------

    def _begin(self, item: Item) -> None:
        self.output.append(item)
        self._session.emit(
            "response.output_item.added",
            response_id=self.id,
            output_index=len(self.output) - 1,
            item=item.wire(),
        )
        if self.plan.in_conversation:
            self._session.item_begins(item)

    def _end(self, item: Item, status: str) -> None:
        item.status = status
        self._session.emit(
            "response.output_item.done",
            response_id=self.id,
            output_index=self.output.index(item),
            item=item.wire(),
        )
        if self.plan.in_conversation:
            self._session.item_ends(item)

    def _fail(self, type_: str, code: str, message: str) -> None:
        error = {"type": type_, "code": code, "message": message}
        self._finish("failed", {"type": "failed", "error": error})

    def _finish(self, status: str, details: Json | None) -> None:
        self._end_message("completed" if status == "completed" else "incomplete")
        self.status, self._status_details = status, details
        if self._input_usage is not None:
            self._usage = with_output(
                self._input_usage, self._text_tokens, agent_audio_tokens(self.audio_ms)
            )
        self._session.emit("response.done", response=self._wire())
        if self._task is not None and self._task is not asyncio.current_task():
            self._task.cancel()
        self._session.response_ended(self)

    def _wire(self) -> Json:
        output = {"format": self.plan.format, "voice": self.plan.voice}
        return {
            "object": "realtime.response",
            "id": self.id,
            "status": self.status,
            "status_details": self._status_details,
            "output": [item.wire() for item in self.output],
            "conversation_id": self._conversation_id,
            "output_modalities": self.plan.modalities,
            "max_output_tokens": self.plan.max_output_tokens,
            "audio": {"output": output},
            "usage": self._usage,
            "metadata": self.plan.metadata,
        }
