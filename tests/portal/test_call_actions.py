"""Stepping into a running call from its page, and listening to it."""

from __future__ import annotations

import json
import struct
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from channels.layers import get_channel_layer
from channels.testing import WebsocketCommunicator
from django.conf import settings
from django.test import Client
from django.utils import timezone

from media_worker import contract
from pbxai.asgi import application
from tenants.models import Call, CallEvent, Member, User, Worker
from tenants.models.choices import CommandState, ListenIn, NoteKind
from tenants.services import commands, live
from tests.portal.conftest import address

WAIT = 30.0
KNOWN = ["call.say", "call.mute", "call.transfer", "listen.start", "listen.stop"]


@pytest.fixture
def running(make_call: Callable[..., Call]) -> Call:
    """Its worker knows every command; the agent may transfer to the sales team."""
    Worker.objects.update(connected=True, commands=KNOWN)
    target = {"name": "sales", "uri": "sip:sales@pbx.example", "description": "The sales team"}
    return make_call(
        state="running", settings_used={"tools": {"hang_up": True, "targets": [target]}}
    )


def post(browser: Client, name: str, call: Call, **data: str) -> Any:
    return browser.post(
        address(name, call_id=call.public_id), data, headers={"Accept": "application/json"}
    )


# --- pages ---------------------------------------------------------------------------------------


@pytest.mark.django_db
def test_the_page_offers_what_the_person_and_the_worker_can_do(
    running: Call, victor: User, erin: User, bob: User, browse: Callable[[User], Client]
) -> None:
    def page(user: User) -> str:
        return browse(user).get(address("call", call_id=running.public_id)).content.decode()

    assert "call-actions" not in page(victor)
    editors = page(erin)
    assert "/say/" in editors
    assert "The sales team" in editors
    assert "data-listen=" not in page(bob), "nobody may listen unless the tenant lets them"
    running.tenant.listen_in = ListenIn.ADMINS
    running.tenant.save()
    assert f"/calls/{running.public_id}/listen" in page(bob)
    assert "data-listen=" not in page(erin)
    Worker.objects.update(commands=["call.mute"])
    old = page(erin)
    assert "/mute/" in old
    assert "/say/" not in old


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("name", "data", "kind", "text"),
    [
        ("call_say", {"text": "One moment"}, "said", "One moment"),
        ("call_mute", {"muted": "1"}, "muted", ""),
        ("call_mute", {"muted": "0"}, "unmuted", ""),
        ("call_transfer", {"target": "sales"}, "transfer_asked", "sales (sip:sales@pbx.example)"),
        ("call_transfer", {"target": "", "uri": "tel:+4930"}, "transfer_asked", "tel:+4930"),
        ("call_hang_up", {}, "hang_up_asked", ""),
    ],
)
def test_a_form_asks_for_it_and_says_so(
    name: str, data: dict[str, str], kind: str, text: str,
    running: Call, erin: User, browse: Callable[[User], Client],
) -> None:  # fmt: skip
    answer = post(browse(erin), name, running, **data)
    assert answer.status_code == 200
    assert answer.json()["done"]
    event = CallEvent.all_tenants.get()
    assert (event.kind, event.text, event.user) == (kind, text, erin)


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("name", "data"),
    [("call_say", {"text": " "}), ("call_transfer", {"uri": "sales"}), ("call_transfer", {})],
)
def test_what_cannot_be_asked_is_said_beside_the_form(
    name: str, data: dict[str, str], running: Call, erin: User, browse: Callable[[User], Client]
) -> None:
    answer = post(browse(erin), name, running, **data)
    assert answer.status_code == 422
    assert answer.json()["message"]
    assert not CallEvent.all_tenants.exists()


@pytest.mark.django_db
def test_without_scripts_the_answer_stands_on_the_calls_page(
    running: Call, erin: User, browse: Callable[[User], Client]
) -> None:
    url = address("call_say", call_id=running.public_id)
    shown = browse(erin).post(url, {"text": "One moment"}, follow=True).content.decode()
    assert "as soon as it has finished" in shown
    assert 'data-log="said" data-state="asked"' in shown


@pytest.mark.django_db
def test_the_log_says_what_became_of_it_and_that_the_agent_is_muted(
    running: Call, erin: User, victor: User, browse: Callable[[User], Client]
) -> None:
    event = commands.mute(call=running, user=erin, muted=True)
    worker = running.worker
    commands.finished(worker=worker, command_id=str(event.command), ok=True, detail="")
    shown = browse(victor).get(address("call", call_id=running.public_id)).content.decode()
    assert 'data-log="muted" data-state="done"' in shown
    assert 'data-muted="true"' in shown
    assert erin.get_full_name() in shown
    Call.all_tenants.update(state="ended", end_cause="caller_hung_up", ended_at=timezone.now())
    ended = browse(victor).get(address("call", call_id=running.public_id)).content.decode()
    assert 'data-muted="false"' in ended, "nobody is muted any more"


