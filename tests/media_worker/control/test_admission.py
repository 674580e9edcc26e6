"""Admission against a real HTTP server: plans, refusals, retries, and the web side away."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec
import pytest

from media_worker.contract import (
    AdmissionRequest,
    CallPlan,
    CallRefused,
    CallTaken,
    Greeting,
    ProviderAccess,
    Record,
    Refusal,
    RefusalReason,
    Settings,
    encode,
)
from media_worker.control.admission import Admission, AdmissionError
from media_worker.control.outbox import Outbox
from tests.media_worker.control.web_stub import Answer, HttpStub

PROBLEM = b'{"type":"about:blank","title":"Unavailable","status":503}'


def plan_for(request: AdmissionRequest, **changes: object) -> CallPlan:
    plan = CallPlan(
        call_id=request.call_key,
        tenant_id="tenant",
        number_id="number",
        agent_id="agent",
        agent_name="Ada",
        revision=3,
        language="en",
        greeting=None,
        apology=Greeting(language="en", text="Sorry."),
        provider=ProviderAccess(account_id="a", name="p", url="ws://127.0.0.1/", api_key="secret"),
        settings=Settings(model="m", voice="v"),
        offline_seconds=60,
    )
    return msgspec.structs.replace(plan, **changes)


def accept(request: AdmissionRequest) -> Answer:
    return 200, encode(plan_for(request))


def refuse(reason: RefusalReason) -> Answer:
    return 200, encode(Refusal(call_id="x", reason=reason))


def request_for(key: str = "key-1", called: str = "100") -> AdmissionRequest:
    return AdmissionRequest(call_key=key, called=called, calling="200", sip_call_id="sip-1")


class Clock:
    def __init__(self) -> None:
        self.seconds = 1000.0

    def __call__(self) -> float:
        return self.seconds


class Room:
    """An admission client with its outbox and clock, at a stub."""

    def __init__(self, admission: Admission, outbox: Outbox, clock: Clock) -> None:
        self.admission = admission
        self.outbox = outbox
        self.clock = clock

    async def records(self) -> list[Record]:
        rows = await self.outbox.pending(0, limit=1000, max_bytes=1_000_000)
        return [msgspec.json.decode(row.body, type=Record) for row in rows]


@pytest.fixture
def room_at(tmp_path: Path):
    @asynccontextmanager
    async def open_room(url: str) -> AsyncIterator[Room]:
        outbox, clock = Outbox(tmp_path / "outbox.sqlite3"), Clock()
        admission = Admission(url, "the-token", outbox, now=clock)
        yield Room(admission, outbox, clock)
        await admission.close()
        await outbox.close()

    return open_room


async def test_admission_gets_a_plan_with_the_workers_token(room_at):
    async with HttpStub(accept) as web, room_at(web.url) as room:
        plan = await room.admission.admit(request_for())
        assert isinstance(plan, CallPlan)
        assert (plan.call_id, plan.revision) == ("key-1", 3)
        path, headers, _ = web.requests[0]
        assert (path, headers["authorization"]) == ("/api/worker/v1/calls", "Bearer the-token")
        assert await room.records() == []


async def test_admission_hands_a_refusal_on_without_an_event(room_at):
    answer = refuse(RefusalReason.UNKNOWN_NUMBER)
    async with HttpStub(answer) as web, room_at(web.url) as room:
        refusal = await room.admission.admit(request_for())
        assert isinstance(refusal, Refusal)
        assert refusal.reason is RefusalReason.UNKNOWN_NUMBER
        assert await room.records() == []


@pytest.mark.parametrize("hiccup", [None, (503, PROBLEM), (200, b"<html>"), (502, b"")])
async def test_admission_asks_once_more_with_the_same_key(room_at, hiccup):
    async with HttpStub(hiccup, accept) as web, room_at(web.url) as room:
        assert isinstance(await room.admission.admit(request_for()), CallPlan)
        assert [body.call_key for body in web.bodies] == ["key-1", "key-1"]


@pytest.mark.parametrize("answer", [None, (503, PROBLEM), (200, b'{"verdict":"maybe"}')])
async def test_admission_takes_a_call_with_the_last_plan_when_the_web_side_is_away(room_at, answer):
    async with HttpStub(accept, answer) as web, room_at(web.url) as room:
        await room.admission.admit(request_for("key-1"))
        plan = await room.admission.admit(request_for("key-2"))
        assert isinstance(plan, CallPlan)
        assert plan.call_id == "key-2"
        (record,) = await room.records()
        assert isinstance(record.event, CallTaken)
        assert record.call_id == record.event.request.call_key == "key-2"
        assert (record.event.tenant_id, record.event.revision) == ("tenant", 3)


async def test_admission_refuses_and_records_when_the_last_plan_is_too_old(room_at):
    async with HttpStub(accept, None) as web, room_at(web.url) as room:
        await room.admission.admit(request_for("key-1"))
        room.clock.seconds += 61
        refusal = await room.admission.admit(request_for("key-2"))
        assert isinstance(refusal, Refusal)
        assert refusal.reason is RefusalReason.WEB_UNREACHABLE
        (record,) = await room.records()
        assert isinstance(record.event, CallRefused)
        assert record.event.reason is RefusalReason.WEB_UNREACHABLE
        assert record.event.request == request_for("key-2")


async def test_admission_refuses_and_records_a_number_it_has_no_plan_for(room_at):
    async with HttpStub(None) as web, room_at(web.url) as room:
        refusal = await room.admission.admit(request_for())
        assert isinstance(refusal, Refusal)
        assert refusal.reason is RefusalReason.WEB_UNREACHABLE
        assert len(await room.records()) == 1


async def test_admission_refuses_when_nobody_listens_at_the_address(room_at):
    async with HttpStub(accept) as gone:
        pass
    async with room_at(gone.url) as room:
        refusal = await room.admission.admit(request_for())
        assert isinstance(refusal, Refusal)
        assert refusal.reason is RefusalReason.WEB_UNREACHABLE


async def test_admission_asks_only_once_while_the_web_side_is_known_to_be_down(room_at):
    async with HttpStub(None, None, None, accept) as web, room_at(web.url) as room:
        await room.admission.admit(request_for("key-1"))
        await room.admission.admit(request_for("key-2"))
        assert [body.call_key for body in web.bodies] == ["key-1", "key-1", "key-2"]
        assert isinstance(await room.admission.admit(request_for("key-3")), CallPlan)


async def test_admission_says_that_the_token_was_refused_even_with_a_plan_at_hand(room_at):
    async with HttpStub(accept, (401, b"{}")) as web, room_at(web.url) as room:
        await room.admission.admit(request_for("key-1"))
        refusal = await room.admission.admit(request_for("key-2"))
        assert isinstance(refusal, Refusal)
        assert refusal.reason is RefusalReason.WORKER_TOKEN_REFUSED
        assert len(web.requests) == 2
        (record,) = await room.records()
        assert isinstance(record.event, CallRefused)


@pytest.mark.parametrize(
    ("reason", "still_answers"),
    [(RefusalReason.NUMBER_DISABLED, False), (RefusalReason.TENANT_LIMIT, True)],
)
async def test_admission_forgets_the_plan_of_a_number_that_is_refused_for_good(
    room_at, reason, still_answers
):
    async with HttpStub(accept, refuse(reason), None) as web, room_at(web.url) as room:
        await room.admission.admit(request_for("key-1"))
        await room.admission.admit(request_for("key-2"))
        verdict = await room.admission.admit(request_for("key-3"))
        assert isinstance(verdict, CallPlan) is still_answers


async def test_admission_refuses_an_answer_longer_than_the_contract_allows(room_at):
    async with HttpStub((200, b" " * 1_100_000)) as web, room_at(web.url) as room:
        verdict = await room.admission.admit(request_for())
        assert isinstance(verdict, Refusal)


async def test_admission_records_its_own_refusals(room_at):
    async with HttpStub(accept) as web, room_at(web.url) as room:
        refusal = room.admission.refuse(request_for(), RefusalReason.WORKER_FULL)
        assert refusal.reason is RefusalReason.WORKER_FULL
        (record,) = await room.records()
        assert record.event == CallRefused(request=request_for(), reason=RefusalReason.WORKER_FULL)


async def test_admission_pulls_the_plan_of_an_account_check(room_at):
    check = b'{"check_id":"c","provider":{"account_id":"a","name":"n","url":"ws://x","api_key":"k"}'
    check += b',"settings":{"model":"m","voice":"v"}}'
    async with HttpStub((200, check), (404, b"{}"), None) as web, room_at(web.url) as room:
        plan = await room.admission.check_plan("c")
        assert plan is not None
        assert plan.provider.api_key == "k"
        assert web.requests[0][0] == "/api/worker/v1/checks/c"
        assert await room.admission.check_plan("c") is None
        with pytest.raises(AdmissionError):
            await room.admission.check_plan("c")


async def test_admission_never_shows_the_secrets_it_holds(room_at, caplog):
    async with HttpStub(accept, None) as web, room_at(web.url) as room:
        await room.admission.admit(request_for("key-1"))
        await room.admission.admit(request_for("key-2"))
        await room.admission.admit(request_for("key-3", called="unknown"))
    assert "web_unreachable" in caplog.text
    assert "secret" not in caplog.text
    assert "the-token" not in caplog.text
