"""session.update: partial, strict, echoed; every field of both dialects."""

from typing import Any

import pytest

from tests.media_worker.sandbox.client import HANG_UP, TRANSFER
from tests.media_worker.sandbox.conftest import Connect


async def test_the_first_event_shows_the_defaults(connect: Connect) -> None:
    async with connect() as client:
        session = client.events[0]["session"]
        assert session["model"] == "gpt-realtime-2.1"
        assert session["object"] == "realtime.session"
        assert session["audio"]["input"]["format"] == {"type": "audio/pcm", "rate": 24000}
        assert session["audio"]["input"]["transcription"] is None
        assert session["audio"]["input"]["turn_detection"]["type"] == "server_vad"
        assert session["output_modalities"] == ["audio"]
        assert session["id"].startswith("sess_")


async def test_the_beta_session_is_flat(connect: Connect) -> None:
    async with connect(beta=True) as client:
        session = client.events[0]["session"]
        assert session["input_audio_format"] == "pcm16"
        assert session["modalities"] == ["audio", "text"]
        assert session["temperature"] == 0.8
        assert "idle_timeout_ms" not in session["turn_detection"]
        assert "type" not in session


async def test_only_what_is_named_changes(connect: Connect) -> None:
    async with connect() as client:
        first = await client.update(
            instructions="Be brief.",
            audio={"input": {"turn_detection": {"type": "server_vad", "threshold": 0.7}}},
            tools=[TRANSFER, HANG_UP],
        )
        assert first["audio"]["input"]["turn_detection"]["prefix_padding_ms"] == 300
        second = await client.update(audio={"output": {"voice": "cedar", "speed": 1.2}})
        assert second["instructions"] == "Be brief."
        assert second["tools"] == [TRANSFER, HANG_UP]
        assert second["audio"]["input"]["turn_detection"]["threshold"] == 0.7
        assert second["audio"]["output"]["voice"] == "cedar"
        third = await client.update(
            audio={"input": {"turn_detection": None}}, tools=[], instructions=""
        )
        assert third["audio"]["input"]["turn_detection"] is None
        assert (third["tools"], third["instructions"]) == ([], "")


async def test_every_ga_field_is_known(connect: Connect) -> None:
    async with connect() as client:
        given = {
            "instructions": "x",
            "output_modalities": ["audio"],
            "tool_choice": {"type": "function", "name": "hang_up"},
            "tools": [HANG_UP],
            "parallel_tool_calls": False,
            "reasoning": {"effort": "low"},
            "max_output_tokens": 4096,
            "truncation": {"type": "retention_ratio", "retention_ratio": 0.8},
            "tracing": "auto",
            "include": ["item.input_audio_transcription.logprobs"],
            "audio": {
                "input": {
                    "format": {"type": "audio/pcma"},
                    "noise_reduction": {"type": "far_field", "strength": 0.5},
                    "transcription": {"model": "gpt-transcribe", "language": "en"},
                    "turn_detection": {"type": "semantic_vad", "eagerness": "low"},
                },
                "output": {
                    "format": {"type": "audio/pcm", "rate": 24000},
                    "voice": "sage",
                    "speed": 0.8,
                },
            },
        }
        updated = await client.update(**given)
        for name in given.keys() - {"audio"}:
            assert updated[name] == given[name]
        for side in ("input", "output"):
            for name, value in given["audio"][side].items():
                kept = updated["audio"][side][name]
                assert kept | value == kept if isinstance(value, dict) else kept == value


GA_REFUSED = [
    ({"typo": 1}, "unknown_parameter", "session.typo"),
    ({"temperature": 0.8}, "unknown_parameter", "session.temperature"),
    ({"voice": "marin"}, "unknown_parameter", "session.voice"),
    ({"input_audio_format": "g711_ulaw"}, "unknown_parameter", "session.input_audio_format"),
    ({"modalities": ["audio"]}, "unknown_parameter", "session.modalities"),
    ({"turn_detection": None}, "unknown_parameter", "session.turn_detection"),
    ({"type": "transcription"}, "invalid_value", "session.type"),
    ({"output_modalities": ["audio", "text"]}, "invalid_value", "session.output_modalities"),
    ({"max_output_tokens": 0}, "invalid_value", "session.max_output_tokens"),
    ({"max_output_tokens": 4097}, "invalid_value", "session.max_output_tokens"),
    ({"max_output_tokens": "many"}, "invalid_value", "session.max_output_tokens"),
    ({"instructions": None}, "invalid_type", "session.instructions"),
    ({"tools": [{"type": "function"}]}, "missing_required_parameter", "session.tools[0].name"),
    ({"tools": [{"name": "x"}]}, "missing_required_parameter", "session.tools[0].type"),
    (
        {"tools": [{"type": "function", "name": "no spaces"}]},
        "invalid_value",
        "session.tools[0].name",
    ),
    (
        {"tools": [{"type": "function", "function": {"name": "x"}, "name": "x"}]},
        "unknown_parameter",
        "session.tools[0].function",
    ),
    ({"model": "gpt-realtime-1.5"}, "invalid_value", "session.model"),
    ({"audio": {"output": {"voice": "darth"}}}, "invalid_value", "session.audio.output.voice"),
    ({"audio": {"output": {"speed": 1.6}}}, "invalid_value", "session.audio.output.speed"),
    ({"audio": {"output": {"speed": "1"}}}, "invalid_type", "session.audio.output.speed"),
    (
        {"audio": {"output": {"format": "pcmu"}}},
        "invalid_type",
        "session.audio.output.format",
    ),
    (
        {"audio": {"output": {"format": {"type": "audio/pcm"}}}},
        "missing_required_parameter",
        "session.audio.output.format.rate",
    ),
    (
        {"audio": {"input": {"format": {"type": "audio/pcm", "rate": 16000}}}},
        "invalid_value",
        "session.audio.input.format.rate",
    ),
    (
        {"audio": {"input": {"format": {"type": "audio/pcmu", "rate": 8000}}}},
        "unknown_parameter",
        "session.audio.input.format.rate",
    ),
    (
        {"audio": {"input": {"turn_detection": {"threshold": 0.5}}}},
        "missing_required_parameter",
        "session.audio.input.turn_detection.type",
    ),
    (
        {"audio": {"input": {"turn_detection": {"type": "server_vad", "threshold": 1.1}}}},
        "invalid_value",
        "session.audio.input.turn_detection.threshold",
    ),
    (
        {"audio": {"input": {"turn_detection": {"type": "server_vad", "idle_timeout_ms": 4999}}}},
        "invalid_value",
        "session.audio.input.turn_detection.idle_timeout_ms",
    ),
    (
        {"audio": {"input": {"turn_detection": {"type": "server_vad", "eagerness": "low"}}}},
        "unknown_parameter",
        "session.audio.input.turn_detection.eagerness",
    ),
    (
        {"audio": {"input": {"turn_detection": {"type": "semantic_vad", "threshold": 0.5}}}},
        "unknown_parameter",
        "session.audio.input.turn_detection.threshold",
    ),
    (
        {"audio": {"input": {"noise_reduction": {"type": "loud"}}}},
        "invalid_value",
        "session.audio.input.noise_reduction.type",
    ),
]


