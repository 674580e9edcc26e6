"""Live feeds over the real application: rows are written, the group is told, HTML arrives."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable
from time import monotonic
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from channels.testing import WebsocketCommunicator
from django.conf import settings
from django.contrib.sessions.models import Session
from django.db import OperationalError
from django.test import Client

from pbxai.asgi import application
from tenants.access import IDENTITY_KEY
from tenants.live import drawn, feeds, parts, viewers
from tenants.models import Call, Member, Tenant, ToolCall, User
from tenants.services import live
from tests.portal.conftest import say, talk

pytestmark = pytest.mark.django_db(transaction=True)

Socket = Callable[..., Any]
WAIT = 30.0


@pytest.fixture
async def socket(browse: Callable[[User], Client]) -> Any:
    """Opens a feed in a person's browser; gives the communicator and its close code."""
    opened: list[WebsocketCommunicator] = []

    async def connect(user: User | None, path: str) -> tuple[WebsocketCommunicator, bool, Any]:
        headers = [(b"origin", b"http://localhost"), (b"host", b"localhost")]
        if user:
            browser = await sync_to_async(browse)(user)
            key = browser.cookies[settings.SESSION_COOKIE_NAME].value
            headers.append((b"cookie", f"{settings.SESSION_COOKIE_NAME}={key}".encode()))
        communicator = WebsocketCommunicator(application, path, headers=headers)
        connected, code = await communicator.connect(timeout=WAIT)
        if connected:
            opened.append(communicator)
        return communicator, connected, code

    yield connect
    for communicator in opened:
        await communicator.disconnect(timeout=WAIT)


async def message(communicator: WebsocketCommunicator) -> dict[str, Any]:
    return json.loads(await communicator.receive_from(timeout=WAIT))


def part(found: dict[str, Any], needle: str) -> dict[str, Any]:
    """The one part whose HTML holds `needle`."""
    (one,) = [part for part in found["parts"] if needle in part["html"]]
    return one


def calls_path(slug: str = "acme", query: str = "") -> str:
    return f"/ws/t/{slug}/calls{query}"


def call_path(call: Call, slug: str = "acme", query: str = "") -> str:
    return f"/ws/t/{slug}/calls/{call.public_id}{query}"


async def tell_call_changed(call: Call) -> None:
    notices = await sync_to_async(lambda: live.call_changed(Call.all_tenants.get(pk=call.pk)))()
    await live.apublish(notices)


async def test_a_call_appears_changes_and_goes(
    victor: User, make_call: Callable[..., Call], socket: Socket
) -> None:
    feed, connected, _code = await socket(victor, calls_path())
    assert connected
    first = await message(feed)
    assert first["only"] == {"live-calls": []}
    assert 'data-count="0"' in part(first, "running-count")["html"]

    call = await sync_to_async(make_call)(state="ringing")
    await tell_call_changed(call)
    came = await message(feed)
    row = part(came, "live-call")
    assert row["id"] == f"call-{call.public_id}"
    assert row["into"] == "live-calls"
    assert "Maria Huber" in row["html"]
    assert "Ringing" in row["html"]
    assert 'data-count="1"' in part(came, "running-count")["html"]

    await Call.all_tenants.filter(pk=call.pk).aupdate(
        state="ended", end_cause="caller_hung_up", ended_at=call.started_at
    )
    await tell_call_changed(call)
    went = await message(feed)
    assert went["removed"] == [f"call-{call.public_id}"]
    assert 'data-count="0"' in part(went, "running-count")["html"]


async def test_start_keeps_its_numbers_and_last_calls_fresh(
    victor: User, call: Call, socket: Socket
) -> None:
    feed, _connected, _code = await socket(victor, calls_path(query="?page=start"))
    first = await message(feed)
    assert {"stat-running", "stat-answered", "stat-wait", "recent-calls"} <= {
        part["id"] for part in first["parts"]
    }
    assert str(call.public_id) in part(first, 'id="recent-calls"')["html"]


