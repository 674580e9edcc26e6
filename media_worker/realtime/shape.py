"""What we send, as far as all dialects agree; each dialect adds the shape of its session.

Payloads are checked in the tests against the types of the `openai` package, extra keys forbidden.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, ClassVar, Final

from media_worker.contract import AudioFormat, Greeting, Settings, ToolSet, VadMode
from media_worker.realtime import tools as functions

ClientEvent = dict[str, Any]

APPEND_HEAD: Final = b'{"type":"input_audio_buffer.append","audio":"'
APPEND_TAIL: Final = b'"}'


class Shape(ABC):
    """The sender's side of a dialect, for one call's settings. Pure: no I/O, no state."""

    formats: ClassVar[tuple[AudioFormat, ...]]
    headers: ClassVar[dict[str, str]] = {}
    assistant_text: ClassVar[str]
    """Content type of the agent's words where there is no sound with them."""

    def __init__(
        self, settings: Settings, tools: ToolSet, *, language: str, is_text: bool = False
    ) -> None:
        self.is_text = is_text
        """The session takes text and gives text."""
        self.settings = settings
        self.tools = functions.definitions(tools)
        self.language = language

    @property
    def input_format(self) -> AudioFormat:
        """What we ask for towards the provider."""
        return self.settings.audio_format

    @property
    def output_format(self) -> AudioFormat:
        """What we ask for from the provider."""
        return self.settings.audio_format

    @abstractmethod
    def session(self, *, guarded: bool) -> dict[str, Any]:
        """The session object of the first update: all that is set."""

    @abstractmethod
    def turn_taking(self, *, guarded: bool) -> dict[str, Any]:
        """A session object that changes the whole turn detection and nothing else."""

    def session_update(self, session: dict[str, Any], event_id: str) -> ClientEvent:
        return {"type": "session.update", "event_id": event_id, "session": session}

    def turn_detection(self, *, guarded: bool) -> dict[str, Any] | None:
        """The provider's VAD; None: our own ends the turns.

        Guarded it listens and reports, but neither answers nor stops the agent.
        """
        settings = self.settings
        if settings.vad_mode is VadMode.LOCAL:
            return None
        flags = {
            "create_response": not guarded,
            "interrupt_response": settings.interrupt and not guarded,
        }
        if settings.vad_mode is VadMode.SEMANTIC:
            return {"type": "semantic_vad", "eagerness": settings.eagerness.value, **flags}
        return {
            "type": "server_vad",
            "threshold": settings.vad_threshold,
            "prefix_padding_ms": settings.prefix_padding_ms,
            "silence_duration_ms": settings.silence_duration_ms,
            **flags,
        }

    def transcription(self) -> dict[str, str]:
        """Empty: off. Off is sent by leaving it out, which the types of the API ask for."""
        settings = self.settings
        if not settings.transcription_model:
            return {}
        transcription = {"model": settings.transcription_model}
        if settings.transcription_language:
            transcription["language"] = settings.transcription_language
        return transcription

    def max_output_tokens(self) -> int | str:
        limit = self.settings.max_output_tokens
        return "inf" if limit is None else limit

    def response_create(self, response: dict[str, Any] | None, event_id: str) -> ClientEvent:
        event: ClientEvent = {"type": "response.create", "event_id": event_id}
        if response is not None:
            event["response"] = response
        return event

    def spoken(self, greeting: Greeting) -> dict[str, Any]:
        """A response that speaks exactly these words."""
        language = greeting.language or self.language
        instructions = (
            f'Say exactly this to the caller, in the language "{language}",'
            f" and nothing else: <<<{greeting.text}>>>"
        )
        return {"instructions": instructions, "tool_choice": "none"}

    def item_said(self, text: str, item_id: str, after: str | None) -> ClientEvent:
        """The agent's own words, as text: speech of the agent cannot be given (REALTIME.md 1.3)."""
        event: ClientEvent = {
            "type": "conversation.item.create",
            "item": {
                "id": item_id,
                "type": "message",
                "role": "assistant",
                "content": [{"type": self.assistant_text, "text": text}],
            },
        }
        if after is not None:
            event["previous_item_id"] = after
        return event

    def item_written(self, text: str) -> ClientEvent:
        """What a person wrote. Without an id: what the web side calls it is too long for some."""
        content = [{"type": "input_text", "text": text}]
        item = {"type": "message", "role": "user", "content": content}
        return {"type": "conversation.item.create", "item": item}

    def response_cancel(self, response_id: str | None, event_id: str) -> ClientEvent:
        event: ClientEvent = {"type": "response.cancel", "event_id": event_id}
        if response_id:
            event["response_id"] = response_id
        return event

    def item_truncate(self, item_id: str, milliseconds: int, event_id: str) -> ClientEvent:
        return {
            "type": "conversation.item.truncate",
            "event_id": event_id,
            "item_id": item_id,
            "content_index": 0,
            "audio_end_ms": milliseconds,
        }

    def item_delete(self, item_id: str, event_id: str) -> ClientEvent:
        return {"type": "conversation.item.delete", "event_id": event_id, "item_id": item_id}

    def tool_output(self, tool_call_id: str, output: str) -> ClientEvent:
        return {
            "type": "conversation.item.create",
            "item": {"type": "function_call_output", "call_id": tool_call_id, "output": output},
        }

    def buffer_commit(self, event_id: str) -> ClientEvent:
        return {"type": "input_audio_buffer.commit", "event_id": event_id}
