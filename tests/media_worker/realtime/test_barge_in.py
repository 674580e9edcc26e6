"""Interrupted: the provider learns to the millisecond what was heard, and late audio is dropped."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from media_worker.contract import AudioFormat, Greeting
from media_worker.realtime.session import AgentAudio, AgentItem, Heard, ResponseFinished
from tests.media_worker.realtime.cores import Feed, core
from tests.media_worker.realtime.signals import PCM24_SPEECH, PCMU_SPEECH

HALF_SECOND = base64.b64encode(PCMU_SPEECH).decode()
CANCEL = {"type": "response.cancel", "response_id": "resp_1"}


def truncate(item_id: str, milliseconds: int) -> dict[str, Any]:
    return {
        "type": "conversation.item.truncate",
        "item_id": item_id,
        "content_index": 0,
        "audio_end_ms": milliseconds,
    }


def delete(item_id: str) -> dict[str, Any]:
    return {"type": "conversation.item.delete", "item_id": item_id}


@pytest.fixture
def speaking() -> Feed:
    """Half a second of item a1 has come; the response goes on."""
    feed = Feed(core())
    feed.created()
    feed.item("a1")
    feed.audio("a1", HALF_SECOND)
    return feed


@pytest.fixture
def spoken(speaking: Feed) -> Feed:
    """The response is finished, and still being played."""
    speaking.audio_done("a1")
    speaking.done()
    return speaking


def test_while_it_is_made_the_response_is_cancelled_too(speaking: Feed) -> None:
    speaking.session.interrupt(Heard("a1", 320))
    assert speaking.sent() == [CANCEL, truncate("a1", 320)]


def test_after_it_is_made_nothing_is_cancelled(spoken: Feed) -> None:
    spoken.session.interrupt(Heard("a1", 320))
    assert spoken.sent() == [truncate("a1", 320)]


def test_never_more_than_was_received(speaking: Feed) -> None:
    speaking.session.interrupt(Heard("a1", 9000))
    assert speaking.sent() == [CANCEL, truncate("a1", 500)]


@pytest.mark.parametrize("milliseconds", [500, 520])
def test_heard_to_the_end_it_stays_whole(spoken: Feed, milliseconds: int) -> None:
    spoken.session.interrupt(Heard("a1", milliseconds))
    assert spoken.sent() == []


def test_of_which_nothing_was_heard_is_deleted(spoken: Feed) -> None:
    spoken.session.interrupt(Heard("a1", 0))
    assert spoken.sent() == [delete("a1")]


def test_told_once(spoken: Feed) -> None:
    spoken.session.interrupt(Heard("a1", 100))
    spoken.sent()
    spoken.session.interrupt(Heard("a1", 100))
    assert spoken.sent() == []


def test_an_item_that_nobody_knows(spoken: Feed) -> None:
    spoken.session.interrupt(Heard("zz", 100))
    assert spoken.sent() == []


def test_the_items_after_the_one_being_heard_go_whole(spoken: Feed) -> None:
    spoken.created("resp_2")
    spoken.item("a2", "resp_2")
    spoken.audio("a2", HALF_SECOND, "resp_2")
    spoken.session.interrupt(Heard("a1", 480))
    assert spoken.sent() == [
        {"type": "response.cancel", "response_id": "resp_2"},
        truncate("a1", 480),
        delete("a2"),
    ]


def test_milliseconds_are_those_of_the_format() -> None:
    feed = Feed(core(opened=AudioFormat.PCM_24K))
    feed.created()
    feed.item("a1")
    feed.audio("a1", base64.b64encode(PCM24_SPEECH).decode())
    feed.session.interrupt(Heard("a1", 9000))
    assert feed.sent() == [CANCEL, truncate("a1", 500)]


def test_nothing_was_played_yet(speaking: Feed) -> None:
    speaking.session.interrupt(None)
    assert speaking.sent() == [CANCEL]


def test_nothing_to_interrupt() -> None:
    feed = Feed(core())
    feed.session.interrupt(None)
    assert feed.sent() == []


def test_late_audio_is_dropped_and_so_is_what_the_response_begins_yet(speaking: Feed) -> None:
    speaking.session.interrupt(Heard("a1", 320))
    assert speaking.audio("a1", HALF_SECOND) == []
    assert speaking.item("a2") == []
    assert speaking.audio("a2", HALF_SECOND) == []
    assert speaking.words("a2", "unheard") == []
    (finished,) = speaking.done(status="cancelled")
    assert isinstance(finished, ResponseFinished)


def test_the_next_response_is_heard(speaking: Feed) -> None:
    speaking.session.interrupt(Heard("a1", 320))
    speaking.done(status="cancelled")
    speaking.created("resp_2")
    assert speaking.item("a2", "resp_2", previous="a1") == [AgentItem("a2", "a1", "resp_2")]
    assert speaking.audio("a2", HALF_SECOND, "resp_2") == [AgentAudio("a2", PCMU_SPEECH)]


def test_responses_without_ids() -> None:
    feed = Feed(core())
    feed("response.created", response={})
    feed.audio("a1", HALF_SECOND, "")
    feed.session.interrupt(Heard("a1", 100))
    assert feed.sent() == [{"type": "response.cancel"}, truncate("a1", 100)]
    assert feed.audio("a1", HALF_SECOND, "") == []
    feed("response.done", response={"status": "cancelled"})
    feed("response.created", response={})
    assert feed.audio("a2", HALF_SECOND, "") != []


def test_between_the_question_and_its_response() -> None:
    feed = Feed(core())
    feed.session.respond()
    feed.session.interrupt(None)
    assert feed.sent() == [{"type": "response.create"}, {"type": "response.cancel"}]
    feed.created("resp_1")
    assert feed.audio("a1", HALF_SECOND) == []
    feed.done("resp_1", status="cancelled")
    feed.created("resp_2")
    assert feed.audio("a2", HALF_SECOND, "resp_2") != []


def test_words_that_wait_to_be_said_are_not_wanted_any_more(speaking: Feed) -> None:
    speaking.session.say(Greeting(language="en", text="And another thing."))
    speaking.session.interrupt(Heard("a1", 320))
    speaking.sent()
    speaking.done(status="cancelled")
    assert speaking.sent() == []


def _race(speaking: Feed, **error: Any) -> list[Any]:
    speaking.session.interrupt(Heard("a1", 320))
    return speaking("error", error={"type": "invalid_request_error", **error})


@pytest.mark.parametrize(
    "error",
    [
        {"code": "response_cancel_not_active", "message": "Cancellation failed"},
        {"code": None, "message": "Cancellation failed: no active response found"},
        {
            "code": "invalid_value",
            "message": "Audio content of 300ms is already shorter than 320ms",
        },
        {"code": "x", "message": "Only model output audio messages can be truncated"},
        {"code": "item_delete_invalid_item_id", "message": "no such item"},
        {"code": "anything", "message": "anything", "event_id": "truncate_7"},
    ],
)
def test_a_race_with_the_servers_own_cancel_is_no_problem(
    speaking: Feed, error: dict[str, Any]
) -> None:
    assert _race(speaking, **error) == []
    assert speaking.session.ended is None
    assert speaking.session.complaints.harmless == 1


def test_another_error_in_the_same_moment_is_one(speaking: Feed) -> None:
    (problem,) = _race(speaking, code="invalid_value", message="something else")
    assert problem.message == "something else"
