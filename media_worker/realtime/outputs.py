"""What each response has brought, and its end with all of it."""

from __future__ import annotations

from typing import Final, Literal

import msgspec

from media_worker.realtime import failures, wire
from media_worker.realtime.complaints import Complaints
from media_worker.realtime.session import ResponseFinished
from media_worker.realtime.usage import usage_reported

Status = Literal["completed", "cancelled", "failed", "incomplete"]
_STATUSES: Final[dict[str | None, Status]] = {
    "completed": "completed",
    "cancelled": "cancelled",
    "failed": "failed",
    "incomplete": "incomplete",
}


def status_of(response: wire.ResponseBody) -> Status:
    """What a server leaves out, or makes up, counts as done."""
    return _STATUSES.get(response.status, "completed")


class Output(msgspec.Struct):
    """What a response has brought so far."""

    items: list[str] = []
    audio: bool = False
    tool_calls: bool = False
    text: bool = False
    """Text that nobody hears, and nobody was told of it."""


class Outputs:
    def __init__(self, complaints: Complaints) -> None:
        self._complaints = complaints
        self._by_response: dict[str, Output] = {}

    def of(self, response_id: str) -> Output:
        return self._by_response.setdefault(response_id, Output())

    def finished(self, response: wire.ResponseBody, model: str) -> ResponseFinished:
        """Its end; the response is forgotten. `model` made it."""
        response_id = response.id or ""
        output = self._by_response.pop(response_id, Output())
        details = response.status_details or wire.StatusDetails()
        try:
            usage = usage_reported(response.usage, model)
        except msgspec.ValidationError:
            usage = None
            self._complaints.ignored["response.done usage"] += 1
        return ResponseFinished(
            response_id=response_id,
            status=status_of(response),
            reason=details.reason or (failures.code_of(details.error) if details.error else ""),
            had_audio=output.audio,
            had_tool_calls=output.tool_calls,
            usage=usage,
        )