@pytest.mark.parametrize(("given", "code", "param"), GA_REFUSED)
async def test_what_the_ga_dialect_refuses(
    connect: Connect, given: dict[str, Any], code: str, param: str
) -> None:
    async with connect() as client:
        error = await client.refused("session.update", session={"type": "realtime", **given})
        assert (error["code"], error["param"]) == (code, param)
        assert error["type"] == "invalid_request_error"
        assert error["message"]
        unchanged = await client.update(instructions="still here")
        for name, value in client.events[0]["session"].items():
            assert name == "instructions" or unchanged[name] == value, "all of it or nothing"


async def test_the_session_type_is_required(connect: Connect) -> None:
    async with connect() as client:
        error = await client.refused("session.update", session={"instructions": "x"})
        assert error["code"] == "missing_required_parameter"
        assert error["message"] == "Missing required parameter: 'session.type'."


@pytest.mark.parametrize(
    ("given", "code", "param"),
    [
        ({"type": "realtime"}, "unknown_parameter", "session.type"),
        ({"audio": {}}, "unknown_parameter", "session.audio"),
        ({"output_modalities": ["audio"]}, "unknown_parameter", "session.output_modalities"),
        ({"modalities": ["audio"]}, "invalid_value", "session.modalities"),
        ({"temperature": 0.5}, "invalid_value", "session.temperature"),
        ({"temperature": 1.3}, "invalid_value", "session.temperature"),
        ({"input_audio_format": "pcmu"}, "invalid_value", "session.input_audio_format"),
        ({"max_response_output_tokens": -1}, "invalid_value", "session.max_response_output_tokens"),
        (
            {"turn_detection": {"type": "server_vad", "idle_timeout_ms": 5000}},
            "unknown_parameter",
            "session.turn_detection.idle_timeout_ms",
        ),
    ],
)
async def test_what_the_beta_dialect_refuses(
    connect: Connect, given: dict[str, Any], code: str, param: str
) -> None:
    async with connect(beta=True) as client:
        error = await client.refused("session.update", session=given)
        assert (error["code"], error["param"]) == (code, param)


async def test_every_beta_field_is_echoed(connect: Connect) -> None:
    async with connect(beta=True) as client:
        given = {
            "modalities": ["audio", "text"],
            "instructions": "Be brief.",
            "voice": "sage",
            "speed": 1.1,
            "input_audio_format": "g711_alaw",
            "output_audio_format": "g711_ulaw",
            "input_audio_transcription": {"model": "whisper-1", "language": "en"},
            "input_audio_noise_reduction": {"type": "near_field"},
            "turn_detection": {
                "type": "server_vad",
                "threshold": 0.6,
                "prefix_padding_ms": 200,
                "silence_duration_ms": 700,
                "create_response": True,
                "interrupt_response": False,
            },
            "tools": [TRANSFER],
            "tool_choice": "auto",
            "temperature": 0.9,
            "max_response_output_tokens": 500,
        }
        updated = await client.update(**given)
        assert {name: updated[name] for name in given} == given


async def test_the_voice_is_fixed_once_it_was_heard(connect: Connect) -> None:
    async with connect() as client:
        await client.update(audio={"output": {"voice": "cedar"}})
        await client.respond()
        error = await client.refused(
            "session.update", session={"type": "realtime", "audio": {"output": {"voice": "ash"}}}
        )
        assert error["code"] == "cannot_update_voice"
        await client.update(audio={"output": {"voice": "cedar", "speed": 1.5}})


async def test_reasoning_is_for_models_that_reason(connect: Connect) -> None:
    async with connect() as client:
        await client.update(reasoning={"effort": "low"})
    async with connect(beta=True) as client:
        error = await client.refused("session.update", session={"reasoning": {"effort": "low"}})
        assert error["code"] == "unknown_parameter"


async def test_speed_changes_the_speech(connect: Connect) -> None:
    lengths = []
    for speed in (0.8, 1.4):
        async with connect() as client:
            await client.update(audio={"output": {"speed": speed}})
            lengths.append(len(client.audio((await client.respond())["id"])))
    assert lengths[0] > lengths[1] * 1.3
