"""Trying an agent: the page, the chat's requests, and the socket of a call from the browser."""

from __future__ import annotations

import json
import uuid
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from channels.layers import get_channel_layer
from channels.testing import WebsocketCommunicator
from django.conf import settings
from django.db import connections
from django.test import Client
from django.utils import timezone

from media_worker import contract
from pbxai.asgi import application
from tenants.models import Agent, Call, Member, User, Worker
from tenants.services import live, trial
from tests.portal.conftest import address

WAIT = 30.0
COMMANDS = ["browser_call.start", "browser_call.key", "chat.start", "chat.text"]
db_commits = pytest.mark.django_db(transaction=True)


@pytest.fixture
def ready(worker: Worker) -> Worker:
    """A connected worker that takes calls from browsers."""
    worker.connected, worker.last_seen_at = True, timezone.now()
    worker.commands, worker.browser_capacity = COMMANDS, 2
    worker.save()
    return worker


# --- the page ------------------------------------------------------------------------------------


def test_the_page_offers_the_draft_and_what_is_published(
    published: Agent, erin: User, browse: Callable[[User], Client]
) -> None:
    url = address("agent_try", agent_id=published.public_id)
    answer = browse(erin).get(url)
    page = answer.content.decode()
    assert 'value="draft" checked' in page
    assert "Revision 1" in page
    assert f"/ws/t/acme/agents/{published.public_id}/talk?lang=en" in page
    assert answer["Permissions-Policy"] == "microphone=(self), camera=(), geolocation=()"
    assert (
        'value="published" checked' in browse(erin).get(f"{url}?source=published").content.decode()
    )


def test_what_was_never_published_has_only_a_draft(
    agent: Agent, erin: User, browse: Callable[[User], Client]
) -> None:
    url = address("agent_try", agent_id=agent.public_id)
    page = browse(erin).get(f"{url}?source=published").content.decode()
    assert 'value="draft" checked' in page
    assert 'value="published"' not in page


# --- chat ----------------------------------------------------------------------------------------


def test_a_chat_is_begun_written_in_and_ended(
    published: Agent, ready: Worker, erin: User, browse: Callable[[User], Client]
) -> None:
    browser, url = browse(erin), address("agent_chat", agent_id=published.public_id)
    begun = browser.post(url, {"source": "published"}).json()
    call = Call.all_tenants.get(public_id=begun["call"])
    assert (call.kind, call.placed_by, call.revision) == ("chat", erin, published.published)
    assert begun["feed"] == f"/ws/t/acme/calls/{call.public_id}?lang=en"
    assert begun["page"] == address("call", call_id=call.public_id)
    assert "data-actions" not in browser.get(begun["page"]).content.decode(), "it has no voice"
    said = browser.post(url, {"call": begun["call"], "text": "Hello?"})
    assert said.json()["item_id"].startswith("chat_")
    assert browser.post(url, {"call": begun["call"], "end": "1"}).json() == {}


def test_why_a_chat_cannot_be_is_said_in_words(
    published: Agent, erin: User, browse: Callable[[User], Client]
) -> None:
    answer = browse(erin).post(address("agent_chat", agent_id=published.public_id))
    assert answer.status_code == 409
    assert "No media worker is connected" in answer.json()["error"]
    german = browse(erin).post(
        address("agent_chat", agent_id=published.public_id), headers={"Accept-Language": "de"}
    )
    assert "Media-Worker" in german.json()["error"]


def test_nobody_writes_in_another_persons_chat(
    published: Agent, ready: Worker, erin: User, bob: User, browse: Callable[[User], Client]
) -> None:
    url = address("agent_chat", agent_id=published.public_id)
    begun = browse(erin).post(url).json()
    for call in (begun["call"], uuid.uuid4(), "nonsense"):
        assert browse(bob).post(url, {"call": call, "text": "Hi"}).status_code == 404


# --- the socket ----------------------------------------------------------------------------------


@pytest.fixture
async def talk(
    published: Agent, browse: Callable[[User], Client]
) -> AsyncIterator[Callable[..., Any]]:
    """Opens the socket in a person's browser; gives the communicator, and a close code."""
    opened: list[WebsocketCommunicator] = []

    async def connect(user: User | None, slug: str = "acme", **query: str) -> Any:
        headers = [(b"origin", b"http://localhost"), (b"host", b"localhost")]
        if user:
            browser = await sync_to_async(browse)(user)
            key = browser.cookies[settings.SESSION_COOKIE_NAME].value
            headers.append((b"cookie", f"{settings.SESSION_COOKIE_NAME}={key}".encode()))
        agent = query.pop("agent", published.public_id)
        asked = "&".join(f"{name}={value}" for name, value in query.items())
        path = f"/ws/t/{slug}/agents/{agent}/talk?{asked}"
        communicator = WebsocketCommunicator(application, path, headers=headers)
        connected, code = await communicator.connect(timeout=WAIT)
        if connected:
            opened.append(communicator)
        return communicator, None if connected else code

    yield connect
    for communicator in opened:
        await communicator.disconnect(timeout=WAIT)
    await sync_to_async(connections.close_all)()


class FakeWorker:
    """Hears the commands of a worker, and answers as its link would."""

    def __init__(self, worker: Worker) -> None:
        self.worker = worker
        self.layer: Any = get_channel_layer()

    async def listen(self) -> None:
        self.channel = await self.layer.new_channel()
        await self.layer.group_add(live.worker_group(self.worker), self.channel)

    async def hear(self) -> Any:
        return contract.decode_down((await self.layer.receive(self.channel))["frame"])

    async def answer(self, call_id: str, **words: str) -> None:
        frame = contract.BrowserCallAnswer(call_id=call_id, **words)
        await live.apublish(await sync_to_async(trial.answered)(self.worker, frame))


