"""Every event that a server of either dialect can send is acted on or knowingly ignored."""

from __future__ import annotations

import contextlib
import itertools
import json
import types
from typing import Any, Literal, Union, get_args, get_origin

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from openai.types.beta.realtime import RealtimeServerEvent as BetaServerEvent
from openai.types.realtime import RealtimeServerEvent as GaServerEvent
from pydantic import BaseModel

from media_worker.contract import AudioFormat, Dialect
from media_worker.realtime import wire
from media_worker.realtime.session import Heard
from media_worker.realtime.wire import IGNORED, NAMES, IgnoredEvent, MalformedFrameError
from tests.media_worker.realtime import strict
from tests.media_worker.realtime.cores import core

OTHER_VENDORS = {
    "conversation.item.input_audio_transcription.updated",  # xAI
    "ping",  # xAI
    "session.finished",  # Qwen
}


def models(union: Any) -> list[type[BaseModel]]:
    return list(get_args(get_args(union)[0]))


def name_of(model: type[BaseModel]) -> str:
    name: str = get_args(model.model_fields["type"].annotation)[0]
    return name


EVERY_MODEL = [*models(GaServerEvent), *models(BetaServerEvent)]
EVERY_NAME = {name_of(model) for model in EVERY_MODEL}


def sample(annotation: Any, *, full: bool) -> Any:
    """A value of a type: with `full`, every optional field is there."""
    origin = get_origin(annotation)
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return {
            name: sample(field.annotation, full=full)
            for name, field in annotation.model_fields.items()
            if full or field.is_required()
        }
    if origin is Literal:
        return get_args(annotation)[0]
    if origin in (Union, types.UnionType):
        return sample(next(a for a in get_args(annotation) if a is not type(None)), full=full)
    if origin is list:
        return [sample(get_args(annotation)[0], full=full)]
    if origin is not None and hasattr(annotation, "__metadata__"):
        return sample(get_args(annotation)[0], full=full)
    simple: dict[Any, Any] = {str: "AAAA", int: 7, float: 0.5, bool: True}
    return simple.get(annotation, {})


@pytest.mark.parametrize("full", [True, False])
@pytest.mark.parametrize(
    "model", EVERY_MODEL, ids=lambda model: f"{model.__module__}.{name_of(model)}"
)
def test_each_event_of_the_api_is_accepted_or_knowingly_ignored(
    model: type[BaseModel], full: bool
) -> None:
    frame = json.dumps(sample(model, full=full))
    event = wire.decode(frame)
    name = name_of(model)
    assert (name in NAMES) != (name in IGNORED)
    if isinstance(event, IgnoredEvent):
        assert event == IgnoredEvent(name, known=True)
    else:
        assert isinstance(event, NAMES[name])
    session = core()
    session.receive(event)
    assert all(session.complaints.ignored[other] == 0 for other in EVERY_NAME - IGNORED)


def test_the_tables_hold_no_name_that_nobody_sends() -> None:
    assert {*NAMES, *IGNORED} == EVERY_NAME | OTHER_VENDORS


@pytest.mark.parametrize(
    ("ga", "beta"),
    [
        ("response.output_audio.delta", "response.audio.delta"),
        ("response.output_audio.done", "response.audio.done"),
        ("response.output_audio_transcript.delta", "response.audio_transcript.delta"),
        ("response.output_audio_transcript.done", "response.audio_transcript.done"),
        ("response.output_text.delta", "response.text.delta"),
        ("response.output_text.done", "response.text.done"),
        ("conversation.item.added", "conversation.item.created"),
    ],
)
def test_both_columns_of_names_mean_the_same(ga: str, beta: str) -> None:
    assert NAMES[ga] is NAMES[beta]


def test_an_unknown_event_is_counted_and_logged_once(log_lines: list[dict[str, Any]]) -> None:
    session = core()
    for _ in range(3):
        session.receive(
            wire.decode('{"type":"response.telepathy.delta","delta":"secret thoughts"}')
        )
    session.receive(wire.decode('{"type":"rate_limits.updated"}'))
    assert session.complaints.ignored["response.telepathy.delta"] == 3
    assert session.complaints.ignored["rate_limits.updated"] == 1
    assert [line["event_type"] for line in log_lines] == ["response.telepathy.delta"]
    assert "secret" not in str(log_lines)


def test_a_flood_of_unknown_names_does_not_grow(log_lines: list[dict[str, Any]]) -> None:
    session = core()
    for number in range(1000):
        session.receive(IgnoredEvent(f"new.{number}." + "x" * 10_000, known=False))
    assert len(session.complaints.ignored) == 51
    assert session.complaints.ignored["others"] == 950
    assert len(log_lines) == 50
    assert len(str(log_lines)) < 20_000