async def test_a_transcript_grows_word_by_word_in_its_place(
    victor: User, running: Call, socket: Socket
) -> None:
    await sync_to_async(talk)(running)
    feed, connected, _code = await socket(victor, call_path(running))
    assert connected
    first = await message(feed)
    listed = [part for part in first["parts"] if part.get("into") == "transcript"]
    assert [part["position"] for part in listed] == [10, 20, 30, 40]
    assert first["only"]["transcript"] == [part["id"] for part in listed]

    async def grow(text: str, **fields: Any) -> dict[str, Any]:
        entry = await sync_to_async(say)(running, "item_9", 25, "agent", text, **fields)
        await live.apublish([live.entry_changed(running, entry)])
        return part(await message(feed), "item_9")

    growing = await grow("One", final=False)
    assert growing["position"] == 25
    assert 'data-final="false"' in growing["html"]
    assert "caret" in growing["html"]
    assert "One moment please" in (await grow("One moment please", final=False))["html"]
    cut = await grow("One moment", cut_text="please", final=True)
    assert cut["id"] == growing["id"]
    assert 'data-final="true"' in cut["html"]
    assert "heard until here" in cut["html"]
    assert "caret" not in cut["html"]


async def test_an_entry_in_which_nothing_was_said_goes_away(
    victor: User, running: Call, socket: Socket
) -> None:
    feed, _connected, _code = await socket(victor, call_path(running))
    await message(feed)
    entry = await sync_to_async(say)(running, "item_5", 50, "caller", "", final=False)
    await live.apublish([live.entry_changed(running, entry)])
    began = part(await message(feed), "item_5")
    entry = await sync_to_async(say)(running, "item_5", 50, "caller", "", final=True)
    await live.apublish([live.entry_changed(running, entry)])
    assert (await message(feed))["removed"] == [began["id"]]


async def test_tools_turns_and_the_end_arrive(victor: User, running: Call, socket: Socket) -> None:
    feed, _connected, _code = await socket(victor, call_path(running))
    await message(feed)
    await ToolCall.all_tenants.acreate(
        tenant_id=running.tenant_id,
        call=running,
        tool_call_id="t1",
        position=5,
        name="hang_up",
        state="running",
    )
    await live.apublish([live.tool_changed(running, "t1")])
    assert 'data-tool="hang_up" data-state="running"' in part(await message(feed), "tool")["html"]

    await Call.all_tenants.filter(pk=running.pk).aupdate(
        state="ended", end_cause="agent_hung_up", ended_at=running.started_at
    )
    await tell_call_changed(running)
    ended = await message(feed)
    ids = {part["id"] for part in ended["parts"]}
    assert ids == {
        "call-line",
        "call-outcome",
        "call-cost",
        "call-problems",
        "call-facts",
        "call-sound",
        "call-log",
        "call-muted",
        "call-recording",
        "turns",
        "running-count",
    }
    assert 'data-state="ended"' in part(ended, 'id="call-state"')["html"]
    assert "The agent said goodbye and hung up." in part(ended, 'id="call-outcome"')["html"]
    assert ended["removed"] == ["hang-up", "call-actions"]


async def test_what_happens_at_once_is_sent_together(
    victor: User, running: Call, socket: Socket
) -> None:
    feed, _connected, _code = await socket(victor, call_path(running))
    await message(feed)
    entries = [
        await sync_to_async(say)(running, f"many_{number}", number, "caller", f"word {number}")
        for number in range(5)
    ]
    await live.apublish([live.entry_changed(running, entry) for entry in entries])
    sent = [await message(feed)]
    while sum(len(each["parts"]) for each in sent) < 5:  # a stall may part them
        sent.append(await message(feed))
    assert len(sent) < 5


