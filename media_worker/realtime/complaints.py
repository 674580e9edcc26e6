"""What a provider says that is no progress of the conversation: errors, and events unknown to us.

Passed on with measure: a server may answer every frame of audio with the same error.
"""

from __future__ import annotations

from collections import Counter
from typing import Final

import structlog

from media_worker.contract import ProblemKind
from media_worker.realtime import failures, wire
from media_worker.realtime.session import Problem, SessionError, SessionEvent

log = structlog.get_logger(__name__)

REPEATS: Final = 3
"""The same complaint is passed on so often in a session."""
UNKNOWN_NAMES: Final = 50
"""So many different event names are counted and logged; the rest as one."""
UPDATE_ID: Final = "update_"
"""Begins the event_id of each session.update."""

_HARMLESS_CODES: Final = frozenset(
    {
        "response_cancel_not_active",
        "input_audio_buffer_commit_empty",
        "item_truncate_invalid_item_id",
        "item_delete_invalid_item_id",
    }
)
_HARMLESS_WORDS: Final = (
    "no active response",
    "is already shorter than",
    "only model output audio messages can be truncated",
    "buffer too small",
)
_HARMLESS_IDS: Final = ("cancel_", "truncate_", "delete_", "commit_")
"""Our events that race with the provider: what they wanted is so, or was so a moment ago."""
_BUSY_CODE: Final = "conversation_already_has_active_response"
_BUSY_WORDS: Final = "already has an active response"


def is_busy(error: wire.ErrorDetail) -> bool:
    """Our response.create came while another response was being made; it waits again."""
    return error.code == _BUSY_CODE or _BUSY_WORDS in (error.message or "").lower()


def is_harmless(error: wire.ErrorDetail) -> bool:
    words = (error.message or "").lower()
    return (
        is_busy(error)
        or error.code in _HARMLESS_CODES
        or (error.event_id or "").startswith(_HARMLESS_IDS)
        or any(harmless in words for harmless in _HARMLESS_WORDS)
    )


class Complaints:
    def __init__(self, scrub: failures.Scrubber) -> None:
        self.ignored: Counter[str] = Counter()
        """Events that nothing was done about, by name."""
        self.harmless = 0
        """Errors that nothing had to be done about."""
        self._scrub = scrub
        self._told: Counter[tuple[ProblemKind, str]] = Counter()

    def failure(self, error: wire.ErrorDetail) -> SessionError | None:
        """The error as the end of the session; None where the session goes on."""
        is_update = (error.event_id or "").startswith(UPDATE_ID)
        failure = failures.from_error(error, self._scrub, is_update=is_update)
        # a refused update leaves a session that is guarded for ever: an agent that never answers
        is_over = failures.is_fatal(failure.kind) or failure.kind is ProblemKind.SETTINGS_REFUSED
        return failure if is_over else None

    def of_error(self, error: wire.ErrorDetail) -> list[SessionEvent]:
        """An error, or the failure of a response, that the session survives."""
        failure = failures.from_error(error, self._scrub)
        return self.tell(failure.kind, failure.message, failure.code)

    def tell(self, kind: ProblemKind, message: str, code: str = "") -> list[SessionEvent]:
        self._told[kind, code] += 1
        if self._told[kind, code] > REPEATS:
            return []
        return [Problem(kind=kind, code=code, message=message)]

    def ignore(self, event: wire.IgnoredEvent) -> None:
        name = event.type[:80]
        is_new = name not in self.ignored
        if is_new and len(self.ignored) >= UNKNOWN_NAMES:
            name, is_new = "others", False
        self.ignored[name] += 1
        if is_new and not event.known:
            log.info("unknown event ignored", event_type=name)
