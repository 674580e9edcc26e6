"""What realtime servers send: typed events of both dialects, decoded in one pass.

`NAMES` maps every event name that we act on, of the GA and the beta shape and of those who follow
them, to one struct; `IGNORED` lists the names that we know and need nothing of. All else is an
unknown event: new ones appear without notice and are no error (REALTIME.md section 5).

Names and fields: `openai.types.realtime` and `openai.types.beta.realtime` of openai 3.54.0.
"""

from __future__ import annotations

from typing import Any, Final, Union

import msgspec

from media_worker.contract import AudioFormat


class MalformedFrameError(Exception):
    """A frame that is no JSON object, has no type, or lacks what its type promises."""


# --- parts of events -----------------------------------------------------------------------------


class ErrorDetail(msgspec.Struct, frozen=True):
    type: str | None = None
    code: str | int | None = None
    message: str | None = None
    event_id: str | None = None
    """The client event that it is about; the real server often leaves it null."""


class Item(msgspec.Struct, frozen=True):
    id: str | None = None
    type: str | None = None
    role: str | None = None
    status: str | None = None
    call_id: str | None = None
    name: str | None = None
    arguments: str | None = None


class _Side(msgspec.Struct, frozen=True):
    format: Any = None


class _Audio(msgspec.Struct, frozen=True):
    input: _Side | None = None
    output: _Side | None = None


class SessionBody(msgspec.Struct, frozen=True):
    id: str | None = None
    model: str | None = None
    audio: _Audio | None = None
    input_audio_format: Any = None
    output_audio_format: Any = None

    @property
    def formats(self) -> tuple[Any, Any]:
        """Input and output format as the server names them, in either shape; None: not said."""
        audio = self.audio or _Audio()
        return (
            (audio.input.format if audio.input else None) or self.input_audio_format,
            (audio.output.format if audio.output else None) or self.output_audio_format,
        )


class StatusDetails(msgspec.Struct, frozen=True):
    reason: str | None = None
    error: ErrorDetail | None = None


class ResponseBody(msgspec.Struct, frozen=True):
    id: str | None = None
    status: str | None = None
    status_details: StatusDetails | None = None
    output: list[Item] | None = None
    usage: msgspec.Raw = msgspec.Raw(b"null")
    """Decoded by `usage.py`: odd numbers must not cost us the end of a response."""


# --- events --------------------------------------------------------------------------------------


class _Event(msgspec.Struct, frozen=True):
    """Base of the events; its tag is given in NAMES."""


class SessionCreated(_Event, frozen=True):
    session: SessionBody


class SessionUpdated(_Event, frozen=True):
    session: SessionBody


class ErrorReported(_Event, frozen=True):
    error: ErrorDetail


class CallerStarted(_Event, frozen=True):
    item_id: str | None = None
    audio_start_ms: float = 0


class CallerStopped(_Event, frozen=True):
    item_id: str | None = None
    audio_end_ms: float = 0


class BufferCommitted(_Event, frozen=True):
    item_id: str
    previous_item_id: str | None = None


class ItemAdded(_Event, frozen=True):
    item: Item
    previous_item_id: str | None = None


class TranscriptionDelta(_Event, frozen=True):
    item_id: str
    delta: str | None = None


class TranscriptionUpdated(_Event, frozen=True):
    """xAI: the whole text so far."""

    item_id: str
    transcript: str = ""


class TranscriptionCompleted(_Event, frozen=True):
    item_id: str
    transcript: str | None = None
    usage: msgspec.Raw = msgspec.Raw(b"null")


class TranscriptionFailed(_Event, frozen=True):
    item_id: str


class ResponseCreated(_Event, frozen=True):
    response: ResponseBody


class ResponseDone(_Event, frozen=True):
    response: ResponseBody


class OutputItemAdded(_Event, frozen=True):
    item: Item
    response_id: str = ""


class OutputItemDone(_Event, frozen=True):
    item: Item
    response_id: str = ""


class AudioDelta(_Event, frozen=True):
    """The hot path: msgspec decodes the base64 of `delta` itself."""

    item_id: str
    delta: bytes
    response_id: str = ""


class AudioDone(_Event, frozen=True):
    item_id: str
    response_id: str = ""


class SpokenDelta(_Event, frozen=True):
    """Words of speech; `output_audio_transcript`."""

    item_id: str
    delta: str
    response_id: str = ""


class SpokenDone(_Event, frozen=True):
    item_id: str
    transcript: str | None = None
    response_id: str = ""


class WrittenDelta(_Event, frozen=True):
    """Text that nobody hears; `output_text`."""

    response_id: str = ""
    item_id: str = ""
    delta: str = ""


class WrittenDone(_Event, frozen=True):
    response_id: str = ""
    item_id: str = ""
    text: str | None = None


class ArgumentsDone(_Event, frozen=True):
    """Also sent for an interrupted call, with half the arguments; the beta shape has no `name`."""

    item_id: str
    arguments: str
    call_id: str | None = None
    name: str | None = None
    response_id: str = ""


ServerEvent = (
    SessionCreated
    | SessionUpdated
    | ErrorReported
    | CallerStarted
    | CallerStopped
    | BufferCommitted
    | ItemAdded
    | TranscriptionDelta
    | TranscriptionUpdated
    | TranscriptionCompleted
    | TranscriptionFailed
    | ResponseCreated
    | ResponseDone
    | OutputItemAdded
    | OutputItemDone
    | AudioDelta
    | AudioDone
    | SpokenDelta
    | SpokenDone
    | WrittenDelta
    | WrittenDone
    | ArgumentsDone
)


