"""What a call does when its provider fails, and how that is said in plain words."""

from __future__ import annotations

from typing import Final

from media_worker.contract import ProblemKind
from media_worker.realtime.session import SessionError

SILENT_SECONDS: Final = 12.0
"""From the moment the agent should speak; longer silence on the line is a failure. Real providers
were seen to take 7 s to their first audio."""
RETRY_SECONDS: Final = 1.0
"""Before an answer that failed is asked for again, and before a session is opened again."""
REPLACE_AGAIN_SECONDS: Final = 60.0
"""A session that replaced another and lasts less than this is not replaced."""
MOST_TOOL_CALLS: Final = 10
"""In a row without a word; a model that does nothing else has gone astray."""

REPLACEABLE: Final = frozenset({ProblemKind.SESSION_EXPIRED, ProblemKind.DROPPED})
"""Ends of a session that a new one mends."""
HOPELESS: Final = frozenset(
    {
        ProblemKind.KEY_REFUSED,
        ProblemKind.QUOTA,
        ProblemKind.DIALECT_REFUSED,
        ProblemKind.SETTINGS_REFUSED,
        ProblemKind.MODEL_REFUSED,
        ProblemKind.TEXT_ONLY,
    }
)
"""What asking again cannot mend."""

SENTENCES: Final[dict[ProblemKind, str]] = {
    ProblemKind.KEY_REFUSED: "The AI provider refused the key.",
    ProblemKind.QUOTA: "The account at the AI provider has no credit left.",
    ProblemKind.RATE_LIMIT: "The AI provider is limiting the rate of this account.",
    ProblemKind.DIALECT_REFUSED: "The AI provider does not speak the dialect that is set.",
    ProblemKind.SETTINGS_REFUSED: "The AI provider refused the settings.",
    ProblemKind.MODEL_REFUSED: "The AI provider does not offer the model that is set.",
    ProblemKind.WRONG_AUDIO: "The AI provider uses an audio format that is not the one agreed.",
    ProblemKind.TEXT_ONLY: "The AI provider answered with text instead of speech.",
    ProblemKind.SILENT: "The AI provider did not answer.",
    ProblemKind.SESSION_EXPIRED: "The AI provider ended the session.",
    ProblemKind.DROPPED: "The connection to the AI provider broke.",
    ProblemKind.UNREACHABLE: "The AI provider could not be reached.",
    ProblemKind.PROTOCOL: "What the AI provider sent could not be understood.",
}


def went_silent(message: str) -> SessionError:
    return SessionError(ProblemKind.SILENT, message, retryable=True)


class Duty:
    """What the agent owes the caller: an answer, and in time. Pure; seconds of one clock."""

    def __init__(self) -> None:
        self.is_owed = False
        """The caller's turn, or a tool's result, has had no answer yet."""
        self._silent_since: float | None = None
        self._retry_at: float | None = None
        self._failures = 0
        self._tool_calls = 0

    def expect(self, now: float, *, anew: bool = False) -> None:
        """The agent is to speak. What was expected before counts on, unless it begins anew."""
        if anew or self._silent_since is None:
            self._silent_since = now

    def owe(self, now: float) -> None:
        """An answer has been asked for."""
        self.is_owed = True
        self.expect(now, anew=True)

    def withdraw(self) -> None:
        """It is not the agent's turn any more."""
        self._silent_since = None
        self._retry_at = None

    def session_over(self) -> None:
        """What failed with one session may work with the next."""
        self.withdraw()
        self._failures = self._tool_calls = 0

    def spoke(self) -> None:
        self.is_owed = False
        self._silent_since = None
        self._tool_calls = 0

    def answered(self) -> None:
        """A response ended well."""
        self._failures = 0
        if not self.is_owed:  # else something newer waits for its own answer
            self._silent_since = None

    def caller_speaks(self, now: float) -> None:
        """The agent may wait while the caller speaks; the provider answers what was said."""
        self._retry_at = None
        if self._silent_since is not None:
            self._silent_since = now

    def called_tool(self) -> SessionError | None:
        """The tool now decides when the agent speaks; what is wrong with that, if anything."""
        self.is_owed = False
        self._silent_since = None
        self._tool_calls += 1
        if self._tool_calls <= MOST_TOOL_CALLS:
            return None
        return went_silent("The agent calls one tool after the other and says nothing.")

    def failed(self, error: SessionError, now: float) -> bool:
        """A response failed, or was empty. Whether it is worth asking once more."""
        self._failures += 1
        if error.kind in HOPELESS or self._failures > 1:
            return False
        self._retry_at = now + RETRY_SECONDS
        return True

    def must_retry(self, now: float) -> bool:
        """True once, when the time has come to ask again."""
        if self._retry_at is None or now < self._retry_at:
            return False
        self._retry_at = None
        return True

    def is_overdue(self, now: float) -> bool:
        return self._silent_since is not None and now - self._silent_since > SILENT_SECONDS
