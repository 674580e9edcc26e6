"""The GA shape: api.openai.com since May 2026, Azure `/openai/v1`, and those that follow it.

REALTIME.md section 1.2. A field that the server does not know makes it refuse the whole update, so
nothing is sent that only some models know.
"""

from __future__ import annotations

from typing import Any, Final

from media_worker.contract import AudioFormat, NoiseReduction
from media_worker.realtime.shape import Shape

_FORMATS: Final[dict[AudioFormat, dict[str, Any]]] = {
    AudioFormat.PCMU: {"type": "audio/pcmu"},
    AudioFormat.PCMA: {"type": "audio/pcma"},
    AudioFormat.PCM_24K: {"type": "audio/pcm", "rate": 24000},
}


class OpenAiShape(Shape):
    formats = tuple(_FORMATS)
    assistant_text = "output_text"

    def session(self, *, guarded: bool) -> dict[str, Any]:
        settings = self.settings
        return {
            "type": "realtime",
            "instructions": settings.instructions,
            "output_modalities": ["text" if self.is_text else "audio"],
            **({} if self.is_text else {"audio": self._audio(guarded=guarded)}),
            "tools": self.tools,
            "tool_choice": "auto",
            "max_output_tokens": self.max_output_tokens(),
            **settings.session_extra,
        }

    def _audio(self, *, guarded: bool) -> dict[str, Any]:
        return {
            "input": self._input(guarded=guarded),
            "output": {
                "format": _FORMATS[self.output_format],
                "voice": self.settings.voice,
                "speed": self.settings.speed,
            },
        }

    def _input(self, *, guarded: bool) -> dict[str, Any]:
        audio: dict[str, Any] = {
            "format": _FORMATS[self.input_format],
            "turn_detection": self.turn_detection(guarded=guarded),
        }
        if self.settings.noise_reduction is not NoiseReduction.OFF:
            audio["noise_reduction"] = {"type": self.settings.noise_reduction.value}
        transcription = self.transcription()
        if transcription:
            audio["transcription"] = transcription
        return audio

    def turn_detection(self, *, guarded: bool) -> dict[str, Any] | None:
        detection = super().turn_detection(guarded=guarded)
        if detection and detection["type"] == "server_vad" and self.settings.idle_timeout_ms:
            detection["idle_timeout_ms"] = self.settings.idle_timeout_ms
        return detection

    def turn_taking(self, *, guarded: bool) -> dict[str, Any]:
        detection = self.turn_detection(guarded=guarded)
        return {"type": "realtime", "audio": {"input": {"turn_detection": detection}}}