class IgnoredEvent(msgspec.Struct, frozen=True):
    """An event that we do not act on; `known` False: not even its name was known."""

    type: str
    known: bool


_TRANSCRIPTION = "conversation.item.input_audio_transcription"

NAMES: Final[dict[str, type[_Event]]] = {
    # the same in both shapes
    "session.created": SessionCreated,
    "session.updated": SessionUpdated,
    "error": ErrorReported,
    "input_audio_buffer.speech_started": CallerStarted,
    "input_audio_buffer.speech_stopped": CallerStopped,
    "input_audio_buffer.committed": BufferCommitted,
    f"{_TRANSCRIPTION}.delta": TranscriptionDelta,
    f"{_TRANSCRIPTION}.completed": TranscriptionCompleted,
    f"{_TRANSCRIPTION}.failed": TranscriptionFailed,
    "response.created": ResponseCreated,
    "response.done": ResponseDone,
    "response.output_item.added": OutputItemAdded,
    "response.output_item.done": OutputItemDone,
    "response.function_call_arguments.done": ArgumentsDone,
    # GA
    "conversation.item.added": ItemAdded,
    "response.output_audio.delta": AudioDelta,
    "response.output_audio.done": AudioDone,
    "response.output_audio_transcript.delta": SpokenDelta,
    "response.output_audio_transcript.done": SpokenDone,
    "response.output_text.delta": WrittenDelta,
    "response.output_text.done": WrittenDone,
    # beta
    "conversation.item.created": ItemAdded,
    "response.audio.delta": AudioDelta,
    "response.audio.done": AudioDone,
    "response.audio_transcript.delta": SpokenDelta,
    "response.audio_transcript.done": SpokenDone,
    "response.text.delta": WrittenDelta,
    "response.text.done": WrittenDone,
    # xAI
    f"{_TRANSCRIPTION}.updated": TranscriptionUpdated,
}

IGNORED: Final = frozenset(
    {
        # confirmations of what we asked, or of what an event above has said already
        "conversation.created",
        "conversation.item.done",
        "conversation.item.deleted",
        "conversation.item.truncated",
        "conversation.item.retrieved",
        "input_audio_buffer.cleared",
        "response.content_part.added",
        "response.content_part.done",
        # a commit and a response follow it
        "input_audio_buffer.timeout_triggered",
        # whole arguments come at the end
        "response.function_call_arguments.delta",
        # speakers of a diarising transcription; the completed text holds the words
        f"{_TRANSCRIPTION}.segment",
        # a refusal shows in the response; until then there is nothing to do about a limit
        "rate_limits.updated",
        # only over WebRTC or the provider's own SIP
        "output_audio_buffer.started",
        "output_audio_buffer.stopped",
        "output_audio_buffer.cleared",
        "input_audio_buffer.dtmf_event_received",
        # transcription sessions (beta), which we do not open
        "transcription_session.updated",
        # tools that the provider runs by itself (MCP)
        "mcp_list_tools.in_progress",
        "mcp_list_tools.completed",
        "mcp_list_tools.failed",
        "response.mcp_call_arguments.delta",
        "response.mcp_call_arguments.done",
        "response.mcp_call.in_progress",
        "response.mcp_call.completed",
        "response.mcp_call.failed",
        # xAI's own keep-alive, and the end of a Qwen session
        "ping",
        "session.finished",
    }
)


class _Head(msgspec.Struct, frozen=True):
    type: str


def _tagged(name: str, base: type[_Event]) -> type:
    return msgspec.defstruct(
        base.__name__, [], bases=(base,), frozen=True, tag_field="type", tag=name
    )


_tagged_types: Any = tuple(_tagged(name, base) for name, base in NAMES.items())
_decode: Final = msgspec.json.Decoder[Any](Union[_tagged_types]).decode  # noqa: UP007 - made of a tuple
_decode_head: Final = msgspec.json.Decoder(_Head).decode


def decode(frame: bytes | str) -> ServerEvent | IgnoredEvent:
    """A server's frame as an event. Raises MalformedFrameError."""
    try:
        event: ServerEvent = _decode(frame)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return _not_for_us(frame)
    return event


def _not_for_us(frame: bytes | str) -> IgnoredEvent:
    try:
        name = _decode_head(frame).type
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise MalformedFrameError("no event of the protocol") from None
    if name in NAMES:
        raise MalformedFrameError(f"a {name} event that lacks what it should hold")
    return IgnoredEvent(name, known=name in IGNORED)


_FORMAT_NAMES: Final = {
    "g711_ulaw": AudioFormat.PCMU,
    "g711_alaw": AudioFormat.PCMA,
    "audio/pcmu": AudioFormat.PCMU,
    "audio/pcma": AudioFormat.PCMA,
}
_PCM_NAMES: Final = frozenset({"pcm", "pcm16", "audio/pcm"})
_PCM_RATES: Final = {16000: AudioFormat.PCM_16K, 24000: AudioFormat.PCM_24K}


def audio_format(echo: Any, asked: AudioFormat) -> AudioFormat | None:
    """The format that a server's echo names; `asked` where it names none or leaves the rate open.

    None: a format that we cannot speak, e.g. PCM at 48 kHz.
    """
    if echo is None:
        return asked
    name, rate = (echo.get("type"), echo.get("rate")) if isinstance(echo, dict) else (echo, None)
    if not isinstance(name, str):
        return None
    if name not in _PCM_NAMES:
        return _FORMAT_NAMES.get(name)
    if rate is None:
        return asked if asked in _PCM_RATES.values() else AudioFormat.PCM_24K
    return _PCM_RATES.get(rate) if isinstance(rate, int) else None
