"""Settings and accounts for tests."""

from __future__ import annotations

from typing import Any

from media_worker.contract import (
    AudioFormat,
    Dialect,
    Eagerness,
    NoiseReduction,
    ProviderAccess,
    Settings,
    ToolSet,
    TransferTarget,
    VadMode,
)
from media_worker.realtime.connection import Deadlines

KEY = "sk-test-1234567890abcdef"
PROMPT = "You answer the phone of a dental practice in Bern. Be brief and friendly."
TOOLS = ToolSet(
    transfer_targets=(
        TransferTarget(name="sales", uri="sip:sales@example.com", description="orders and prices"),
        TransferTarget(name="support", uri="sip:200@example.com"),
    )
)
PATIENT = Deadlines(connect=30.0, echo=30.0, close=1.0)
NO_HANDSHAKE = Deadlines(connect=0.5, close=0.3)
NO_ECHO = Deadlines(connect=30.0, echo=1.0, close=0.3)
NO_PONG = Deadlines(connect=30.0, echo=30.0, ping=0.3, pong=1.0, close=0.1)


def settings(**changes: Any) -> Settings:
    return Settings(
        **{"model": "gpt-realtime-2.1", "voice": "marin", "instructions": PROMPT} | changes
    )


def provider(url: str, **changes: Any) -> ProviderAccess:
    return ProviderAccess(
        **{"account_id": "a1", "name": "Test", "url": url, "api_key": KEY} | changes
    )


def every_setting(dialect: Dialect) -> list[Settings]:
    """Settings that between them use every field and every choice that reaches the wire."""
    choices: list[dict[str, Any]] = [
        {},
        {"vad_threshold": 0.7, "prefix_padding_ms": 200, "silence_duration_ms": 800},
        {"idle_timeout_ms": 15000},
        {"interrupt": False},
        {"max_output_tokens": 1024},
        {"speed": 1.25, "temperature": 0.7},
        {"transcription_model": "gpt-transcribe"},
        {"transcription_model": "gpt-transcribe", "transcription_language": "de"},
        {"instructions": ""},
        *({"vad_mode": mode} for mode in VadMode),
        *({"vad_mode": VadMode.SEMANTIC, "eagerness": eagerness} for eagerness in Eagerness),
        *({"noise_reduction": reduction} for reduction in NoiseReduction),
        *({"audio_format": fmt} for fmt in AudioFormat if _knows(dialect, fmt)),
    ]
    return [settings(dialect=dialect, **choice) for choice in choices]


def _knows(dialect: Dialect, fmt: AudioFormat) -> bool:
    return dialect is Dialect.OPENAI_BETA or fmt is not AudioFormat.PCM_16K
