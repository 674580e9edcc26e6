"""Every event that either dialect can send is one of the API, key by key."""

from __future__ import annotations

import base64
import json
from typing import Any

import msgspec
import pytest
from pydantic import ValidationError

from media_worker.contract import (
    AudioFormat,
    Dialect,
    Eagerness,
    Greeting,
    NoiseReduction,
    Settings,
    ToolSet,
    VadMode,
)
from media_worker.realtime.dialects import SHAPES
from media_worker.realtime.shape import APPEND_HEAD, APPEND_TAIL, ClientEvent, Shape
from tests.media_worker.realtime import plans, strict

BOTH = pytest.mark.parametrize("dialect", list(Dialect))


def shape(settings: Settings, tools: ToolSet = plans.TOOLS) -> Shape:
    return SHAPES[settings.dialect](settings, tools, language="en")


def every_event(of: Shape) -> list[ClientEvent]:
    greeting = Greeting(language="de", text='Grüezi, "hier" die Praxis.')
    return [
        *(of.session_update(of.session(guarded=guarded), "update_1") for guarded in (True, False)),
        *(
            of.session_update(of.turn_taking(guarded=guarded), "update_2")
            for guarded in (True, False)
        ),
        of.response_create(None, "respond_3"),
        of.response_create(of.spoken(greeting), "say_4"),
        of.response_cancel(None, "cancel_5"),
        of.response_cancel("resp_1", "cancel_6"),
        of.item_truncate("item_1", 1480, "truncate_7"),
        of.item_delete("item_1", "delete_8"),
        of.tool_output("call_1", '{"ok": true}'),
        of.item_said("Grüezi.", "said_10", None),
        of.item_said("Grü", "said_11", "said_10"),
        of.buffer_commit("commit_9"),
    ]


@BOTH
def test_every_event_of_every_setting_is_of_the_api(dialect: Dialect) -> None:
    for settings in plans.every_setting(dialect):
        for tools in (plans.TOOLS, ToolSet(hang_up=False), ToolSet()):
            for event in every_event(shape(settings, tools)):
                assert strict.validate(msgspec.json.encode(event), dialect) == event


@BOTH
def test_audio_is_of_the_api(dialect: Dialect) -> None:
    frame = APPEND_HEAD + base64.b64encode(bytes(range(160))) + APPEND_TAIL
    assert base64.b64decode(strict.validate(frame, dialect)["audio"]) == bytes(range(160))


@BOTH
def test_the_check_itself_finds_a_key_too_many_at_any_depth(dialect: Dialect) -> None:
    of = shape(plans.settings(dialect=dialect, noise_reduction=NoiseReduction.FAR_FIELD))
    plain = json.dumps(of.session_update(of.session(guarded=True), "update_1"))
    places = [
        _objects(json.loads(plain))[index] for index in range(len(_objects(json.loads(plain))))
    ]
    assert len(places) > 5
    for index in range(len(places)):
        event = json.loads(plain)
        _objects(event)[index]["surprise"] = 1
        with pytest.raises((ValidationError, AssertionError)):
            strict.validate(json.dumps(event), dialect)


def _objects(value: Any) -> list[dict[str, Any]]:
    """Every object of an event, but for the free JSON Schema of a tool's parameters."""
    found = []
    if isinstance(value, dict):
        found.append(value)
        for name, part in value.items():
            found += _objects(part) if name != "parameters" else []
    elif isinstance(value, list):
        for part in value:
            found += _objects(part)
    return found


def test_the_whole_first_update_ga() -> None:
    settings = plans.settings(
        audio_format=AudioFormat.PCM_24K,
        vad_threshold=0.7,
        prefix_padding_ms=250,
        silence_duration_ms=650,
        idle_timeout_ms=9000,
        noise_reduction=NoiseReduction.NEAR_FIELD,
        transcription_model="gpt-transcribe",
        transcription_language="de",
        speed=1.1,
        max_output_tokens=900,
    )
    session = shape(settings, ToolSet(hang_up=False)).session(guarded=False)
    assert session == {
        "type": "realtime",
        "instructions": plans.PROMPT,
        "output_modalities": ["audio"],
        "audio": {
            "input": {
                "format": {"type": "audio/pcm", "rate": 24000},
                "noise_reduction": {"type": "near_field"},
                "transcription": {"model": "gpt-transcribe", "language": "de"},
                "turn_detection": {
                    "type": "server_vad",
                    "threshold": 0.7,
                    "prefix_padding_ms": 250,
                    "silence_duration_ms": 650,
                    "idle_timeout_ms": 9000,
                    "create_response": True,
                    "interrupt_response": True,
                },
            },
            "output": {
                "format": {"type": "audio/pcm", "rate": 24000},
                "voice": "marin",
                "speed": 1.1,
            },
        },
        "tools": [],
        "tool_choice": "auto",
        "max_output_tokens": 900,
    }


