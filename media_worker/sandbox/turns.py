"""The caller's side of a session: audio in, turns out, words recognised."""

from __future__ import annotations

import asyncio
from typing import Any, Protocol

from media_worker.sandbox.errors import ClientError
from media_worker.sandbox.hearing import (
    SPARE_MS,
    InputBuffer,
    Listener,
    SpeechStarted,
)
from media_worker.sandbox.ids import new_id
from media_worker.sandbox.items import Item
from media_worker.sandbox.recognition import Heard, Recogniser, RecognitionError, grammar_of
from media_worker.sandbox.settings import SessionSettings
from media_worker.sandbox.usage import caller_audio_tokens, text_tokens

LEAST_COMMIT_MS = 100


class Session(Protocol):
    """What the caller's side needs of the session."""

    settings: SessionSettings
    recogniser: Recogniser

    def emit(self, type_: str, **members: Any) -> None: ...

    def turn_began(self) -> None:
        """The caller speaks: whoever speaks now may be interrupted."""
        ...

    def turn_ended(self) -> None:
        """The caller's turn is an item: time to answer."""
        ...

    def silence_was_too_long(self) -> None: ...

    def add_item(self, item: Item, after: str | None = None) -> str | None: ...

    def item_ends(self, item: Item) -> None: ...


class Turns:
    def __init__(self, session: Session) -> None:
        self._session = session
        self._buffer = InputBuffer(session.settings.input_format)
        self._listener = Listener()
        self._listener.configure(session.settings.turn_detection)
        self._speaking_item = ""
        self._speaking_from_ms = 0.0
        self._committed_ms = 0.0
        self._idle_from_ms: float | None = None
        self._tasks: set[asyncio.Task[Any]] = set()

    @property
    def clock_ms(self) -> float:
        return self._buffer.clock_ms

    def configure(self) -> None:
        """After a change of the session's settings."""
        settings = self._session.settings
        self._buffer.change_format(settings.input_format)
        self._listener.configure(settings.turn_detection)
        if not self._listener.is_speaking:
            self._speaking_item = ""

    def stop(self) -> None:
        for task in self._tasks:
            task.cancel()

    # --- what the client appends -----------------------------------------------------------------

    def append(self, data: bytes) -> None:
        pcm = self._buffer.append(data)
        for event in self._listener.feed(pcm):
            if isinstance(event, SpeechStarted):
                self._start(event.at_ms)
            else:
                self._stop(event.clock_ms)
        detection = self._session.settings.turn_detection
        if detection is not None and not self._speaking_item:
            self._buffer.keep(detection.get("prefix_padding_ms", 300) + SPARE_MS)
            self._watch_idle(detection)

    def clear(self) -> None:
        self._buffer.clear()
        self._speaking_item = ""
        self._session.emit("input_audio_buffer.cleared")

    def commit_by_client(self) -> None:
        length = self._buffer.length_ms
        if length < LEAST_COMMIT_MS:
            raise ClientError(
                "Error committing input audio buffer: buffer too small. Expected at least"
                f" {LEAST_COMMIT_MS}ms of audio, but buffer only has {length:.2f}ms of audio.",
                code="input_audio_buffer_commit_empty",
            )
        item_id = self._speaking_item or new_id("item")
        self._speaking_item = ""
        self._commit(item_id, self.clock_ms - length, self.clock_ms)

    def _start(self, at_ms: float) -> None:
        detection = self._session.settings.turn_detection or {}
        padded = at_ms - detection.get("prefix_padding_ms", 300)
        self._speaking_item = new_id("item")
        self._speaking_from_ms = max(0.0, padded, self._committed_ms)
        self._idle_from_ms = None
        self._session.emit(
            "input_audio_buffer.speech_started",
            item_id=self._speaking_item,
            audio_start_ms=round(self._speaking_from_ms),
        )
        self._session.turn_began()

    def _stop(self, clock_ms: float) -> None:
        if not self._speaking_item:
            return  # the client cleared or committed meanwhile
        item_id, self._speaking_item = self._speaking_item, ""
        self._session.emit(
            "input_audio_buffer.speech_stopped", item_id=item_id, audio_end_ms=round(clock_ms)
        )
        self._commit(item_id, self._speaking_from_ms, clock_ms)
        self._session.turn_ended()

    def _commit(self, item_id: str, start_ms: float, end_ms: float) -> None:
        pcm = self._buffer.take(start_ms, end_ms)
        self._committed_ms = end_ms
        self._add(item_id, pcm)

    def _add(self, item_id: str, pcm: bytes) -> None:
        item = Item(item_id, "message", role="user")
        item.content = [{"type": "input_audio", "transcript": None}]
        item.audio_ms = len(pcm) / 16
        item.hearing = self.recognise(pcm)
        before = self._session.add_item(item)
        self._session.emit("input_audio_buffer.committed", item_id=item_id, previous_item_id=before)
        self._session.emit("conversation.item.added", item=item.wire(), previous_item_id=before)
        self._session.item_ends(item)
        transcription = self._session.settings.transcription
        if transcription is not None:
            self._keep(asyncio.create_task(self._transcribe(item, item.hearing, transcription)))

    # --- words -----------------------------------------------------------------------------------

    def recognise(self, pcm: bytes) -> asyncio.Task[Heard]:
        """PCM16 at 8 kHz to words, in the recogniser's own process."""
        grammar = grammar_of(self._session.settings.values["tools"])
        task = asyncio.create_task(self._session.recogniser.hear(pcm, grammar))
        self._keep(task)
        return task

    async def _transcribe(
        self, item: Item, hearing: asyncio.Task[Heard], transcription: dict[str, Any]
    ) -> None:
        """Deltas word by word, then all of it; English only, which other languages are told."""
        place = {"item_id": item.id, "content_index": 0}
        language = transcription.get("language") or "en"
        prefix = "conversation.item.input_audio_transcription"
        try:
            heard = await asyncio.shield(hearing)
        except RecognitionError as problem:
            error = _failure("server_error", "transcription_failed", str(problem))
            self._session.emit(f"{prefix}.failed", **place, error=error)
            return
        if not heard.sure and not is_english(language):
            message = f"The sandbox recognises English only, not '{language}'."
            error = _failure("transcription_error", "language_not_supported", message)
            self._session.emit(f"{prefix}.failed", **place, error=error)
            return
        transcript = as_sentence(heard.text)
        item.content = [{"type": "input_audio", "transcript": transcript}]
        for number, word in enumerate(transcript.split()):
            delta = word if number == 0 else f" {word}"
            self._session.emit(f"{prefix}.delta", **place, delta=delta)
        audio, text = caller_audio_tokens(item.audio_ms), text_tokens(transcript)
        usage = {
            "type": "tokens",
            "input_tokens": audio,
            "input_token_details": {"audio_tokens": audio, "text_tokens": 0},
            "output_tokens": text,
            "total_tokens": audio + text,
        }
        self._session.emit(f"{prefix}.completed", **place, transcript=transcript, usage=usage)

    def _keep(self, task: asyncio.Task[Any]) -> None:
        self._tasks.add(task)
        task.add_done_callback(self._forget)

    def _forget(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        if not task.cancelled():
            task.exception()  # seen: whoever needed the words was told

    # --- silence ---------------------------------------------------------------------------------

    def wait_for_caller(self, playback_ms: float) -> None:
        """A response is done; after its playback the caller is expected to speak."""
        self._idle_from_ms = self.clock_ms + playback_ms

    def stop_waiting(self) -> None:
        """Somebody speaks: nobody waits for the caller."""
        self._idle_from_ms = None

    def _watch_idle(self, detection: dict[str, Any]) -> None:
        timeout = detection.get("idle_timeout_ms")
        if not timeout or self._idle_from_ms is None:
            return
        if self.clock_ms < self._idle_from_ms + timeout:
            return
        start_ms, self._idle_from_ms = self._idle_from_ms, None
        item_id = new_id("item")
        self._session.emit(
            "input_audio_buffer.timeout_triggered",
            item_id=item_id,
            audio_start_ms=round(start_ms),
            audio_end_ms=round(self.clock_ms),
        )
        self._buffer.clear()
        self._committed_ms = self.clock_ms
        item = Item(item_id, "message", role="user", is_answered=True)
        item.content = [{"type": "input_audio", "transcript": None}]
        before = self._session.add_item(item)
        self._session.emit("input_audio_buffer.committed", item_id=item_id, previous_item_id=before)
        self._session.emit("conversation.item.added", item=item.wire(), previous_item_id=before)
        self._session.item_ends(item)
        self._session.silence_was_too_long()


def is_english(language: str) -> bool:
    return language.replace("_", "-").lower().split("-")[0] == "en"


def as_sentence(text: str) -> str:
    """`i need help` -> I need help."""
    words = ["I" + word[1:] if word == "i" or word.startswith("i'") else word
             for word in text.split()]  # fmt: skip
    sentence = " ".join(words)
    return f"{sentence[:1].upper()}{sentence[1:]}"


def _failure(type_: str, code: str, message: str) -> dict[str, Any]:
    return {"type": type_, "code": code, "message": message, "param": None}
