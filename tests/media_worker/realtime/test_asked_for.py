"""Whose words a response says, and sessions for text."""

from __future__ import annotations

import msgspec
import pytest

from media_worker.contract import Dialect, Greeting, ProblemKind
from media_worker.realtime.dialects import SHAPES
from media_worker.realtime.session import (
    AgentItem,
    AgentText,
    AgentTextDone,
    Problem,
    ResponseFinished,
    ResponseStarted,
    SayRefused,
)
from tests.media_worker.realtime import plans, strict
from tests.media_worker.realtime.cores import Feed, core

WORDS = Greeting(language="en", text="A colleague will call you back.")
BUSY = "conversation_already_has_active_response"


def test_a_response_names_whom_it_was_asked_for() -> None:
    feed = Feed(core())
    feed.session.say(WORDS, "c1")
    assert feed.created() == [ResponseStarted("resp_1", "c1")]
    feed.done()
    assert feed.created("resp_2") == [ResponseStarted("resp_2", "")]


def test_one_that_crossed_ours_is_told_of_and_ours_comes_later() -> None:
    feed = Feed(core())
    feed.session.say(WORDS, "c1")
    event_id = feed.sent_id()
    feed.sent()
    assert feed.created("theirs") == [ResponseStarted("theirs", "c1")]
    refused = feed("error", error={"code": BUSY, "event_id": event_id})
    assert refused == [SayRefused("c1", comes_again=True)]
    assert feed.sent() == []
    feed.done("theirs")
    assert [event["type"] for event in feed.sent()] == ["response.create"]
    assert feed.created("ours") == [ResponseStarted("ours", "c1")]


def test_one_that_the_provider_will_not_say_does_not_come_again() -> None:
    feed = Feed(core())
    feed.session.say(WORDS, "c1")
    event_id = feed.sent_id()
    feed.sent()
    refused, problem = feed("error", error={"code": "invalid_value", "event_id": event_id})
    assert refused == SayRefused("c1", comes_again=False)
    assert isinstance(problem, Problem)
    assert feed.sent() == []


def test_words_that_were_interrupted_before_they_began_are_not_theirs() -> None:
    feed = Feed(core())
    feed.session.say(WORDS, "c1")
    feed.session.interrupt(None)
    assert feed.created() == [ResponseStarted("resp_1", "")]


def test_a_turn_may_be_committed_without_an_answer() -> None:
    feed = Feed(core())
    feed.session.commit_turn(respond=False)
    assert [event["type"] for event in feed.sent()] == ["input_audio_buffer.commit"]


@pytest.mark.parametrize("dialect", list(Dialect))
def test_a_session_for_text_asks_for_text_and_knows_no_sound(dialect: Dialect) -> None:
    settings = plans.settings(dialect=dialect)
    shape = SHAPES[dialect](settings, plans.TOOLS, language="en", is_text=True)
    session = shape.session(guarded=False)
    assert session.get("output_modalities", session.get("modalities")) == ["text"]
    assert "audio" not in session
    assert session["instructions"] == settings.instructions
    written = shape.item_written("Hello")
    for event in (shape.session_update(session, "update_1"), written):
        assert strict.validate(msgspec.json.encode(event), dialect) == event
    item = written["item"]
    assert item["content"] == [{"type": "input_text", "text": "Hello"}]
    assert "id" not in item


def test_what_is_written_is_the_agents_words_where_text_was_asked_for() -> None:
    session = core()
    session._shape.is_text = True
    feed = Feed(session)
    session.send_text("Hello")
    assert [event["type"] for event in feed.sent()] == [
        "conversation.item.create", "response.create",
    ]  # fmt: skip
    feed.created()
    place = {"response_id": "resp_1", "item_id": "a1", "output_index": 0, "content_index": 0}
    assert feed("response.output_text.delta", **place, delta="From ") == [
        AgentItem("a1", None, "resp_1"), AgentText("a1", "From "),
    ]  # fmt: skip
    assert feed("response.output_text.done", **place, text="From nine.") == [
        AgentTextDone("a1", "From nine."),
    ]
    (finished,) = feed.done()
    assert isinstance(finished, ResponseFinished)


def test_text_where_speech_was_asked_for_is_complained_of() -> None:
    feed = Feed(core())
    feed.created()
    feed("response.output_text.delta", response_id="resp_1", item_id="a1", delta="From ")
    problem = feed("response.output_text.done", response_id="resp_1", item_id="a1", text="From")[0]
    assert problem.kind is ProblemKind.TEXT_ONLY
