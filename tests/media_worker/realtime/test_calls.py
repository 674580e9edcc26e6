"""Function calls: given out once, complete, whichever events tell of them."""

from __future__ import annotations

from typing import Any

import pytest

from media_worker.realtime.session import ResponseFinished, SessionEvent, ToolRequested
from tests.media_worker.realtime.cores import Feed, core

ARGUMENTS = '{"target": "sales"}'
CALL_ID = "call_" + "x" * 40
WANTED = ToolRequested(CALL_ID, "f1", "transfer_call", ARGUMENTS)


def item(status: str | None = "completed", **changes: Any) -> dict[str, Any]:
    return {
        "id": "f1",
        "type": "function_call",
        "call_id": CALL_ID,
        "name": "transfer_call",
        "arguments": ARGUMENTS,
        "status": status,
    } | changes


@pytest.fixture
def feed() -> Feed:
    feed = Feed(core())
    feed.created()
    return feed


def began(feed: Feed) -> list[SessionEvent]:
    started = item("in_progress", arguments="")
    return feed("response.output_item.added", response_id="resp_1", item=started)


def arguments_done(feed: Feed, arguments: str = ARGUMENTS, **more: Any) -> list[SessionEvent]:
    return feed(
        "response.function_call_arguments.done",
        response_id="resp_1",
        item_id="f1",
        call_id=CALL_ID,
        arguments=arguments,
        **more,
    )


def item_done(feed: Feed, status: str | None = "completed", **changes: Any) -> list[SessionEvent]:
    return feed("response.output_item.done", response_id="resp_1", item=item(status, **changes))


def requested(events: list[SessionEvent]) -> list[ToolRequested]:
    return [event for event in events if isinstance(event, ToolRequested)]


def test_all_events_together_are_one_call(feed: Feed) -> None:
    told = [
        *began(feed),
        *arguments_done(feed, name="transfer_call"),
        *item_done(feed),
        *feed.done(output=[item()]),
    ]
    assert requested(told) == [WANTED]
    assert told[-1] == ResponseFinished(
        response_id="resp_1", status="completed", had_tool_calls=True
    )


def test_the_finished_item_alone(feed: Feed) -> None:
    assert item_done(feed) == [WANTED]


def test_the_response_alone(feed: Feed) -> None:
    assert requested(feed.done(output=[item()])) == [WANTED]


def test_the_arguments_alone_name_the_function_where_the_item_did(feed: Feed) -> None:
    """The beta shape, from a server that neither closes items nor lists them."""
    began(feed)
    assert arguments_done(feed) == []
    assert requested(feed.done()) == [WANTED]


@pytest.mark.parametrize("status", ["incomplete", "in_progress"])
def test_an_interrupted_call_is_none(feed: Feed, status: str) -> None:
    began(feed)
    arguments_done(feed, '{"target": "sa')
    assert item_done(feed, status, arguments='{"target": "sa') == []
    assert requested(feed.done(status="cancelled", output=[item(status)])) == []


def test_whole_arguments_of_an_interrupted_call_are_none(feed: Feed) -> None:
    began(feed)
    arguments_done(feed)
    assert item_done(feed, "incomplete") == []
    assert requested(feed.done(status="cancelled")) == []


def test_a_call_without_a_status_in_a_cancelled_response_is_none(feed: Feed) -> None:
    assert requested(feed.done(status="cancelled", output=[item(None)])) == []


def test_arguments_of_a_cancelled_response_are_none(feed: Feed) -> None:
    began(feed)
    arguments_done(feed)
    assert requested(feed.done(status="cancelled")) == []


def test_half_arguments_of_a_completed_response_are_none(feed: Feed) -> None:
    began(feed)
    arguments_done(feed, '{"target": "sa')
    assert requested(feed.done()) == []


def test_no_arguments_are_an_empty_object(feed: Feed) -> None:
    assert item_done(feed, arguments="", name="hang_up") == [
        ToolRequested(CALL_ID, "f1", "hang_up", "{}")
    ]


def test_two_calls_of_one_response(feed: Feed) -> None:
    second = {"id": "f2", "call_id": "call_2", "name": "hang_up", "arguments": "{}"}
    told = [*item_done(feed), *item_done(feed, **second), *feed.done()]
    assert [call.tool_call_id for call in requested(told)] == [CALL_ID, "call_2"]


def test_the_result_goes_to_the_call_by_its_own_id_then_the_answer_is_asked_for(
    feed: Feed,
) -> None:
    item_done(feed)
    feed.done()
    feed.session.tool_result(CALL_ID, '{"ok": false}', respond=True)
    assert feed.sent() == [
        {
            "type": "conversation.item.create",
            "item": {
                "type": "function_call_output",
                "call_id": CALL_ID,
                "output": '{"ok": false}',
            },
        },
        {"type": "response.create"},
    ]


def test_a_result_without_an_answer(feed: Feed) -> None:
    feed.done()
    feed.session.tool_result(CALL_ID, "{}", respond=False)
    assert [event["type"] for event in feed.sent()] == ["conversation.item.create"]