@pytest.fixture
async def fake(ready: Worker) -> FakeWorker:
    worker = FakeWorker(ready)
    await worker.listen()
    return worker


async def message(socket: WebsocketCommunicator) -> dict[str, Any]:
    return json.loads(await socket.receive_from(timeout=WAIT))


async def closed_with(socket: WebsocketCommunicator) -> int:
    sent = await socket.receive_output(timeout=WAIT)
    assert sent["type"] == "websocket.close", sent
    return int(sent["code"])


async def call_of(begun: dict[str, Any]) -> Call:
    return await Call.all_tenants.aget(public_id=begun["call"])


@db_commits
async def test_offer_answer_keys_and_the_end(
    fake: FakeWorker, erin: User, talk: Callable[..., Any]
) -> None:
    socket, _code = await talk(erin, lang="de")
    await socket.send_to(text_data=json.dumps({"offer": "v=0 offer"}))
    begun = await message(socket)
    assert begun["feed"].endswith("?lang=de")
    asked = await fake.hear()
    assert (asked.call_id, asked.sdp) == (begun["call"], "v=0 offer")
    await fake.answer(begun["call"], sdp="v=0 answer")
    assert await message(socket) == {"answer": "v=0 answer"}
    await socket.send_to(text_data=json.dumps({"key": "7"}))
    assert (await fake.hear()).digit == "7"
    call = await call_of(begun)
    assert (call.kind, call.draft_version, call.revision_id) == ("browser", 1, None)
    await socket.disconnect(timeout=WAIT)
    hung_up = await fake.hear()
    assert isinstance(hung_up, contract.HangUpCall)
    assert hung_up.call_id == begun["call"]


@db_commits
async def test_what_is_published_can_be_called(
    fake: FakeWorker, erin: User, talk: Callable[..., Any]
) -> None:
    socket, _code = await talk(erin, source="published")
    await socket.send_to(text_data=json.dumps({"offer": "v=0"}))
    call = await call_of(await message(socket))
    assert (call.draft_version, call.revision_id is None) == (None, False)


@db_commits
async def test_a_worker_that_refuses_is_heard_and_the_call_is_over(
    fake: FakeWorker, erin: User, talk: Callable[..., Any]
) -> None:
    socket, _code = await talk(erin)
    await socket.send_to(text_data=json.dumps({"offer": "v=0"}))
    begun = await message(socket)
    await fake.hear()
    await fake.answer(begun["call"], refused="No room here.")
    refused = "The media worker did not take the call: No room here."
    assert await message(socket) == {"refused": refused}
    assert await closed_with(socket) == 1000
    assert (await call_of(begun)).state == "refused"


@db_commits
async def test_without_a_worker_it_says_so(erin: User, talk: Callable[..., Any]) -> None:
    socket, _code = await talk(erin, lang="de")
    await socket.send_to(text_data=json.dumps({"offer": "v=0"}))
    assert "Kein Media-Worker" in (await message(socket))["refused"]
    assert await closed_with(socket) == 1000
    assert not await Call.all_tenants.aexists()


@db_commits
async def test_one_call_a_socket(fake: FakeWorker, erin: User, talk: Callable[..., Any]) -> None:
    socket, _code = await talk(erin)
    await socket.send_to(text_data=json.dumps({"offer": "v=0"}))
    await message(socket)
    await socket.send_to(text_data=json.dumps({"offer": "v=0"}))
    assert await closed_with(socket) == 4400
    assert await Call.all_tenants.acount() == 1


@db_commits
@pytest.mark.parametrize(
    "wrong",
    ["{", "[]", '{"offer": 5}', '{"key": "5"}', "{}"],
)
async def test_frames_that_are_none_close_the_socket(
    wrong: str, erin: User, talk: Callable[..., Any]
) -> None:
    socket, _code = await talk(erin)
    await socket.send_to(text_data=wrong)
    assert await closed_with(socket) == 4400


@db_commits
async def test_an_offer_without_end_is_refused(
    fake: FakeWorker, erin: User, talk: Callable[..., Any]
) -> None:
    socket, _code = await talk(erin)
    await socket.send_to(text_data=json.dumps({"offer": "v" * (trial.SDP_LIMIT + 1)}))
    begun = await message(socket)
    assert "refused" in await message(socket)
    assert await closed_with(socket) == 1000
    await socket.disconnect(timeout=WAIT)
    assert (await call_of(begun)).state == "ended"


@db_commits
async def test_who_may_not_try_is_refused(
    victor: User, charlie: User, talk: Callable[..., Any]
) -> None:
    assert (await talk(None))[1] == 4401
    assert (await talk(victor))[1] == 4403
    assert (await talk(charlie))[1] == 4404
    assert (await talk(charlie, slug="birch"))[1] == 4404


@db_commits
async def test_an_agent_that_is_not_there(erin: User, talk: Callable[..., Any]) -> None:
    assert (await talk(erin, agent=str(uuid.uuid4())))[1] == 4404


@db_commits
async def test_a_right_that_is_lost_meanwhile_counts(
    fake: FakeWorker, erin: User, talk: Callable[..., Any]
) -> None:
    socket, _code = await talk(erin)
    await Member.all_tenants.filter(user=erin).aupdate(role="viewer")
    await socket.send_to(text_data=json.dumps({"offer": "v=0"}))
    assert await closed_with(socket) == 4403
    assert not await Call.all_tenants.aexists()
