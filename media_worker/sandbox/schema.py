"""What a session.update, a response.create and an item may hold, in each dialect.

REALTIME.md sections 1.2, 1.3 and 2; `openai/types/realtime` and `openai/types/beta/realtime`.
"""

from __future__ import annotations

import re
from typing import Any, Final

from media_worker.sandbox.checks import (
    Check,
    an_object,
    anything,
    boolean,
    integer,
    invalid,
    list_of,
    nullable,
    number,
    object_of,
    one_of,
    string_or,
    tagged,
    text,
)

VOICES: Final = (
    *("alloy", "ash", "ballad", "coral", "echo", "sage", "shimmer", "verse", "marin", "cedar"),
    *("fable", "onyx", "nova"),
)
_TOOL_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")

# --- shared by both dialects ---------------------------------------------------------------------

_tokens = string_or(integer(1, 4096), "inf")
_instructions = text


def _tool_name(value: Any, path: str) -> None:
    text(value, path)
    if not _TOOL_NAME.fullmatch(value):
        invalid(path, f"Invalid '{path}': expected letters, digits, _ and -, at most 64.")


def _metadata(value: Any, path: str) -> None:
    an_object(value, path)
    if len(value) > 16:
        invalid(path, f"Invalid '{path}': too many properties. Expected at most 16.")
    for name, member in value.items():
        text(member, f"{path}.{name}")


_function = object_of(
    {"type": text, "name": _tool_name, "description": text, "parameters": an_object},
    required=("type", "name"),
)
_tools = list_of(tagged("type", {"function": _function}))
_one_function = object_of({"type": text, "name": text}, required=("type", "name"))
_tool_choice = string_or(tagged("type", {"function": _one_function}), "auto", "none", "required")
_server_vad_beta: dict[str, Check] = {
    "type": text,
    "threshold": number(0.0, 1.0),
    "prefix_padding_ms": integer(0, 10_000),
    "silence_duration_ms": integer(0, 10_000),
    "create_response": boolean,
    "interrupt_response": boolean,
}
_server_vad: dict[str, Check] = {
    **_server_vad_beta,
    "idle_timeout_ms": nullable(integer(5000, 30_000)),
}
_semantic_vad: dict[str, Check] = {
    "type": text,
    "eagerness": one_of("low", "medium", "high", "auto"),
    "create_response": boolean,
    "interrupt_response": boolean,
}
_tracing = nullable(string_or(an_object, "auto"))

# --- GA ------------------------------------------------------------------------------------------


def _pcm_rate(value: Any, path: str) -> None:
    if value != 24000:
        invalid(path, f"Invalid value: '{value}'. Supported values are: 24000.")


_format = tagged(
    "type",
    {
        "audio/pcm": object_of({"type": text, "rate": _pcm_rate}, required=("type", "rate")),
        "audio/pcmu": object_of({"type": text}),
        "audio/pcma": object_of({"type": text}),
    },
)
_modalities = list_of(one_of("text", "audio"))
_voice = string_or(object_of({"id": text}, required=("id",)), *VOICES)


def _one_modality(value: Any, path: str) -> None:
    _modalities(value, path)
    if sorted(value) not in (["audio"], ["text"]):
        combinations = "['text'] and ['audio']"
        invalid(path, f"Invalid modalities: {value}. Supported combinations are: {combinations}.")


GA_SESSION: Final = object_of(
    {
        "type": one_of("realtime"),
        "model": text,
        "instructions": _instructions,
        "output_modalities": _one_modality,
        "audio": object_of(
            {
                "input": object_of(
                    {
                        "format": _format,
                        "noise_reduction": nullable(
                            object_of(
                                {
                                    "type": one_of("near_field", "far_field"),
                                    "strength": number(0.0, 1.0),
                                }
                            )
                        ),
                        "transcription": nullable(
                            object_of(
                                {
                                    "model": text,
                                    "language": nullable(text),
                                    "languages": list_of(text),
                                    "keywords": list_of(text),
                                    "prompt": nullable(text),
                                    "delay": one_of("minimal", "low", "medium", "high", "xhigh"),
                                }
                            )
                        ),
                        "turn_detection": nullable(
                            tagged(
                                "type",
                                {
                                    "server_vad": object_of(_server_vad),
                                    "semantic_vad": object_of(_semantic_vad),
                                },
                            )
                        ),
                    }
                ),
                "output": object_of(
                    {"format": _format, "voice": _voice, "speed": number(0.25, 1.5)}
                ),
            }
        ),
        "tools": _tools,
        "tool_choice": _tool_choice,
        "parallel_tool_calls": boolean,
        "reasoning": object_of({"effort": one_of("minimal", "low", "medium", "high", "xhigh")}),
        "max_output_tokens": _tokens,
        "truncation": string_or(an_object, "auto", "disabled"),
        "tracing": _tracing,
        "prompt": nullable(an_object),
        "include": nullable(list_of(one_of("item.input_audio_transcription.logprobs"))),
    },
    required=("type",),
)
GA_RESPONSE: Final = object_of(
    {
        "output_modalities": _one_modality,
        "instructions": _instructions,
        "audio": object_of({"output": object_of({"format": _format, "voice": _voice})}),
        "tools": _tools,
        "tool_choice": _tool_choice,
        "conversation": one_of("auto", "none"),
        "input": list_of(an_object),
        "metadata": nullable(_metadata),
        "max_output_tokens": _tokens,
        "prompt": nullable(an_object),
        "reasoning": anything,
        "parallel_tool_calls": boolean,
    }
)

# --- beta ----------------------------------------------------------------------------------------

_format_beta = one_of("pcm16", "g711_ulaw", "g711_alaw")


def _modalities_beta(value: Any, path: str) -> None:
    _modalities(value, path)
    if sorted(value) not in (["audio", "text"], ["text"]):
        combinations = "['text'] and ['audio', 'text']"
        invalid(path, f"Invalid modalities: {value}. Supported combinations are: {combinations}.")


BETA_SESSION: Final = object_of(
    {
        "model": text,
        "modalities": _modalities_beta,
        "instructions": _instructions,
        "voice": one_of(*VOICES),
        "speed": number(0.25, 1.5),
        "input_audio_format": _format_beta,
        "output_audio_format": _format_beta,
        "input_audio_transcription": nullable(
            object_of({"model": text, "language": nullable(text), "prompt": nullable(text)})
        ),
        "input_audio_noise_reduction": nullable(
            object_of({"type": one_of("near_field", "far_field")})
        ),
        "turn_detection": nullable(
            tagged(
                "type",
                {
                    "server_vad": object_of(_server_vad_beta),
                    "semantic_vad": object_of(_semantic_vad),
                },
            )
        ),
        "tools": _tools,
        "tool_choice": _tool_choice,
        "temperature": number(0.6, 1.2),
        "max_response_output_tokens": _tokens,
        "tracing": _tracing,
    }
)
BETA_RESPONSE: Final = object_of(
    {
        "modalities": _modalities_beta,
        "instructions": _instructions,
        "voice": one_of(*VOICES),
        "output_audio_format": _format_beta,
        "tools": _tools,
        "tool_choice": _tool_choice,
        "temperature": number(0.6, 1.2),
        "max_response_output_tokens": _tokens,
        "conversation": one_of("auto", "none"),
        "input": list_of(an_object),
        "metadata": nullable(_metadata),
    }
)
