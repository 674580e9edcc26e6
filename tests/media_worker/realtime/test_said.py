"""What the agent has said by other means than the session: a greeting that was played."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from media_worker.audio.g711 import encode_mu_law
from media_worker.contract import Dialect
from media_worker.realtime.client import RealtimeClient
from media_worker.realtime.dialects import new_session
from media_worker.realtime.session import (
    AgentTextDone,
    Problem,
    ResponseFinished,
    SessionEvent,
    TurnCommitted,
)
from media_worker.sandbox import SandboxServer
from media_worker.speech import render
from tests.media_worker.realtime import plans
from tests.media_worker.realtime.cores import Feed, core

BOTH = pytest.mark.parametrize("dialect", list(Dialect))
GREETING = "Good morning, this is the practice of Doctor Ada."


@BOTH
def test_it_becomes_an_item_of_the_agent_and_nothing_is_asked(dialect: Dialect) -> None:
    feed = Feed(core(dialect=dialect), dialect)
    feed.session.said(GREETING)
    kind = "output_text" if dialect is Dialect.OPENAI else "text"
    [created] = feed.sent()
    assert created["type"] == "conversation.item.create"
    assert "previous_item_id" not in created
    item = created["item"]
    assert (item["type"], item["role"]) == ("message", "assistant")
    assert item["content"] == [{"type": kind, "text": GREETING}]


def test_what_was_cut_off_takes_the_place_of_what_was_told() -> None:
    feed = Feed(core())
    feed.session.said(GREETING)
    [first] = feed.sent()
    feed.session.said("Good morning,")
    create, delete = feed.sent()
    assert create["item"]["content"] == [{"type": "output_text", "text": "Good morning,"}]
    assert create["previous_item_id"] == first["item"]["id"] == delete["item_id"]
    assert create["item"]["id"] != first["item"]["id"]
    assert delete["type"] == "conversation.item.delete"
    feed.session.said("")
    [delete] = feed.sent()
    assert (delete["type"], delete["item_id"]) == (
        "conversation.item.delete",
        create["item"]["id"],
    )
    feed.session.said("")
    assert feed.sent() == []


def test_the_callers_next_turn_is_placed_after_what_the_conversation_knows() -> None:
    feed = Feed(core())
    feed.session.said(GREETING)
    item = feed.sent()[0]["item"]
    assert feed("conversation.item.added", item=item, previous_item_id=None) == []
    committed = feed("input_audio_buffer.committed", item_id="u1", previous_item_id=item["id"])
    assert committed == [TurnCommitted("u1", None)]


@pytest.fixture
async def server() -> AsyncIterator[SandboxServer]:
    async with SandboxServer(pace=100) as running:
        yield running


async def until_finished(session: RealtimeClient) -> list[SessionEvent]:
    seen: list[SessionEvent] = []
    async for event in session.events():
        seen.append(event)
        if isinstance(event, ResponseFinished):
            break
    return seen


@BOTH
async def test_the_agent_knows_what_it_said(server: SandboxServer, dialect: Dialect) -> None:
    provider = plans.provider(server.url, api_key="sandbox-test")
    settings = plans.settings(dialect=dialect, transcription_model="gpt-transcribe")
    session = new_session(provider, settings, plans.TOOLS, language="en")
    await session.open(guarded=False)
    await session.said(GREETING)
    await session.said("Good morning, this is")
    pcm = render("what did you say", "en", 8000)
    session.send_audio(b"\xff" * 2400 + encode_mu_law(pcm) + b"\xff" * 6400)
    events = await until_finished(session)
    await session.close()
    assert not [event for event in events if isinstance(event, Problem)]
    [answer] = [event.text for event in events if isinstance(event, AgentTextDone)]
    assert answer == "I said: Good morning, this is"
