"""The stream of events: its documents, over a WebSocket and as server-sent events."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from channels.testing import HttpCommunicator, WebsocketCommunicator
from django.conf import settings
from django.test import Client

from media_worker import contract
from pbxai.asgi import application
from tenants.models import Agent, ApiToken, Call, Number, Tenant, User, Worker
from tenants.services import calls, intake, live, stream, tokens
from tests.portal.conftest import browse
from tests.tenants.calls import Outbox, admitted, said

__all__ = ["browse"]
pytestmark = pytest.mark.django_db(transaction=True)
WAIT = 30.0


@pytest.fixture
def call(worker: Worker, number: Number) -> Call:
    return admitted(worker)


@pytest.fixture
def token(acme: Tenant, alice: User) -> str:
    return make_token(acme, alice, "stream:read")


def make_token(tenant: Tenant, user: User, scope: str) -> str:
    _row, text = tokens.create_token(
        tenant=tenant, user=user, name="crm", scopes=[scope], expires_at=None
    )
    return text


def happen(call: Call, *events: contract.Event) -> list[live.Notice]:
    """What the worker tells of the call is stored; gives whom to tell."""
    outbox = Outbox(call.worker)
    records = [outbox.record(event, call) for event in events]
    return intake.store(worker=call.worker, stream=outbox.stream, records=records).notices


async def socket(token: str = "", query: str = "", **headers: str) -> Any:
    told = {"host": "localhost", **headers}
    if token:
        told["authorization"] = f"Bearer {token}"
    pairs = [(name.encode(), value.encode()) for name, value in told.items()]
    found = WebsocketCommunicator(application, f"/ws/v1/stream{query}", headers=pairs)
    return found, await found.connect(timeout=WAIT)


async def document(found: WebsocketCommunicator) -> dict[str, Any]:
    return json.loads(await found.receive_from(timeout=WAIT))


async def test_a_calls_life_is_streamed(token: str, call: Call, agent: Agent) -> None:
    found, (connected, _code) = await socket(token)
    assert connected
    events = [
        contract.CallAnswered(codec="PCMU/8000"),
        said("item_1", "Hello"),
        contract.CallNoted(kind=contract.NoteKind.DTMF, text="5", offset_ms=1200),
        contract.CallEnded(cause=contract.EndCause.CALLER_HUNG_UP, duration_ms=60_000),
    ]
    await live.apublish(await sync_to_async(happen)(call, *events))
    told = [await document(found) for _event in events]
    assert [one["type"] for one in told] == [
        "call.answered",
        "transcript.updated",
        "call.noted",
        "call.ended",
    ]
    assert {one["tenant"] for one in told} == {"acme"}
    assert {one["data"]["call"] for one in told} == {str(call.public_id)}
    assert {one["data"]["agent"] for one in told} == {str(agent.public_id)}
    assert len({uuid.UUID(one["id"]) for one in told}) == 4
    assert told[1]["data"]["text"] == "Hello"
    assert told[2]["data"]["text"] == "5"
    assert (told[3]["data"]["end_cause"], told[3]["data"]["duration_ms"]) == (
        "caller_hung_up",
        60_000,
    )
    await found.disconnect(timeout=WAIT)


async def test_only_what_was_asked_for_comes(token: str, call: Call) -> None:
    ended, _answer = await socket(token, "?types=call.ended")
    others, _answer = await socket(token, f"?agent={uuid.uuid4()}")
    events = [
        contract.CallAnswered(codec="PCMU/8000"),
        contract.CallEnded(cause=contract.EndCause.CALLER_HUNG_UP, duration_ms=60_000),
    ]
    await live.apublish(await sync_to_async(happen)(call, *events))
    assert (await document(ended))["type"] == "call.ended"
    assert await others.receive_nothing(timeout=0.3)


async def test_who_may_not_take_the_stream(
    token: str, acme: Tenant, birch: Tenant, alice: User, charlie: User,
    browse: Callable[[User], Client],
) -> None:  # fmt: skip
    async def code(*args: str, **kwargs: str) -> Any:
        _found, answer = await socket(*args, **kwargs)
        return answer

    other = await sync_to_async(make_token)(acme, alice, "calls:read")
    assert await code("pbxt_nonsense") == (False, 4401)
    assert await code(other) == (False, 4403)
    assert await code(token, "?tenant=birch") == (False, 4404)
    assert await code(token, "?types=call.exploded") == (False, 4400)
    assert await code(origin="http://localhost") == (False, 4401)

    browser = await sync_to_async(browse)(charlie)
    key = browser.cookies[settings.SESSION_COOKIE_NAME].value
    cookie = f"{settings.SESSION_COOKIE_NAME}={key}"
    mine, (connected, _code) = await socket(cookie=cookie, origin="http://localhost")
    assert connected, "the session of somebody in one tenant"
    await mine.disconnect(timeout=WAIT)
    assert await code("", "?tenant=acme", cookie=cookie, origin="http://localhost") == (False, 4404)
    _found, (connected, _code) = await socket(cookie=cookie, origin="http://evil.example")
    assert not connected


async def test_another_tenants_events_stay_there(call: Call, birch: Tenant, charlie: User) -> None:
    theirs = await sync_to_async(make_token)(birch, charlie, "stream:read")
    found, (connected, _code) = await socket(theirs)
    assert connected
    await live.apublish(await sync_to_async(happen)(call, contract.CallAnswered(codec="PCMU")))
    assert await found.receive_nothing(timeout=0.3)
    await found.disconnect(timeout=WAIT)


async def test_a_token_that_is_revoked_hears_no_more(
    token: str, call: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tenants.live.viewers.RIGHTS_SECONDS", 0.0)
    found, _answer = await socket(token)
    await ApiToken.all_tenants.all().adelete()
    await live.apublish(await sync_to_async(happen)(call, contract.CallAnswered(codec="PCMU")))
    assert await found.receive_output(timeout=WAIT) == {"type": "websocket.close", "code": 4401}


async def test_a_lost_call_is_streamed_as_ended(token: str, call: Call) -> None:
    found, _answer = await socket(token)
    lost = sync_to_async(calls.interrupt)([await Call.all_tenants.select_related("tenant").aget()])
    await live.apublish(await lost)
    assert (await document(found))["data"]["end_cause"] == "interrupted"
    await found.disconnect(timeout=WAIT)


# --- server-sent events --------------------------------------------------------------------------


def asked(token: str = "", query: str = "") -> HttpCommunicator:
    headers = [(b"host", b"localhost")]
    if token:
        headers.append((b"authorization", f"Bearer {token}".encode()))
    return HttpCommunicator(application, "GET", f"/api/v1/stream{query}", headers=headers)


async def piece(found: HttpCommunicator) -> str:
    message = await found.receive_output(timeout=WAIT)
    assert message["type"] == "http.response.body", message
    return message["body"].decode()


async def test_events_come_as_server_sent_events_until_the_client_goes(
    token: str, call: Call
) -> None:
    found = asked(token)
    await found.send_input({"type": "http.request", "body": b""})
    start = await found.receive_output(timeout=WAIT)
    headers = {name.lower(): value for name, value in start["headers"]}
    assert start["status"] == 200
    assert headers[b"content-type"].startswith(b"text/event-stream")
    assert await piece(found) == ": welcome\n\n"
    await live.apublish(await sync_to_async(happen)(call, contract.CallAnswered(codec="PCMU")))
    first, kind, data = (await piece(found)).strip().split("\n")
    assert kind == "event: call.answered"
    told = json.loads(data.removeprefix("data: "))
    assert first == f"id: {told['id']}"
    assert told["type"] in stream.KINDS
    await found.send_input({"type": "http.disconnect"})
    await found.wait(timeout=WAIT)


@pytest.mark.parametrize(
    ("query", "given", "status"),
    [("", "", 401), ("", "pbxt_x", 401), ("?types=x", "good", 400), ("?tenant=birch", "good", 404)],
)
async def test_why_no_events_come_is_a_problem_document(
    query: str, given: str, status: int, token: str
) -> None:
    answer = await asked(token if given == "good" else given, query).get_response(timeout=WAIT)
    assert answer["status"] == status
    assert json.loads(answer["body"])["status"] == status


async def test_who_tries_tokens_at_the_stream_is_slowed_down(
    db: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tenants.api.v1.door.STRANGERS_A_MINUTE", 2)
    statuses = set()
    for _ in range(6):
        found = asked("pbxt_wrong")
        statuses.add((await found.get_response(timeout=WAIT))["status"])
    assert statuses == {401, 429}


async def test_the_stream_is_only_read(db: None) -> None:
    headers = [(b"host", b"localhost")]
    found = HttpCommunicator(application, "POST", "/api/v1/stream", headers=headers)
    answer = await found.get_response(timeout=WAIT)
    assert (answer["status"], json.loads(answer["body"])["detail"]) == (405, "Use GET.")
