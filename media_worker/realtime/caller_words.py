"""The caller's words by item, as a transcription brings them: in pieces, anew, or whole."""

from __future__ import annotations

import msgspec

from media_worker.contract import UsageReported
from media_worker.realtime import wire
from media_worker.realtime.complaints import Complaints
from media_worker.realtime.session import CallerText
from media_worker.realtime.usage import transcription_usage

Transcribed = (
    wire.TranscriptionDelta
    | wire.TranscriptionUpdated
    | wire.TranscriptionCompleted
    | wire.TranscriptionFailed
)


class CallerWords:
    """`model` transcribes."""

    def __init__(self, model: str, complaints: Complaints) -> None:
        self._model = model
        self._complaints = complaints
        self._texts: dict[str, str] = {}

    def take(self, event: Transcribed) -> list[CallerText]:
        match event:
            case wire.TranscriptionDelta():
                return self._on_piece(event.item_id, event.delta or "")
            case wire.TranscriptionUpdated():
                self._texts[event.item_id] = event.transcript
                return [CallerText(event.item_id, event.transcript, final=False)]
            case wire.TranscriptionCompleted():
                text = self._texts.pop(event.item_id, "")
                if event.transcript is not None:
                    text = event.transcript
                usage = self._usage(event)
                return [CallerText(event.item_id, text, final=True, usage=usage)]
            case wire.TranscriptionFailed():
                text = self._texts.pop(event.item_id, "")
                return [CallerText(event.item_id, text, final=True, failed=True)]

    def _on_piece(self, item_id: str, piece: str) -> list[CallerText]:
        text = self._texts[item_id] = self._texts.get(item_id, "") + piece
        return [CallerText(item_id, text, final=False)] if piece else []

    def _usage(self, event: wire.TranscriptionCompleted) -> UsageReported | None:
        try:
            return transcription_usage(event.usage, self._model)
        except msgspec.ValidationError:
            self._complaints.ignored["transcription usage"] += 1
            return None
