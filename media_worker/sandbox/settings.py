"""The settings of one session, in the GA shape whatever the client's dialect."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

from media_worker.contract import AudioFormat
from media_worker.sandbox.errors import ClientError

DEFAULT_INSTRUCTIONS = (
    "You are the sandbox of pbxai, a small rule-based agent. Answer in short, friendly sentences."
)
SERVER_VAD: dict[str, Any] = {
    "type": "server_vad",
    "threshold": 0.5,
    "prefix_padding_ms": 300,
    "silence_duration_ms": 500,
    "idle_timeout_ms": None,
    "create_response": True,
    "interrupt_response": True,
}
SEMANTIC_VAD: dict[str, Any] = {
    "type": "semantic_vad",
    "eagerness": "auto",
    "create_response": True,
    "interrupt_response": True,
}
_VADS = {"server_vad": SERVER_VAD, "semantic_vad": SEMANTIC_VAD}
_PCM: dict[str, Any] = {"type": "audio/pcm", "rate": 24000}
FORMATS: dict[AudioFormat, dict[str, Any]] = {
    AudioFormat.PCM_24K: _PCM,
    AudioFormat.PCMU: {"type": "audio/pcmu"},
    AudioFormat.PCMA: {"type": "audio/pcma"},
}
_FORMAT_NAMES = {wire["type"]: fmt for fmt, wire in FORMATS.items()}


class SessionSettings:
    """`values` is the GA session object without its read-only members."""

    def __init__(self, model: str) -> None:
        self.values: dict[str, Any] = {
            "type": "realtime",
            "model": model,
            "instructions": DEFAULT_INSTRUCTIONS,
            "output_modalities": ["audio"],
            "audio": {
                "input": {
                    "format": dict(_PCM),
                    "noise_reduction": None,
                    "transcription": None,
                    "turn_detection": dict(SERVER_VAD),
                },
                "output": {"format": dict(_PCM), "voice": "marin", "speed": 1.0},
            },
            "tools": [],
            "tool_choice": "auto",
            "max_output_tokens": "inf",
            "truncation": "auto",
            "tracing": None,
            "prompt": None,
            "include": None,
        }

    def merge(self, patch: dict[str, Any], *, voice_is_fixed: bool) -> None:
        """Change what `patch` (checked, GA shape) names: all of it, or with ClientError nothing."""
        merged = deepcopy(self.values)
        audio = patch.get("audio", {})
        self._refuse(patch, audio, voice_is_fixed)
        merged.update({name: value for name, value in patch.items() if name != "audio"})
        merged["audio"]["output"].update(audio.get("output", {}))
        merged["audio"]["input"].update(
            {n: v for n, v in audio.get("input", {}).items() if n != "turn_detection"}
        )
        if "turn_detection" in audio.get("input", {}):
            current = self.values["audio"]["input"]["turn_detection"]
            merged["audio"]["input"]["turn_detection"] = _merged_vad(
                current, audio["input"]["turn_detection"]
            )
        self.values = merged

    def _refuse(self, patch: dict[str, Any], audio: dict[str, Any], voice_is_fixed: bool) -> None:
        model = self.values["model"]
        if patch.get("model", model) != model:
            raise ClientError(
                "Cannot update a session's model.", code="invalid_value", param="session.model"
            )
        if "reasoning" in patch and not model.startswith("gpt-realtime-2"):
            raise ClientError(
                f"Reasoning is not supported with the model '{model}'.",
                code="invalid_value",
                param="session.reasoning",
            )
        voice = audio.get("output", {}).get("voice")
        if voice_is_fixed and voice not in (None, self.values["audio"]["output"]["voice"]):
            raise ClientError(
                "Cannot update a conversation's voice if assistant audio is present.",
                code="cannot_update_voice",
                param="session.audio.output.voice",
            )

    @property
    def input_format(self) -> AudioFormat:
        return format_of(self.values["audio"]["input"]["format"])

    @property
    def output_format(self) -> AudioFormat:
        return format_of(self.values["audio"]["output"]["format"])

    @property
    def turn_detection(self) -> dict[str, Any] | None:
        found: dict[str, Any] | None = self.values["audio"]["input"]["turn_detection"]
        return found

    @property
    def transcription(self) -> dict[str, Any] | None:
        found: dict[str, Any] | None = self.values["audio"]["input"]["transcription"]
        return found


def format_of(wire: dict[str, Any]) -> AudioFormat:
    return _FORMAT_NAMES[wire["type"]]


def _merged_vad(
    current: dict[str, Any] | None, given: dict[str, Any] | None
) -> dict[str, Any] | None:
    """Members that are not given keep their value, or have the default of a new kind."""
    if given is None:
        return None
    base = current if current and current["type"] == given["type"] else _VADS[given["type"]]
    return {**base, **given}
