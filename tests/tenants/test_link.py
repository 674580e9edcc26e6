"""The worker link through the whole ASGI application: sign-in, frames, commands, bad frames."""

from __future__ import annotations

import json
import uuid
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import msgspec
import pytest
from asgiref.sync import sync_to_async
from channels.layers import get_channel_layer
from channels.testing import WebsocketCommunicator
from django.db import OperationalError, connections

from media_worker import contract
from pbxai.asgi import application
from tenants.models import Call, Number, ProviderAccount, TranscriptEntry, Worker
from tenants.services import accounts, calls, commands, intake, workers
from tests.tenants.calls import Outbox, admitted, said

pytestmark = pytest.mark.django_db(transaction=True)
WAIT = 30.0


@pytest.fixture(autouse=True)
async def _no_connection_stays_open() -> AsyncIterator[None]:
    yield
    await sync_to_async(connections.close_all)()


@pytest.fixture
def token(worker_and_token: tuple[Worker, str]) -> str:
    return worker_and_token[1]


class Link:
    """A worker's side of the link."""

    def __init__(self, token: str, path: str = contract.LINK_PATH) -> None:
        headers = [(b"authorization", f"Bearer {token}".encode())] if token else []
        self.socket = WebsocketCommunicator(application, path, headers=headers)

    async def open(self) -> bool:
        connected, _code = await self.socket.connect(timeout=WAIT)
        return connected

    async def send(self, frame: Any) -> None:
        text = frame if isinstance(frame, str) else contract.encode(frame).decode()
        await self.socket.send_to(text_data=text)

    async def get(self) -> Any:
        return contract.decode_down(await self.socket.receive_from(timeout=WAIT))

    async def ask(self, frame: Any) -> Any:
        await self.send(frame)
        return await self.get()

    async def closed_with(self) -> int:
        message = await self.socket.receive_output(timeout=WAIT)
        assert message["type"] == "websocket.close", message
        return int(message["code"])


def hello(stream: str | None = None, **fields: Any) -> contract.Hello:
    return contract.Hello(
        **{
            "stream": stream or str(uuid.uuid4()),
            "boot_id": "boot-1",
            "host": "media-1",
            "version": "0.1.0",
            "sip_build": "2.15.1",
            "capacity": 4,
            "addresses": ("sip:127.0.0.1:5060;transport=udp",),
            **fields,
        }
    )


def batch(outbox: Outbox, *records: bytes) -> str:
    joined = ",".join(record.decode() for record in records)
    return f'{{"frame":"events","stream":"{outbox.stream}","records":[{joined}]}}'


@asynccontextmanager
async def linked(token: str, stream: str | None = None) -> AsyncIterator[Link]:
    """A link that has said hello."""
    link = Link(token)
    assert await link.open()
    assert isinstance(await link.ask(hello(stream)), contract.Welcome)
    yield link
    await link.socket.disconnect(timeout=WAIT)