@pytest.mark.parametrize(
    "frame",
    [
        b"",
        b"null",
        b"[]",
        b'"error"',
        b"{}",
        b'{"type":7}',
        b'{"type":null}',
        b'{"type":"error"',
        b'{"type":"error"}',
        b'{"type":"error","error":"no"}',
        b'{"type":"response.output_audio.delta","item_id":"i","delta":"not base64!"}',
        b'{"type":"response.output_audio.delta","delta":"AAAA"}',
        b'{"type":"response.done","response":[]}',
        b"\xff\xfe\x00",
        b"[" * 100_000,
    ],
)
def test_malformed_frames(frame: bytes) -> None:
    with pytest.raises(MalformedFrameError):
        wire.decode(frame)


_ids = st.sampled_from(["a", "b", ""])
_odd = (
    st.none() | st.booleans() | st.integers(-2, 2) | st.text(max_size=4) | st.just([]) | st.just({})
)


@st.composite
def _any_order(draw: st.DrawFn) -> list[dict[str, Any]]:
    """Events in no order at all, with few ids, and here and there a value that has no business."""
    events = []
    for model in draw(st.lists(st.sampled_from(EVERY_MODEL), max_size=12)):
        event = sample(model, full=draw(st.booleans()))
        for name in ("item_id", "response_id", "call_id"):
            if name in event:
                event[name] = draw(_ids)
        for name in ("item", "response", "error"):
            if isinstance(event.get(name), dict):
                event[name] |= {"id": draw(_ids), "status": draw(_odd), "event_id": draw(_odd)}
                event[name]["type"] = draw(st.sampled_from(["message", "function_call"]))
        if draw(st.integers(0, 4)) == 0:
            event[draw(st.sampled_from(sorted(event)))] = draw(_odd)
        events.append(event)
    return events


@given(_any_order(), st.lists(st.integers(0, 3), max_size=12))
@settings(deadline=None)
def test_no_order_of_events_breaks_a_session(events: list[dict[str, Any]], acts: list[int]) -> None:
    session = core()
    wants = [
        lambda: session.respond(),
        lambda: session.interrupt(Heard("a", 1)),
        lambda: session.tool_result("a", "{}", respond=True),
        lambda: session.set_guard(not session.is_guarded),
    ]
    for event, act in itertools.zip_longest(events, acts):
        if act is not None:
            wants[act]()
        if event is not None:
            with contextlib.suppress(MalformedFrameError):
                session.receive(wire.decode(json.dumps(event)))
    for sent in session.outgoing:
        strict.validate(json.dumps(sent), Dialect.OPENAI)


@given(st.binary(max_size=64))
def test_bytes_are_an_event_or_malformed(frame: bytes) -> None:
    with contextlib.suppress(MalformedFrameError):
        assert wire.decode(frame)


@pytest.mark.parametrize(
    ("echo", "asked", "meant"),
    [
        (None, AudioFormat.PCMU, AudioFormat.PCMU),
        ({"type": "audio/pcmu"}, AudioFormat.PCMA, AudioFormat.PCMU),
        ({"type": "audio/pcma"}, AudioFormat.PCMA, AudioFormat.PCMA),
        ({"type": "audio/pcm", "rate": 24000}, AudioFormat.PCMU, AudioFormat.PCM_24K),
        ({"type": "audio/pcm", "rate": 16000}, AudioFormat.PCMU, AudioFormat.PCM_16K),
        ({"type": "audio/pcm"}, AudioFormat.PCMU, AudioFormat.PCM_24K),
        ("pcm16", AudioFormat.PCM_16K, AudioFormat.PCM_16K),
        ("pcm16", AudioFormat.PCMU, AudioFormat.PCM_24K),
        ("g711_ulaw", AudioFormat.PCMU, AudioFormat.PCMU),
        ("g711_alaw", AudioFormat.PCMU, AudioFormat.PCMA),
        ({"type": "audio/pcm", "rate": 48000}, AudioFormat.PCMU, None),
        ({"type": "audio/opus"}, AudioFormat.PCMU, None),
        ({}, AudioFormat.PCMU, None),
        (["pcm16"], AudioFormat.PCMU, None),
    ],
)
def test_formats_of_an_echo(echo: Any, asked: AudioFormat, meant: AudioFormat | None) -> None:
    assert wire.audio_format(echo, asked) is meant
