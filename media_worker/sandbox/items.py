"""The conversation: items in order, as the client sees them and as the mind does."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import Any

from media_worker.sandbox.errors import ClientError
from media_worker.sandbox.recognition import Heard


@dataclass
class Item:
    id: str
    kind: str
    """`message`, `function_call` or `function_call_output`."""
    role: str = ""
    status: str = "completed"
    content: list[dict[str, Any]] = field(default_factory=list)
    """Content parts in the GA shape, without audio."""
    audio_ms: float = 0.0
    """Length of the audio of this item, the caller's or ours."""
    hearing: asyncio.Task[Heard] | None = None
    """Recognition of the caller's audio, done or on its way."""
    call_id: str = ""
    name: str = ""
    arguments: str = ""
    output: str = ""
    is_answered: bool = False
    """A response has taken this item into account."""

    @property
    def text(self) -> str:
        """All words of the message; of audio that was cut by the client, none."""
        words = (part.get("text") or part.get("transcript") or "" for part in self.content)
        return " ".join(word for word in words if word)

    def wire(self) -> dict[str, Any]:
        body: dict[str, Any] = {
            "id": self.id,
            "object": "realtime.item",
            "type": self.kind,
            "status": self.status,
        }
        if self.kind == "message":
            body |= {"role": self.role, "content": [dict(part) for part in self.content]}
        elif self.kind == "function_call":
            body |= {"call_id": self.call_id, "name": self.name, "arguments": self.arguments}
        else:
            body |= {"call_id": self.call_id, "output": self.output}
        return body


class Conversation:
    """Items in order; ids are unique."""

    def __init__(self) -> None:
        self.items: list[Item] = []

    def add(self, item: Item, after: str | None = None) -> str | None:
        """Put behind the item `after` ("root": first; None: last). Returns the id before it."""
        if any(other.id == item.id for other in self.items):
            raise ClientError(
                f"Error adding item: an item with id '{item.id}' already exists in conversation.",
                code="item_create_duplicate_item_id",
                param="item.id",
            )
        place = self._place_behind(after)
        self.items.insert(place, item)
        return self.items[place - 1].id if place else None

    def find(self, item_id: str) -> Item | None:
        return next((item for item in self.items if item.id == item_id), None)

    def before(self, item: Item) -> str | None:
        place = self.items.index(item)
        return self.items[place - 1].id if place else None

    def delete(self, item_id: str) -> None:
        item = self.find(item_id)
        if item is None:
            raise ClientError(
                f"Error deleting item: the item with id '{item_id}' does not exist.",
                code="item_delete_invalid_item_id",
                param="item_id",
            )
        self.items.remove(item)

    def truncate(self, item_id: str, content_index: int, audio_end_ms: int) -> None:
        """Cut our own audio to what was heard; its transcript goes, as in the real API."""
        item = self.find(item_id)
        if item is None:
            raise ClientError(
                f"Error truncating item: the item with id '{item_id}' does not exist.",
                code="item_truncate_invalid_item_id",
                param="item_id",
            )
        part = item.content[content_index] if content_index < len(item.content) else {}
        is_audio = part.get("type") == "output_audio" or item.status == "in_progress"
        if item.role != "assistant" or not is_audio:
            raise ClientError(
                "Only model output audio messages can be truncated.",
                code="invalid_value",
                param="item_id",
            )
        if audio_end_ms > item.audio_ms:
            raise ClientError(
                f"Audio content of {item.audio_ms:.0f}ms is already shorter than {audio_end_ms}ms",
                code="invalid_value",
                param="audio_end_ms",
            )
        item.audio_ms = audio_end_ms
        part["transcript"] = ""

    def answered_before(self, answer: Item) -> None:
        for item in self.items[: self.items.index(answer)]:
            item.is_answered = True

    def called(self, call_id: str) -> Item | None:
        """The function call that an output answers."""
        return next(
            (i for i in self.items if i.kind == "function_call" and i.call_id == call_id), None
        )

    def _place_behind(self, after: str | None) -> int:
        if after is None:
            return len(self.items)
        if after == "root":
            return 0
        for place, item in enumerate(self.items):
            if item.id == after:
                return place + 1
        raise ClientError(
            f"Error adding item: the previous item with id '{after}' does not exist.",
            code="item_create_invalid_previous_item_id",
            param="previous_item_id",
        )
