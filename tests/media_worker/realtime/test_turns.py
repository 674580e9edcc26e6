"""A turn as events: the caller's words, the agent's speech, the order of items, one response."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from media_worker.contract import Dialect, Greeting, VadMode
from media_worker.realtime.session import (
    AgentAudio,
    AgentAudioDone,
    AgentItem,
    AgentText,
    AgentTextDone,
    CallerText,
    ResponseFinished,
    ResponseStarted,
    SpeechStarted,
    SpeechStopped,
    TurnCommitted,
)
from tests.media_worker.realtime.cores import Feed, core
from tests.media_worker.realtime.signals import PCMU_SPEECH

TRANSCRIPTION = "conversation.item.input_audio_transcription"
AUDIO = base64.b64encode(PCMU_SPEECH).decode()
CREATE = {"type": "response.create"}


@pytest.fixture
def feed() -> Feed:
    return Feed(core())


# --- the caller ----------------------------------------------------------------------------------


def test_the_caller_speaks(feed: Feed) -> None:
    assert feed("input_audio_buffer.speech_started", item_id="u1", audio_start_ms=640) == [
        SpeechStarted("u1", 640)
    ]
    assert feed("input_audio_buffer.speech_stopped", item_id="u1", audio_end_ms=1900) == [
        SpeechStopped("u1", 1900)
    ]
    assert feed("input_audio_buffer.committed", item_id="u1", previous_item_id="a0") == [
        TurnCommitted("u1", "a0")
    ]


def test_moments_may_be_fractions_and_items_unnamed(feed: Feed) -> None:
    assert feed("input_audio_buffer.speech_started", item_id=None, audio_start_ms=639.6) == [
        SpeechStarted("", 640)
    ]


def test_the_callers_words_grow_by_item(feed: Feed) -> None:
    words = [
        feed(f"{TRANSCRIPTION}.delta", item_id="u1", content_index=0, delta="I would"),
        feed(f"{TRANSCRIPTION}.delta", item_id="u2", content_index=0, delta="Hello"),
        feed(f"{TRANSCRIPTION}.delta", item_id="u1", content_index=0, delta=" like"),
        feed(f"{TRANSCRIPTION}.delta", item_id="u1", content_index=0),
        feed(f"{TRANSCRIPTION}.completed", item_id="u1", transcript="I would like to."),
    ]
    assert words == [
        [CallerText("u1", "I would", final=False)],
        [CallerText("u2", "Hello", final=False)],
        [CallerText("u1", "I would like", final=False)],
        [],
        [CallerText("u1", "I would like to.", final=True)],
    ]


def test_the_callers_words_may_come_whole_each_time(feed: Feed) -> None:
    texts = [feed(f"{TRANSCRIPTION}.updated", item_id="u1", transcript=t) for t in ("I", "I am")]
    assert texts == [[CallerText("u1", "I", final=False)], [CallerText("u1", "I am", final=False)]]


def test_nothing_was_said_after_all(feed: Feed) -> None:
    feed(f"{TRANSCRIPTION}.delta", item_id="u1", delta="Thank you.")
    assert feed(f"{TRANSCRIPTION}.completed", item_id="u1", transcript="") == [
        CallerText("u1", "", final=True)
    ]


def test_words_that_were_not_understood(feed: Feed) -> None:
    feed(f"{TRANSCRIPTION}.delta", item_id="u1", delta="Hm")
    failed = feed(f"{TRANSCRIPTION}.failed", item_id="u1", error={"message": "too short"})
    assert failed == [CallerText("u1", "Hm", final=True, failed=True)]


# --- the agent -----------------------------------------------------------------------------------


@pytest.mark.parametrize("dialect", list(Dialect))
def test_the_agent_speaks(dialect: Dialect) -> None:
    feed = Feed(core(dialect=dialect), dialect)
    assert feed.created() == [ResponseStarted("resp_1")]
    assert feed.item("a1", previous="u1") == [AgentItem("a1", "u1", "resp_1")]
    assert feed.words("a1", "Good ") == [AgentText("a1", "Good ")]
    assert feed.audio("a1", AUDIO) == [AgentAudio("a1", PCMU_SPEECH)]
    assert feed.audio_done("a1") == [AgentAudioDone("a1")]
    assert feed.words_done("a1", "Good day.") == [AgentTextDone("a1", "Good day.")]
    assert feed.done() == [
        ResponseFinished(response_id="resp_1", status="completed", had_audio=True)
    ]


def test_an_item_begins_once_and_with_its_place_when_the_place_comes_first(feed: Feed) -> None:
    feed.created()
    item = {"id": "a1", "type": "message", "role": "assistant"}
    assert feed("conversation.item.added", item=item, previous_item_id="u1") == []
    assert feed("response.output_item.added", response_id="resp_1", item=item) == [
        AgentItem("a1", "u1", "resp_1")
    ]
    assert feed("conversation.item.added", item=item, previous_item_id="u1") == []


def test_an_item_begins_with_its_first_sound_when_nothing_announced_it(feed: Feed) -> None:
    feed.created()
    assert feed.audio("a1", AUDIO) == [
        AgentItem("a1", None, "resp_1"),
        AgentAudio("a1", PCMU_SPEECH),
    ]


def test_a_response_begins_with_its_first_item_when_nothing_announced_it(feed: Feed) -> None:
    feed.session.say(Greeting(language="en", text="Good day."))
    feed.sent()
    assert feed.item("a1") == [ResponseStarted("resp_1"), AgentItem("a1", None, "resp_1")]
    assert feed.audio("a1", AUDIO) == [AgentAudio("a1", PCMU_SPEECH)]
    feed.session.respond()
    assert feed.sent() == [], "one response at a time"
    feed.done()
    assert feed.sent() == [CREATE]


def test_what_comes_late_of_a_finished_response_does_not_begin_it_again(feed: Feed) -> None:
    feed.created()
    feed.done(status="cancelled")
    assert ResponseStarted("resp_1") not in feed.item("a1")


def test_events_that_do_not_name_their_response_belong_to_the_one_being_made(feed: Feed) -> None:
    feed.created()
    assert feed.item("a1", response_id="") == [AgentItem("a1", None, "resp_1")]
    assert feed.audio("a2", AUDIO, response_id="")[0] == AgentItem("a2", None, "resp_1")


def test_two_items_of_one_response(feed: Feed) -> None:
    feed.created()
    feed.item("a1", previous="u1")
    assert feed.item("a2", previous="a1") == [AgentItem("a2", "a1", "resp_1")]


def test_a_place_behind_items_that_nobody_sees_is_behind_the_last_that_was_seen(feed: Feed) -> None:
    feed("input_audio_buffer.committed", item_id="u1", previous_item_id=None)
    call = {"id": "f1", "type": "function_call", "call_id": "c1", "name": "transfer_call"}
    output = {"id": "o1", "type": "function_call_output", "call_id": "c1"}
    feed("conversation.item.added", item=call, previous_item_id="u1")
    feed("conversation.item.added", item=output, previous_item_id="f1")
    feed.created()
    assert feed.item("a1", previous="o1") == [AgentItem("a1", "u1", "resp_1")]


def test_places_that_go_in_a_circle_end(feed: Feed) -> None:
    for item_id, previous in (("x", "y"), ("y", "x")):
        output = {"id": item_id, "type": "function_call_output"}
        feed("conversation.item.added", item=output, previous_item_id=previous)
    feed.created()
    assert feed.item("a1", previous="x") == [AgentItem("a1", "x", "resp_1")]


def test_a_response_says_how_it_ended(feed: Feed) -> None:
    feed.created()
    details = {"type": "cancelled", "reason": "turn_detected"}
    assert feed.done(status="cancelled", status_details=details) == [
        ResponseFinished(response_id="resp_1", status="cancelled", reason="turn_detected")
    ]
    feed.created("resp_2")
    details = {"type": "incomplete", "reason": "max_output_tokens"}
    (finished,) = feed.done("resp_2", status="incomplete", status_details=details)
    assert (finished.status, finished.reason) == ("incomplete", "max_output_tokens")


# --- one response at a time ----------------------------------------------------------------------


def test_an_answer_waits_for_the_active_response(feed: Feed) -> None:
    feed.created()
    feed.session.respond()
    assert feed.sent() == []
    feed.done()
    assert feed.sent() == [CREATE]


def test_an_answer_waits_for_the_one_that_was_asked_for(feed: Feed) -> None:
    feed.session.respond()
    feed.session.say(Greeting(language="en", text="One moment."))
    assert feed.sent() == [CREATE]
    feed.created()
    assert feed.sent() == []
    feed.done()
    (say,) = feed.sent()
    assert "<<<One moment.>>>" in say["response"]["instructions"]


def test_answers_that_wait_together_are_one(feed: Feed) -> None:
    feed.created()
    feed.session.tool_result("c1", "{}", respond=True)
    feed.session.tool_result("c2", "{}", respond=True)
    feed.session.respond()
    assert [event["type"] for event in feed.sent()] == ["conversation.item.create"] * 2
    feed.done()
    assert feed.sent() == [CREATE]
    feed.created("resp_2")
    feed.done("resp_2")
    assert feed.sent() == []


@pytest.mark.parametrize("echoes", [True, False])
@pytest.mark.parametrize(
    ("code", "message"),
    [
        ("conversation_already_has_active_response", "Conversation already has ..."),
        (None, "Conversation already has an active response"),
    ],
)
def test_refused_because_another_response_is_active_it_is_asked_again(
    feed: Feed, code: str | None, message: str, echoes: bool
) -> None:
    feed.session.respond()
    event_id = feed.sent_id() if echoes else None
    assert feed.sent() == [CREATE]
    error = {"type": "invalid_request_error", "code": code, "message": message}
    assert feed("error", error={**error, "event_id": event_id}) == []
    assert feed.sent() == []
    feed.done("resp_of_the_server")
    assert feed.sent() == [CREATE]


def test_refused_after_the_servers_own_response_began(feed: Feed) -> None:
    """Our response.create and the server's own response crossed on the line."""
    feed.session.respond()
    event_id = feed.sent_id()
    feed.sent()
    feed.created("resp_of_the_server")
    error = {"code": "conversation_already_has_active_response", "event_id": event_id}
    assert feed("error", error=error) == []
    assert feed.sent() == []
    feed.done("resp_of_the_server")
    assert feed.sent() == [CREATE]


