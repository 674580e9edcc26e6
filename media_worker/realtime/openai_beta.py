"""The beta shape: Azure preview, Qwen style, older self-hosted servers.

REALTIME.md section 2. api.openai.com refuses it since 2026-05-12 (`beta_api_shape_disabled`).
"""

from __future__ import annotations

from typing import Any, Final

from media_worker.contract import AudioFormat, NoiseReduction
from media_worker.realtime.shape import Shape

_FORMATS: Final = {
    AudioFormat.PCMU: "g711_ulaw",
    AudioFormat.PCMA: "g711_alaw",
    AudioFormat.PCM_24K: "pcm16",
    AudioFormat.PCM_16K: "pcm16",
}


class OpenAiBetaShape(Shape):
    formats = tuple(_FORMATS)
    assistant_text = "text"
    headers = {"OpenAI-Beta": "realtime=v1"}

    @property
    def output_format(self) -> AudioFormat:
        """Those that hear at 16 kHz speak at 24 kHz (REALTIME.md section 3, Qwen)."""
        asked = self.settings.audio_format
        return AudioFormat.PCM_24K if asked is AudioFormat.PCM_16K else asked

    def session(self, *, guarded: bool) -> dict[str, Any]:
        settings = self.settings
        session: dict[str, Any] = {
            "modalities": ["text"] if self.is_text else ["audio", "text"],
            "instructions": settings.instructions,
            "voice": settings.voice,
            "input_audio_format": _FORMATS[self.input_format],
            "output_audio_format": _FORMATS[self.output_format],
            "turn_detection": self.turn_detection(guarded=guarded),
            "tools": self.tools,
            "tool_choice": "auto",
            "temperature": settings.temperature,
            "max_response_output_tokens": self.max_output_tokens(),
        }
        if settings.speed != 1.0:
            # a late addition to the beta shape: not sent to servers that may not know it
            session["speed"] = settings.speed
        if settings.noise_reduction is not NoiseReduction.OFF:
            session["input_audio_noise_reduction"] = {"type": settings.noise_reduction.value}
        transcription = self.transcription()
        if transcription:
            session["input_audio_transcription"] = transcription
        return session | settings.session_extra

    def turn_taking(self, *, guarded: bool) -> dict[str, Any]:
        return {"turn_detection": self.turn_detection(guarded=guarded)}