async def in_database(function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    return await sync_to_async(function)(*args, **kwargs)


# --- sign-in -------------------------------------------------------------------------------------


@pytest.mark.parametrize("wrong", ["", "nonsense", "pbxw_" + "0" * 32 + "_x"])
async def test_a_wrong_token_is_refused_in_the_handshake(
    wrong: str, caplog: pytest.LogCaptureFixture
):
    assert not await Link(wrong).open()
    assert "worker_refused" in caplog.text


async def test_a_worker_introduces_itself(token: str, worker: Worker):
    link = Link(token)
    assert await link.open()
    welcome = await link.ask(hello())
    assert welcome == contract.Welcome(worker="local", acknowledged=0)
    await in_database(worker.refresh_from_db)
    assert (worker.connected, worker.host, worker.capacity) == (True, "media-1", 4)
    assert worker.addresses == ["sip:127.0.0.1:5060;transport=udp"]
    await link.send(contract.Heartbeat(active_calls=3, draining=True, outbox_depth=7))
    await link.socket.disconnect(timeout=WAIT)
    await in_database(worker.refresh_from_db)
    assert (worker.connected, worker.draining, worker.outbox_depth) == (False, True, 7)


async def test_a_newer_link_replaces_the_older(token: str, worker: Worker):
    old = Link(token)
    assert await old.open()
    await old.ask(hello())
    async with linked(token):
        assert await old.closed_with() == 4409
        await old.socket.disconnect(timeout=WAIT)
        await in_database(worker.refresh_from_db)
        assert worker.connected


async def test_a_worker_that_is_switched_off_loses_its_link(token: str, worker: Worker):
    link = Link(token)
    assert await link.open()
    await link.ask(hello())
    await in_database(Worker.objects.filter(pk=worker.pk).update, is_active=False)
    await link.send(contract.Heartbeat(active_calls=0))
    assert await link.closed_with() == 4401
    await link.socket.disconnect(timeout=WAIT)


async def test_a_database_that_is_down_is_not_a_wrong_token(token: str, monkeypatch):
    def down(_token: str) -> None:
        raise OperationalError

    monkeypatch.setattr(workers, "authenticate", down)
    link = Link(token)
    assert await link.open()
    assert await link.closed_with() == 4503


@pytest.mark.parametrize("path", ["/ws/nowhere", "/ws/worker/v1/link/more", "/"])
async def test_an_unknown_address_is_refused_quietly(path: str, caplog):
    assert not await Link("", path).open()
    assert "Traceback" not in caplog.text


# --- events --------------------------------------------------------------------------------------


async def test_events_are_stored_acknowledged_and_published(
    token: str, worker: Worker, number: Number
):
    call = await in_database(admitted, worker)
    outbox = Outbox(worker)
    layer = get_channel_layer()
    page, overview = await layer.new_channel(), await layer.new_channel()
    await layer.group_add(f"call.{call.public_id.hex}", page)
    await layer.group_add(f"tenant.{number.tenant.public_id.hex}", overview)
    async with linked(token, outbox.stream) as link:
        ack = await link.ask(
            batch(
                outbox,
                outbox.record(contract.CallAnswered(codec="PCMU/8000"), call),
                outbox.record(said("item_1", "Hello"), call),
            )
        )
        assert ack == contract.Ack(stream=outbox.stream, seq=2)
        entry = await in_database(TranscriptEntry.all_tenants.get)
        assert entry.text == "Hello"
        changed = {"type": "call.changed", "call": str(call.public_id)}
        assert await layer.receive(page) == changed
        told = await layer.receive(page)
        assert (told["type"], told["item_id"]) == ("call.entry", "item_1")
        assert told["said"]["text"] == "Hello"
        assert await layer.receive(overview) == changed


async def test_a_new_link_goes_on_where_the_last_one_was(
    token: str, worker: Worker, number: Number
):
    call = await in_database(admitted, worker)
    outbox = Outbox(worker)
    records = [outbox.record(said(f"i{n}", str(n)), call) for n in range(3)]
    async with linked(token, outbox.stream) as link:
        await link.ask(batch(outbox, *records[:2]))
    link = Link(token)
    assert await link.open()
    assert (await link.ask(hello(outbox.stream))).acknowledged == 2
    # The acknowledgement was lost, the worker sends all again.
    assert (await link.ask(batch(outbox, *records))).seq == 3
    await link.socket.disconnect(timeout=WAIT)
    assert await in_database(TranscriptEntry.all_tenants.count) == 3


async def test_a_record_of_a_newer_worker_holds_up_nothing(
    token: str, worker: Worker, number: Number
):
    call = await in_database(admitted, worker)
    outbox = Outbox(worker)
    newer = json.dumps({"seq": next(outbox.numbers), "at": 1, "event": {"event": "call.sang"}})
    async with linked(token, outbox.stream) as link:
        ack = await link.ask(
            batch(outbox, newer.encode(), outbox.record(said("i", "goes on"), call))
        )
        assert ack.seq == 2
    await in_database(worker.refresh_from_db)
    assert (worker.set_aside_records, worker.rejected_frames) == (1, 0)
    assert await in_database(TranscriptEntry.all_tenants.count) == 1


BAD_FRAMES = [
    " ",
    "{",
    "null",
    "[]",
    '"hello"',
    "{}",
    '{"frame":"dance"}',
    '{"frame":"heartbeat"}',
    '{"frame":"heartbeat","active_calls":"many"}',
    '{"frame":"events","stream":"x","records":[]}',
    '{"frame":"events","stream":"7c9e6679-7425-40de-944b-e07fc1f90ae7","records":[{}]}',
    '{"frame":"events","stream":"7c9e6679-7425-40de-944b-e07fc1f90ae7","records":7}',
    contract.encode(hello()).decode(),
    "x" * (contract.MAX_FRAME_BYTES + 1),
]


@pytest.mark.parametrize("bad", BAD_FRAMES, ids=range(len(BAD_FRAMES)))
async def test_a_bad_frame_is_rejected_and_the_link_stays(token: str, worker: Worker, bad: str):
    outbox = Outbox(worker)
    async with linked(token, outbox.stream) as link:
        assert isinstance(await link.ask(bad), contract.Rejected)
        started = outbox.record(contract.WorkerStarted(boot_id="b"))
        assert (await link.ask(batch(outbox, started))).seq == 1
    await in_database(worker.refresh_from_db)
    assert worker.rejected_frames == 1


async def test_a_binary_frame_is_rejected(token: str):
    async with linked(token) as link:
        await link.socket.send_to(bytes_data=b"\x00\x01")
        assert isinstance(await link.get(), contract.Rejected)


async def test_nothing_comes_before_hello(token: str, worker: Worker):
    outbox = Outbox(worker)
    link = Link(token)
    assert await link.open()
    early = batch(outbox, outbox.record(contract.WorkerStarted(boot_id="b")))
    assert isinstance(await link.ask(early), contract.Rejected)
    assert isinstance(await link.ask(contract.Heartbeat(active_calls=0)), contract.Rejected)
    assert isinstance(await link.ask(hello("no uuid")), contract.Rejected)
    assert isinstance(await link.ask(hello()), contract.Welcome)
    await link.socket.disconnect(timeout=WAIT)


async def test_what_follows_a_rejected_batch_is_not_stored_before_it(
    token: str, worker: Worker, number: Number
):
    call = await in_database(admitted, worker)
    outbox = Outbox(worker)
    first, second, third, fourth = (outbox.record(said(f"i{n}", "x"), call) for n in range(4))
    async with linked(token, outbox.stream) as link:
        assert (await link.ask(batch(outbox, first))).seq == 1
        assert isinstance(await link.ask(batch(outbox, second, first)), contract.Rejected)
        assert isinstance(await link.ask(batch(outbox, third, fourth)), contract.Rejected)
        # Record by record the worker may leave out what was rejected.
        assert (await link.ask(batch(outbox, third))).seq == 3
        assert (await link.ask(batch(outbox, fourth))).seq == 4


async def test_a_batch_that_cannot_be_stored_closes_the_link_without_an_acknowledgement(
    token: str, worker: Worker, number: Number, monkeypatch: pytest.MonkeyPatch
):
    call = await in_database(admitted, worker)
    outbox = Outbox(worker)
    first, second = outbox.record(said("a", "a"), call), outbox.record(said("b", "b"), call)

    def down(**_: Any) -> Any:
        raise OperationalError("no database")

    link = Link(token)
    assert await link.open()
    await link.ask(hello(outbox.stream))
    with monkeypatch.context() as patched:
        patched.setattr(intake, "store", down)
        await link.send(batch(outbox, first))
        assert await link.closed_with() == 4503
    # A batch that was on its way behind it must not overtake it.
    await link.send(batch(outbox, second))
    await link.socket.disconnect(timeout=WAIT)
    assert await in_database(TranscriptEntry.all_tenants.count) == 0
    async with linked(token, outbox.stream) as again:
        assert (await again.ask(batch(outbox, first, second))).seq == 2


# --- commands ------------------------------------------------------------------------------------


async def test_a_check_goes_down_and_its_outcome_comes_up(
    token: str, worker: Worker, account: ProviderAccount
):
    outbox = Outbox(worker)
    async with linked(token, outbox.stream) as link:
        await in_database(accounts.request_check, account)
        command = await link.get()
        assert isinstance(command, contract.CheckAccount)
        checked = contract.AccountChecked(
            check_id=command.check_id,
            ok=False,
            kind=contract.ProblemKind.KEY_REFUSED,
            message="Incorrect API key provided",
        )
        await link.ask(batch(outbox, outbox.record(checked)))
    await in_database(account.refresh_from_db)
    assert (account.check_state, account.check_kind) == ("failed", "key_refused")


async def test_a_check_that_the_worker_cannot_run_fails(
    token: str, worker: Worker, account: ProviderAccount
):
    async with linked(token) as link:
        await in_database(accounts.request_check, account)
        command = await link.get()
        done = contract.CommandDone(command_id=command.command_id, ok=False, detail="Draining.")
        await link.send(done)
    await in_database(account.refresh_from_db)
    assert (account.check_state, account.check_message) == ("failed", "Draining.")


async def test_a_call_is_hung_up_by_its_own_worker(token: str, worker: Worker, number: Number):
    call = await in_database(admitted, worker)
    _other, other_token = await in_database(workers.create_worker, name="other")
    async with linked(token) as link, linked(other_token) as other:
        call = await in_database(Call.all_tenants.select_related("worker", "tenant").get)
        await in_database(commands.hang_up, call=call, user=None)
        command = await link.get()
        assert isinstance(command, contract.HangUpCall)
        assert command.call_id == str(call.public_id)
        assert await other.socket.receive_nothing()


async def test_a_call_that_is_over_cannot_be_hung_up(worker: Worker, number: Number):
    call = await in_database(admitted, worker)
    with pytest.raises(calls.CallIsOver):
        await in_database(commands.hang_up, call=call, user=None)


async def test_a_worker_that_is_to_be_drained_hears_so_at_each_link(token: str, worker: Worker):
    await in_database(commands.drain, worker=worker, user=None, draining=True)
    link = Link(token)
    assert await link.open()
    welcome = await link.ask(hello())
    assert isinstance(welcome, contract.Welcome)
    assert welcome.draining
    await link.socket.disconnect(timeout=WAIT)


async def test_sound_goes_on_to_who_listens_and_nowhere_else(token: str):
    listen_id = uuid.uuid4()
    layer = get_channel_layer()
    ear = await layer.new_channel()
    await layer.group_add(f"listen.{listen_id.hex}", ear)
    piece = contract.ListenAudio(
        listen_id=str(listen_id), seq=7, at_ms=700, caller=b"\x00" * 800, agent=b"\xff" * 800
    )
    async with linked(token) as link:
        await link.send(piece)
        assert await layer.receive(ear) == {
            "type": "listen.heard",
            "seq": 7,
            "at_ms": 700,
            "caller": b"\x00" * 800,
            "agent": b"\xff" * 800,
        }
        for bad in ({"listen_id": "nobody"}, {"agent": b"\xff" * 801}):
            answer = await link.ask(msgspec.structs.replace(piece, **bad))
            assert isinstance(answer, contract.Rejected)