def test_another_refusal_of_an_answer_does_not_block_the_next(feed: Feed) -> None:
    feed.session.respond()
    event_id = feed.sent_id()
    feed.sent()
    feed("error", error={"type": "invalid_request_error", "message": "?", "event_id": event_id})
    feed.session.respond()
    assert feed.sent() == [CREATE]


def test_a_result_waits_while_the_caller_speaks_because_the_provider_will_answer(
    feed: Feed,
) -> None:
    feed("input_audio_buffer.speech_started", item_id="u1", audio_start_ms=0)
    feed.session.tool_result("c1", "{}", respond=True)
    assert [event["type"] for event in feed.sent()] == ["conversation.item.create"]
    output = {"id": "o1", "type": "function_call_output", "call_id": "c1"}
    feed("conversation.item.added", item=output)
    feed.created("resp_of_the_server")
    feed.done("resp_of_the_server")
    assert feed.sent() == []


def test_a_result_that_the_providers_answer_did_not_know_is_answered_after_it(feed: Feed) -> None:
    feed("input_audio_buffer.speech_started", item_id="u1", audio_start_ms=0)
    feed.session.tool_result("c1", "{}", respond=True)
    feed.created("resp_of_the_server")
    feed.sent()
    feed.done("resp_of_the_server")
    assert feed.sent() == [CREATE]