# --- the sound -----------------------------------------------------------------------------------


@pytest.fixture
def audible(running: Call) -> Iterator[Call]:
    running.tenant.listen_in = ListenIn.ADMINS
    running.tenant.save()
    return running


async def ear(browse: Callable[[User], Client], user: User, call: Call) -> Any:
    browser = await sync_to_async(browse)(user)
    key = browser.cookies[settings.SESSION_COOKIE_NAME].value
    headers = [
        (b"origin", b"http://localhost"),
        (b"host", b"localhost"),
        (b"cookie", f"{settings.SESSION_COOKIE_NAME}={key}".encode()),
    ]
    path = f"/ws/t/acme/calls/{call.public_id}/listen"
    socket = WebsocketCommunicator(application, path, headers=headers)
    return socket, await socket.connect(timeout=WAIT)


async def worker_frames(worker: Worker) -> Callable[[], Any]:
    layer = get_channel_layer()
    channel = await layer.new_channel()
    await layer.group_add(live.worker_group(worker), channel)

    async def frame() -> Any:
        message = await layer.receive(channel)
        return contract.decode_down(message["frame"].encode())

    return frame


@pytest.mark.django_db(transaction=True)
async def test_an_administrator_hears_a_call_and_the_record_says_so(
    audible: Call, bob: User, browse: Callable[[User], Client]
) -> None:
    frame = await worker_frames(audible.worker)
    socket, (connected, _code) = await ear(browse, bob, audible)
    assert connected
    began = await frame()
    assert (began.call_id, began.listen_id) == (str(audible.public_id), began.command_id)
    piece = contract.ListenAudio(
        listen_id=began.listen_id, seq=1, at_ms=100, caller=b"c" * 800, agent=b"a" * 800
    )
    await live.apublish([live.heard(piece)])
    heard = await socket.receive_from(timeout=WAIT)
    assert heard == struct.pack("!IIH", 1, 100, 800) + b"c" * 800 + b"a" * 800
    await socket.disconnect(timeout=WAIT)
    assert (await frame()).listen_id == began.listen_id
    kinds = [event.kind async for event in CallEvent.all_tenants.order_by("pk")]
    assert kinds == [NoteKind.LISTEN_BEGAN, NoteKind.LISTEN_ENDED]


@pytest.mark.django_db(transaction=True)
async def test_a_worker_that_cannot_says_why(
    audible: Call, bob: User, browse: Callable[[User], Client]
) -> None:
    frame = await worker_frames(audible.worker)
    socket, _connected = await ear(browse, bob, audible)
    key = (await frame()).command_id
    told = sync_to_async(commands.finished)(
        worker=audible.worker, command_id=key, ok=False, detail="Four listen already."
    )
    await live.apublish(await told)
    assert json.loads(await socket.receive_from(timeout=WAIT)) == {"why": "Four listen already."}
    assert (await socket.receive_output(timeout=WAIT))["code"] == 4409
    assert (await CallEvent.all_tenants.aget()).state == CommandState.FAILED


@pytest.mark.django_db(transaction=True)
async def test_who_may_not_hears_nothing(
    running: Call, bob: User, erin: User, charlie: User, browse: Callable[[User], Client]
) -> None:
    _socket, answer = await ear(browse, bob, running)
    assert answer == (False, 4403), "the tenant lets nobody"
    running.tenant.listen_in = ListenIn.ADMINS
    await running.tenant.asave()
    for user, code in ((erin, 4403), (charlie, 4404)):
        _socket, answer = await ear(browse, user, running)
        assert answer == (False, code)
    assert not await CallEvent.all_tenants.aexists()


@pytest.mark.django_db(transaction=True)
async def test_who_loses_the_right_hears_no_more(
    audible: Call, bob: User, browse: Callable[[User], Client], monkeypatch: pytest.MonkeyPatch
) -> None:
    frame = await worker_frames(audible.worker)
    socket, _connected = await ear(browse, bob, audible)
    began = await frame()
    await Member.all_tenants.filter(user=bob).aupdate(role="editor")
    monkeypatch.setattr("tenants.live.viewers.RIGHTS_SECONDS", 0.0)
    piece = contract.ListenAudio(
        listen_id=began.listen_id, seq=1, at_ms=100, caller=b"c" * 800, agent=b"a" * 800
    )
    await live.apublish([live.heard(piece)])
    assert await socket.receive_output(timeout=WAIT) == {"type": "websocket.close", "code": 4403}
