"""What a conversation knows of a realtime session: one interface and our own small set of events.

Nothing outside `media_worker.realtime` knows a provider's event name.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Literal, Protocol

import msgspec

from media_worker.contract import AudioFormat, Greeting, ProblemKind, UsageReported


class SessionError(Exception):
    """A session that cannot be opened or has died; says why in `kind` and in plain words.

    `message` holds what the provider said, never a key. `retryable` is False for what a new attempt
    with the same account cannot mend (key refused, quota, dialect, settings).
    """

    def __init__(
        self, kind: ProblemKind, message: str, *, code: str = "", retryable: bool = False
    ) -> None:
        super().__init__(message)
        self.kind = kind
        self.message = message
        self.code = code
        self.retryable = retryable


class SessionInfo(msgspec.Struct, frozen=True, kw_only=True):
    """What the provider really opened: its own echo of the formats, not what we asked for."""

    session_id: str
    model: str
    input_format: AudioFormat
    output_format: AudioFormat


class Capabilities(msgspec.Struct, frozen=True, kw_only=True):
    """What a dialect can do; the conversation adapts to it."""

    formats: tuple[AudioFormat, ...]
    can_truncate: bool = True
    owns_turns: bool = True
    """The provider finds the end of a turn and answers by itself."""
    max_duration_seconds: int = 3600


class Heard(msgspec.Struct, frozen=True):
    """How much of an item the caller has heard when the agent was interrupted."""

    item_id: str
    milliseconds: int


# --- events --------------------------------------------------------------------------------------


class SpeechStarted(msgspec.Struct, frozen=True):
    """The provider heard the caller begin. `audio_ms` is on the session's audio clock."""

    item_id: str
    audio_ms: int


class SpeechStopped(msgspec.Struct, frozen=True):
    item_id: str
    audio_ms: int


class TurnCommitted(msgspec.Struct, frozen=True):
    """The caller's turn is an item of the conversation; its words may come later."""

    item_id: str
    previous_item_id: str | None


class CallerText(msgspec.Struct, frozen=True):
    """The caller's words so far (the whole text, not a delta). `failed`: it was not understood."""

    item_id: str
    text: str
    final: bool
    failed: bool = False
    usage: UsageReported | None = None
    """What it cost to understand them."""


class ResponseStarted(msgspec.Struct, frozen=True):
    response_id: str
    asked_for: str = ""
    """Of the `say` that it answers."""


class SayRefused(msgspec.Struct, frozen=True):
    """A `say` that did not begin: a response that began meanwhile is the provider's own."""

    asked_for: str
    comes_again: bool
    """It still waits for its turn."""


class AgentItem(msgspec.Struct, frozen=True):
    """The agent begins an item of speech."""

    item_id: str
    previous_item_id: str | None
    response_id: str


class AgentAudio(msgspec.Struct, frozen=True):
    """Speech of an item, in the session's output format; comes faster than real time."""

    item_id: str
    data: bytes


class AgentAudioDone(msgspec.Struct, frozen=True):
    item_id: str


class AgentText(msgspec.Struct, frozen=True):
    """Words of an item, added to those before."""

    item_id: str
    delta: str


class AgentTextDone(msgspec.Struct, frozen=True):
    """The whole text of an item."""

    item_id: str
    text: str


class ToolRequested(msgspec.Struct, frozen=True):
    """A complete function call; `arguments` is the JSON object as text, not yet trusted."""

    tool_call_id: str
    item_id: str
    name: str
    arguments: str


class ResponseFinished(msgspec.Struct, frozen=True, kw_only=True):
    """`status` and `reason` are those of the provider, e.g. cancelled / turn_detected."""

    response_id: str
    status: Literal["completed", "cancelled", "failed", "incomplete"]
    reason: str = ""
    had_audio: bool = False
    had_tool_calls: bool = False
    usage: UsageReported | None = None


class Problem(msgspec.Struct, frozen=True, kw_only=True):
    """Something the provider complained of while the session goes on."""

    kind: ProblemKind
    code: str = ""
    message: str = ""


class Ended(msgspec.Struct, frozen=True, kw_only=True):
    """The session is over; always the last event. `problem` is None after our own `close()`."""

    problem: SessionError | None = None


SessionEvent = (
    SpeechStarted
    | SpeechStopped
    | TurnCommitted
    | CallerText
    | ResponseStarted
    | SayRefused
    | AgentItem
    | AgentAudio
    | AgentAudioDone
    | AgentText
    | AgentTextDone
    | ToolRequested
    | ResponseFinished
    | Problem
    | Ended
)


class RealtimeSession(Protocol):
    """A speech session of one call. All methods belong to the event loop's thread.

    Built by `realtime.open_session(provider, settings, tools, instructions...)`; see `dialects`.
    """

    capabilities: Capabilities

    @property
    def info(self) -> SessionInfo:
        """What is spoken; may change when the provider's audio turns out to be another format."""
        ...

    async def open(self, *, guarded: bool) -> SessionInfo:
        """Connect, send the first session.update, wait for its echo. Raises SessionError.

        `guarded`: the provider neither answers nor interrupts by itself until `set_guard(False)`,
        so that noise cannot cut the greeting off.
        """
        ...

    async def set_guard(self, guarded: bool) -> None: ...

    def send_audio(self, data: bytes) -> None:
        """Append the caller's audio, in `info.input_format`. Raises SessionError once over."""
        ...

    def events(self) -> AsyncIterator[SessionEvent]:
        """What happens, until `Ended`. One reader."""
        ...

    async def say(self, greeting: Greeting, asked_for: str = "") -> None:
        """Have the agent speak these words now, as its own; ResponseStarted names `asked_for`."""
        ...

    async def said(self, text: str) -> None:
        """Let the agent know that it has said this, though not through this session (a prompt).

        A second call corrects the first: `text` is then what was really heard, "" nothing.
        """
        ...

    async def send_text(self, text: str) -> None:
        """The person writes, and is answered (sessions for text)."""
        ...

    async def respond(self) -> None:
        """Ask for an answer; waits its turn while another response is active."""
        ...

    async def commit_turn(self, *, respond: bool = True) -> None:
        """End the caller's turn by our own VAD (VadMode.LOCAL), and ask for an answer."""
        ...

    async def interrupt(self, heard: Heard | None) -> None:
        """Stop the agent; `heard` None: nothing of it was played, or all of it was."""
        ...

    async def tool_result(self, tool_call_id: str, output: str, *, respond: bool) -> None: ...

    async def close(self) -> None:
        """End the session; safe to call twice."""
        ...