def test_the_whole_first_update_beta() -> None:
    settings = plans.settings(
        dialect=Dialect.OPENAI_BETA,
        audio_format=AudioFormat.PCMA,
        vad_mode=VadMode.SEMANTIC,
        eagerness=Eagerness.LOW,
        interrupt=False,
        noise_reduction=NoiseReduction.FAR_FIELD,
        transcription_model="whisper-1",
        temperature=0.65,
        speed=0.9,
    )
    session = shape(settings, ToolSet(hang_up=False)).session(guarded=False)
    assert session == {
        "modalities": ["audio", "text"],
        "instructions": plans.PROMPT,
        "voice": "marin",
        "input_audio_format": "g711_alaw",
        "output_audio_format": "g711_alaw",
        "input_audio_noise_reduction": {"type": "far_field"},
        "input_audio_transcription": {"model": "whisper-1"},
        "turn_detection": {
            "type": "semantic_vad",
            "eagerness": "low",
            "create_response": True,
            "interrupt_response": False,
        },
        "tools": [],
        "tool_choice": "auto",
        "temperature": 0.65,
        "max_response_output_tokens": "inf",
        "speed": 0.9,
    }


def test_g711_has_no_rate_and_pcm_has_one() -> None:
    formats = {
        fmt: shape(plans.settings(audio_format=fmt)).session(guarded=True)["audio"]["input"][
            "format"
        ]
        for fmt in (AudioFormat.PCMU, AudioFormat.PCMA, AudioFormat.PCM_24K)
    }
    assert formats == {
        AudioFormat.PCMU: {"type": "audio/pcmu"},
        AudioFormat.PCMA: {"type": "audio/pcma"},
        AudioFormat.PCM_24K: {"type": "audio/pcm", "rate": 24000},
    }


@BOTH
def test_what_is_off_is_left_out(dialect: Dialect) -> None:
    text = json.dumps(shape(plans.settings(dialect=dialect)).session(guarded=True))
    for word in ("transcription", "noise_reduction", "idle_timeout_ms", "reasoning", "parallel"):
        assert word not in text


def test_ga_knows_no_temperature() -> None:
    assert "temperature" not in json.dumps(shape(plans.settings()).session(guarded=True))


@BOTH
@pytest.mark.parametrize("mode", [VadMode.SERVER, VadMode.SEMANTIC])
@pytest.mark.parametrize("interrupt", [True, False])
def test_guarded_the_provider_neither_answers_nor_interrupts(
    dialect: Dialect, mode: VadMode, interrupt: bool
) -> None:
    of = shape(plans.settings(dialect=dialect, vad_mode=mode, interrupt=interrupt))
    guarded, free = of.turn_detection(guarded=True), of.turn_detection(guarded=False)
    assert guarded is not None
    assert free is not None
    assert (guarded["create_response"], guarded["interrupt_response"]) == (False, False)
    assert (free["create_response"], free["interrupt_response"]) == (True, interrupt)
    assert {**guarded, "create_response": True, "interrupt_response": interrupt} == free


@BOTH
def test_local_vad_tells_the_provider_null(dialect: Dialect) -> None:
    session = shape(plans.settings(dialect=dialect, vad_mode=VadMode.LOCAL)).session(guarded=True)
    place = session["audio"]["input"] if dialect is Dialect.OPENAI else session
    assert place["turn_detection"] is None


def test_the_tools_name_their_targets() -> None:
    transfer, hang_up = shape(plans.settings()).session(guarded=True)["tools"]
    assert transfer["name"] == "transfer_call"
    assert transfer["parameters"]["properties"]["target"]["enum"] == ["sales", "support"]
    assert transfer["parameters"]["required"] == ["target"]
    assert "sales: orders and prices" in transfer["description"]
    assert "support" in transfer["description"]
    assert "sip:" not in json.dumps(transfer)
    assert hang_up["name"] == "hang_up"
    assert "required" not in hang_up["parameters"]


def test_no_target_no_transfer() -> None:
    names = [
        tool["name"] for tool in shape(plans.settings(), ToolSet()).session(guarded=True)["tools"]
    ]
    assert names == ["hang_up"]


@BOTH
def test_a_greeting_is_spoken_word_for_word_and_calls_no_tool(dialect: Dialect) -> None:
    spoken = shape(plans.settings(dialect=dialect)).spoken(
        Greeting(language="de", text="Guten Tag.")
    )
    assert spoken == {
        "instructions": 'Say exactly this to the caller, in the language "de", and nothing else:'
        " <<<Guten Tag.>>>",
        "tool_choice": "none",
    }


def test_further_fields_go_into_the_session_beside_the_settings() -> None:
    extra = {
        "truncation": {"type": "retention_ratio", "retention_ratio": 0.8},
        "tool_choice": "required",
        "parallel_tool_calls": False,
    }
    of = shape(plans.settings(session_extra=extra))
    session = of.session(guarded=False)
    assert {name: session[name] for name in extra} == extra
    assert session["instructions"] == of.settings.instructions
    event = of.session_update(session, "update_1")
    assert strict.validate(msgspec.json.encode(event), Dialect.OPENAI) == event
    beta = shape(plans.settings(dialect=Dialect.OPENAI_BETA, session_extra={"tool_choice": "none"}))
    assert beta.session(guarded=False)["tool_choice"] == "none"


def test_further_fields_are_not_sent_again_with_each_change_of_turn_taking() -> None:
    of = shape(plans.settings(session_extra={"tool_choice": "required"}))
    assert "tool_choice" not in of.turn_taking(guarded=True)