async def test_a_word_is_drawn_once_for_all_who_watch_in_a_language(
    victor: User, erin: User, running: Call, socket: Socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    pictures: list[str] = []
    draw = drawn._draw

    def counted(said: Any) -> Any:
        pictures.append(said["said"]["text"])
        return draw(said)

    monkeypatch.setattr(drawn, "_draw", counted)
    watching = [
        (await socket(user, call_path(running, query=query)))[0]
        for user in (victor, erin)
        for query in ("?lang=en", "?lang=en", "?lang=de")
    ]
    for feed in watching:
        await message(feed)
    entry = await sync_to_async(say)(running, "item_1", 10, "caller", "Good morning")
    await live.apublish([live.entry_changed(running, entry)])
    shown = [part(await message(feed), "Good morning")["html"] for feed in watching]
    assert pictures == ["Good morning"] * 2
    assert [">Caller<" in html for html in shown] == [True, True, False] * 2


async def test_words_come_without_a_look_at_the_database(
    victor: User, running: Call, socket: Socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    feed, _connected, _code = await socket(victor, call_path(running))
    await message(feed)
    entry = await sync_to_async(say)(running, "item_1", 10, "agent", "Good morning")

    def looks(*_arguments: Any) -> None:
        raise AssertionError

    monkeypatch.setattr(viewers, "RIGHTS_SECONDS", 3600.0)
    monkeypatch.setattr(feeds, "in_database", looks)
    await live.apublish([live.entry_changed(running, entry)])
    assert "Good morning" in part(await message(feed), "item_1")["html"]


async def test_the_feed_speaks_the_language_of_the_page(
    victor: User, running: Call, socket: Socket
) -> None:
    german, _connected, _code = await socket(victor, call_path(running, query="?lang=de"))
    assert "Läuft" in part(await message(german), 'id="call-state"')["html"]
    odd, _connected, _code = await socket(victor, call_path(running, query="?lang=xx"))
    assert "Running" in part(await message(odd), 'id="call-state"')["html"]


@pytest.mark.parametrize("query", ["", "?page=start", "?lang=de"])
async def test_nobody_signed_in_hears_nothing(query: str, running: Call, socket: Socket) -> None:
    for path in (calls_path(query=query), call_path(running, query=query)):
        _feed, connected, code = await socket(None, path)
        assert (connected, code) == (False, 4401)


async def test_another_tenants_people_are_refused_on_every_socket(
    charlie: User, running: Call, socket: Socket
) -> None:
    for path in (
        calls_path("acme"),
        call_path(running),
        call_path(running, slug="birch"),
        call_path(Call(public_id=uuid.uuid4()), slug="birch"),
        calls_path("nowhere"),
    ):
        _feed, connected, code = await socket(charlie, path)
        assert (connected, code) == (False, 4404), path


async def test_who_was_vouched_for_by_another_tenant_is_refused(
    alice: User, birch: Tenant, browse: Callable[[User], Client]
) -> None:
    def vouched() -> str:
        browser = browse(alice)
        session = browser.session
        session[IDENTITY_KEY] = str(birch.public_id)
        session.save()
        return str(browser.cookies[settings.SESSION_COOKIE_NAME].value)

    key = await sync_to_async(vouched)()
    cookie = f"{settings.SESSION_COOKIE_NAME}={key}".encode()
    headers = [(b"origin", b"http://localhost"), (b"host", b"localhost"), (b"cookie", cookie)]
    feed = WebsocketCommunicator(application, calls_path(), headers=headers)
    assert await feed.connect(timeout=WAIT) == (False, 4404)


async def test_another_tenants_feed_stays_silent(
    charlie: User, victor: User, running: Call, socket: Socket
) -> None:
    theirs, connected, _code = await socket(charlie, calls_path("birch"))
    assert connected
    first = await message(theirs)
    assert "Maria Huber" not in json.dumps(first)
    ours, _connected, _code = await socket(victor, calls_path())
    await message(ours)
    await tell_call_changed(running)
    assert "Maria Huber" in json.dumps(await message(ours))
    assert await theirs.receive_nothing(timeout=0.3)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    """Turns the clock forward by which a viewer's rights grow old."""
    turned = 0.0

    def turn(seconds: float) -> None:
        nonlocal turned
        turned += seconds

    monkeypatch.setattr(viewers, "monotonic", lambda: monotonic() + turned)
    return turn


async def test_a_membership_that_ends_closes_the_feed_within_a_second(
    victor: User, running: Call, socket: Socket, clock: Callable[[float], None]
) -> None:
    feed, _connected, _code = await socket(victor, call_path(running))
    await message(feed)
    await sync_to_async(Member.all_tenants.filter(user=victor).delete)()
    clock(1.0)
    entry = await sync_to_async(say)(running, "item_1", 10, "agent", "A secret")
    await live.apublish([live.entry_changed(running, entry)])
    assert await feed.receive_output(timeout=WAIT) == {"type": "websocket.close", "code": 4404}


async def test_a_database_that_fails_closes_the_feed_for_a_new_start(
    victor: User, running: Call, socket: Socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    feed, _connected, _code = await socket(victor, call_path(running))
    await message(feed)

    def fails(*_args: Any) -> None:
        raise OperationalError

    monkeypatch.setattr(parts, "call_parts", fails)
    await tell_call_changed(running)
    assert await feed.receive_output(timeout=WAIT) == {"type": "websocket.close", "code": 4503}


async def test_signing_out_closes_the_feed_within_a_second(
    victor: User, running: Call, socket: Socket, clock: Callable[[float], None]
) -> None:
    feed, _connected, _code = await socket(victor, calls_path())
    await message(feed)
    await sync_to_async(Session.objects.all().delete)()
    clock(1.0)
    await tell_call_changed(running)
    assert await feed.receive_output(timeout=WAIT) == {"type": "websocket.close", "code": 4401}
