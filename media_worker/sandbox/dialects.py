"""The two shapes of the protocol: GA as it is inside, beta translated both ways (REALTIME.md 2)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final, Protocol

from media_worker.contract import AudioFormat
from media_worker.sandbox.schema import BETA_RESPONSE, BETA_SESSION, GA_RESPONSE, GA_SESSION
from media_worker.sandbox.settings import FORMATS, SessionSettings, format_of

Json = dict[str, Any]


class Dialect(Protocol):
    name: str
    assistant_text: str
    """Content type of our own words, when a client writes them."""

    def session_patch(self, session: Any) -> Json:
        """A client's session object, checked, in the GA shape. Raises ClientError."""
        ...

    def session(self, session_id: str, expires_at: int, settings: SessionSettings) -> Json: ...

    def response_options(self, options: Any) -> Json:
        """The `response` of a response.create, checked, in the GA shape. Raises ClientError."""
        ...

    def events(self, event: Json) -> Iterator[Json]:
        """A server event of the GA shape as this client knows it; none, where it does not."""
        ...


class GaDialect:
    name = "ga"
    assistant_text = "output_text"

    def session_patch(self, session: Any) -> Json:
        GA_SESSION(session, "session")
        return dict(session)

    def session(self, session_id: str, expires_at: int, settings: SessionSettings) -> Json:
        read_only = {"object": "realtime.session", "id": session_id, "expires_at": expires_at}
        return read_only | settings.values

    def response_options(self, options: Any) -> Json:
        GA_RESPONSE(options, "response")
        return dict(options)

    def events(self, event: Json) -> Iterator[Json]:
        yield event


_FORMATS_BETA: Final = {
    AudioFormat.PCM_24K: "pcm16",
    AudioFormat.PCMU: "g711_ulaw",
    AudioFormat.PCMA: "g711_alaw",
}
_FROM_BETA: Final = {name: FORMATS[fmt] for fmt, name in _FORMATS_BETA.items()}
_EVENT_NAMES: Final = {
    "conversation.item.added": "conversation.item.created",
    "response.output_audio.delta": "response.audio.delta",
    "response.output_audio.done": "response.audio.done",
    "response.output_audio_transcript.delta": "response.audio_transcript.delta",
    "response.output_audio_transcript.done": "response.audio_transcript.done",
    "response.output_text.delta": "response.text.delta",
    "response.output_text.done": "response.text.done",
}
_DROPPED: Final = frozenset(("conversation.item.done", "input_audio_buffer.timeout_triggered"))
_CONTENT_TYPES: Final = {"output_text": "text", "output_audio": "audio"}


class BetaDialect:
    name = "beta"
    assistant_text = "text"

    def session_patch(self, session: Any) -> Json:
        BETA_SESSION(session, "session")
        patch: Json = {
            name: session[name]
            for name in ("model", "instructions", "tools", "tool_choice", "tracing", "temperature")
            if name in session
        }
        if "modalities" in session:
            patch["output_modalities"] = _modalities(session["modalities"])
        if "max_response_output_tokens" in session:
            patch["max_output_tokens"] = session["max_response_output_tokens"]
        patch["audio"] = {
            "input": _renamed(
                session,
                {
                    "input_audio_format": "format",
                    "input_audio_transcription": "transcription",
                    "input_audio_noise_reduction": "noise_reduction",
                    "turn_detection": "turn_detection",
                },
            ),
            "output": _renamed(
                session, {"output_audio_format": "format", "voice": "voice", "speed": "speed"}
            ),
        }
        return patch

    def session(self, session_id: str, expires_at: int, settings: SessionSettings) -> Json:
        values = settings.values
        audio_in, audio_out = values["audio"]["input"], values["audio"]["output"]
        detection = audio_in["turn_detection"]
        return {
            "id": session_id,
            "object": "realtime.session",
            "expires_at": expires_at,
            "model": values["model"],
            "modalities": _modalities_beta(values["output_modalities"]),
            "instructions": values["instructions"],
            "voice": audio_out["voice"],
            "speed": audio_out["speed"],
            "input_audio_format": _FORMATS_BETA[settings.input_format],
            "output_audio_format": _FORMATS_BETA[settings.output_format],
            "input_audio_transcription": audio_in["transcription"],
            "input_audio_noise_reduction": audio_in["noise_reduction"],
            "turn_detection": detection
            and {name: value for name, value in detection.items() if name != "idle_timeout_ms"},
            "tools": values["tools"],
            "tool_choice": values["tool_choice"],
            "temperature": values.get("temperature", 0.8),
            "max_response_output_tokens": values["max_output_tokens"],
            "tracing": values["tracing"],
        }

    def response_options(self, options: Any) -> Json:
        BETA_RESPONSE(options, "response")
        names = ("instructions", "tools", "tool_choice", "conversation", "input", "metadata")
        given: Json = {name: options[name] for name in names if name in options}
        if "modalities" in options:
            given["output_modalities"] = _modalities(options["modalities"])
        if "max_response_output_tokens" in options:
            given["max_output_tokens"] = options["max_response_output_tokens"]
        output = _renamed(options, {"output_audio_format": "format", "voice": "voice"})
        return given | ({"audio": {"output": output}} if output else {})

    def events(self, event: Json) -> Iterator[Json]:
        if event["type"] in _DROPPED:
            return
        changed = event | {"type": _EVENT_NAMES.get(event["type"], event["type"])}
        if event["type"] == "response.function_call_arguments.done":
            del changed["name"]
        if "item" in event:
            changed["item"] = _item(event["item"])
        if "response" in event:
            changed["response"] = _response(event["response"])
        yield changed


def _renamed(source: Json, names: dict[str, str]) -> Json:
    found = {new: source[old] for old, new in names.items() if old in source}
    if "format" in found:
        found["format"] = dict(_FROM_BETA[found["format"]])
    return found


def _modalities(beta: list[str]) -> list[str]:
    return ["audio"] if "audio" in beta else ["text"]


def _modalities_beta(modalities: list[str]) -> list[str]:
    return ["audio", "text"] if "audio" in modalities else ["text"]


def _item(item: Json) -> Json:
    if "content" not in item:
        return item
    parts = ({**part, "type": _CONTENT_TYPES.get(part["type"], part["type"])}
             for part in item["content"])  # fmt: skip
    return item | {"content": list(parts)}


def _response(response: Json) -> Json:
    audio = response["audio"]["output"]
    usage = response["usage"]
    if usage:
        details = {k: v for k, v in usage["input_token_details"].items()
                   if k in ("text_tokens", "audio_tokens", "cached_tokens")}  # fmt: skip
        usage = usage | {"input_token_details": details}
    return {
        "object": "realtime.response",
        "id": response["id"],
        "status": response["status"],
        "status_details": response["status_details"],
        "output": [_item(item) for item in response["output"]],
        "conversation_id": response["conversation_id"],
        "modalities": _modalities_beta(response["output_modalities"]),
        "voice": audio["voice"],
        "output_audio_format": _FORMATS_BETA[format_of(audio["format"])],
        "max_output_tokens": response["max_output_tokens"],
        "usage": usage,
        "metadata": response["metadata"],
    }


GA: Final = GaDialect()
BETA: Final = BetaDialect()