@pytest.mark.parametrize("changes", [{"guarded": True}, {"vad_mode": VadMode.LOCAL}])
def test_a_result_does_not_wait_for_the_caller_where_the_provider_would_not_answer(
    changes: dict[str, Any],
) -> None:
    feed = Feed(core(**changes))
    feed("input_audio_buffer.speech_started", item_id="u1", audio_start_ms=0)
    feed.session.tool_result("c1", "{}", respond=True)
    assert [event["type"] for event in feed.sent()] == ["conversation.item.create", CREATE["type"]]


# --- the guard -----------------------------------------------------------------------------------


def test_the_guard_is_lifted_once_with_the_whole_turn_detection() -> None:
    feed = Feed(core(guarded=True, vad_threshold=0.6))
    feed.session.set_guard(False)
    feed.session.set_guard(False)
    assert feed.sent() == [
        {
            "type": "session.update",
            "session": {
                "type": "realtime",
                "audio": {
                    "input": {
                        "turn_detection": {
                            "type": "server_vad",
                            "threshold": 0.6,
                            "prefix_padding_ms": 300,
                            "silence_duration_ms": 500,
                            "create_response": True,
                            "interrupt_response": True,
                        }
                    }
                },
            },
        }
    ]


def test_the_guard_of_the_beta_shape() -> None:
    feed = Feed(core(guarded=True, dialect=Dialect.OPENAI_BETA, interrupt=False))
    feed.session.set_guard(False)
    (update,) = feed.sent()
    assert list(update["session"]) == ["turn_detection"]
    assert update["session"]["turn_detection"]["create_response"] is True
    assert update["session"]["turn_detection"]["interrupt_response"] is False


def test_our_own_vad_needs_no_guard() -> None:
    feed = Feed(core(guarded=True, vad_mode=VadMode.LOCAL))
    feed.session.set_guard(False)
    assert feed.sent() == []
