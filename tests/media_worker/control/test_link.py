"""The link against a real WebSocket server: order, acknowledgement, reconnects, rubbish."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from media_worker.contract import (
    Ack,
    CallAnswered,
    CheckAccount,
    Command,
    HangUpCall,
    Heartbeat,
    Hello,
    ListenAudio,
    Rejected,
    SayText,
    Welcome,
)
from media_worker.control.link import Link
from media_worker.control.outbox import Outbox
from tests.media_worker.control.web_stub import RIGHT, LinkStub


class Worker:
    """What the link asks of a worker."""

    def __init__(self, outbox: Outbox, url: str, token: str) -> None:
        self.outbox = outbox
        self.draining = False
        self.calls = {"known-call"}
        self.checked: list[str] = []
        self.welcomes: list[Welcome] = []
        self.let_check = asyncio.Event()
        self.link = Link(
            url, token, outbox,
            hello=self.hello, heartbeat=self.heartbeat,
            on_command=self.do, on_welcome=self.welcomes.append,
            heartbeat_seconds=0.05, first_delay_seconds=0.01,
        )  # fmt: skip

    def hello(self) -> Hello:
        return Hello(
            stream=self.outbox.stream, boot_id="boot", host="h", version="1", sip_build="b",
            capacity=4,
        )  # fmt: skip

    def heartbeat(self) -> Heartbeat:
        return Heartbeat(active_calls=2, draining=self.draining, outbox_depth=self.outbox.depth)

    async def do(self, command: Command) -> str:
        match command:
            case HangUpCall(call_id=call_id):
                return "" if call_id in self.calls else "This worker has no such call."
            case CheckAccount(check_id=check_id):
                return await self.check(check_id)
        raise ValueError("nobody does this")

    async def check(self, check_id: str) -> str:
        self.checked.append(check_id)
        await self.let_check.wait()
        return "" if check_id == "good" else "This check is over."

    def say(self, *numbers: int) -> None:
        for number in numbers:
            self.outbox.append("call", CallAnswered(codec=str(number)))


@pytest.fixture
def worker_at(tmp_path: Path):
    @asynccontextmanager
    async def start(url: str, token: str = RIGHT) -> AsyncIterator[Worker]:
        worker = Worker(Outbox(tmp_path / "outbox.sqlite3"), url, token)
        running = asyncio.create_task(worker.link.run())
        yield worker
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        await worker.outbox.close()

    return start


def piece(seq: int) -> ListenAudio:
    return ListenAudio(listen_id="l", seq=seq, at_ms=seq * 100, caller=bytes(800), agent=bytes(800))


def codecs(web: LinkStub) -> list[int]:
    return [int(record.event.codec) for record in web.records]


async def test_link_says_hello_and_sends_events_in_order(worker_at):
    async with LinkStub() as web, worker_at(web.url) as worker:
        worker.say(*range(1000))
        await web.until(lambda: len(web.records) == 1000)
        assert codecs(web) == list(range(1000))
        assert web.hellos[0].capacity == 4
        await worker.outbox.emptied()


async def test_link_sends_what_was_not_acknowledged_again_after_a_break(worker_at):
    async with LinkStub() as web, worker_at(web.url) as worker:
        worker.say(1)
        await web.until(lambda: len(web.records) == 1)
        web.acknowledges = False
        worker.say(2, 3)
        await web.until(lambda: web.received == 3)
        web.acknowledges = True
        await web.drop()
        await web.until(lambda: len(web.records) == 3)
        assert codecs(web) == [1, 2, 3]
        assert len(web.hellos) == 2
        await worker.outbox.emptied()


async def test_link_keeps_events_until_the_web_side_comes_up(worker_at):
    async with LinkStub() as first:
        pass
    async with worker_at(first.url) as worker:
        worker.say(1, 2)
        await worker.outbox.flush()
        async with LinkStub(port=first.port) as web:
            await web.until(lambda: len(web.records) == 2)
            assert codecs(web) == [1, 2]


async def test_link_drops_what_the_welcome_says_is_stored(worker_at):
    async with LinkStub() as web, worker_at(web.url) as worker:
        web.acknowledges = False
        worker.say(1, 2, 3)
        await web.until(lambda: web.received >= 3)
        web.acknowledged[worker.outbox.stream] = 2
        web.acknowledges = True
        await web.drop()
        await web.until(lambda: len(web.records) == 1)
        assert codecs(web) == [3]


async def test_link_limits_how_far_it_runs_ahead(worker_at):
    async with LinkStub() as web, worker_at(web.url) as worker:
        web.acknowledges = False
        worker.say(*range(2000))
        await web.until(lambda: web.received == 800)
        beats = len(web.heartbeats)
        await web.until(lambda: len(web.heartbeats) >= beats + 3)
        assert web.received == 800


async def test_link_sends_heartbeats_and_one_at_once_when_told(worker_at):
    async with LinkStub() as web, worker_at(web.url) as worker:
        await web.until(lambda: len(web.heartbeats) >= 2)
        worker.draining = True
        worker.link.beat()
        await web.until(lambda: web.heartbeats[-1].draining)
        assert web.heartbeats[-1].active_calls == 2


async def test_link_hangs_up_calls_when_told(worker_at):
    async with LinkStub() as web, worker_at(web.url):
        await web.until(lambda: bool(web.hellos))
        await web.send(HangUpCall(command_id="1", call_id="known-call"))
        await web.send(HangUpCall(command_id="2", call_id="other-call"))
        await web.until(lambda: len(web.done) == 2)
        assert [(done.command_id, done.ok) for done in web.done] == [("1", True), ("2", False)]
        assert web.done[1].detail == "This worker has no such call."


async def test_link_runs_a_check_once_beside_everything_else(worker_at):
    async with LinkStub() as web, worker_at(web.url) as worker:
        await web.until(lambda: bool(web.hellos))
        await web.send(CheckAccount(command_id="1", check_id="good"))
        await web.send(CheckAccount(command_id="1", check_id="good"))
        await web.send(CheckAccount(command_id="2", check_id="gone"))
        worker.say(1)
        await web.until(lambda: len(web.records) == 1)
        worker.let_check.set()
        await web.until(lambda: len(web.done) == 2)
        assert sorted(worker.checked) == ["gone", "good"]
        assert {done.command_id: done.detail for done in web.done} == {
            "1": "",
            "2": "This check is over.",
        }


async def test_link_ignores_and_counts_rubbish_from_the_web_side(worker_at):
    async with LinkStub() as web:
        web.garbage = ["{", "[]", '{"frame":"unknown"}', b"\xff\xfe", '{"frame":"ack","seq":"x"}']
        async with worker_at(web.url) as worker:
            worker.say(1)
            await web.until(lambda: len(web.records) == 1)
            await web.send(Ack(stream="another", seq=1))
            await web.send(Ack(stream=worker.outbox.stream, seq=10**9))
            worker.say(2)
            await web.until(lambda: len(web.records) == 2)
            assert worker.link.malformed_frames == 7
            assert len(web.hellos) == 1


async def test_link_keeps_trying_while_its_token_is_refused(worker_at, monkeypatch, caplog):
    monkeypatch.setattr("media_worker.control.link.REFUSED_DELAY_SECONDS", 0.02)
    async with LinkStub() as web, worker_at(web.url, token="wrong") as worker:
        worker.say(1)
        await web.until(lambda: web.refused >= 2)
        web.token = "wrong"
        await web.until(lambda: len(web.records) == 1)
        await worker.outbox.emptied()
    assert "link.token_refused" in caplog.text
    assert "Bearer" not in caplog.text


async def test_link_sets_a_record_aside_that_the_web_side_cannot_read(worker_at):
    async with LinkStub() as web, worker_at(web.url) as worker:
        await web.until(lambda: bool(web.hellos))
        web.unreadable = lambda record: record.event.codec == "5"
        worker.say(*range(10))
        await web.until(lambda: len(web.records) == 9)
        assert codecs(web) == [0, 1, 2, 3, 4, 6, 7, 8, 9]
        await worker.outbox.emptied()


async def test_link_keeps_its_events_when_the_web_side_takes_none_at_all(worker_at, monkeypatch):
    monkeypatch.setattr("media_worker.control.link.MOST_SET_ASIDE", 2)
    async with LinkStub() as web, worker_at(web.url) as worker:
        await web.until(lambda: bool(web.hellos))
        web.unreadable = lambda record: True
        worker.say(*range(10))
        await web.until(lambda: len(web.hellos) >= 4)
        web.unreadable = lambda record: False
        await web.until(lambda: len(web.records) == 8)
        assert codecs(web) == list(range(2, 10))


async def test_link_ignores_a_rejection_of_something_else(worker_at):
    async with LinkStub() as web, worker_at(web.url) as worker:
        await web.until(lambda: bool(web.heartbeats))
        await web.send(Rejected(detail="that heartbeat was odd"))
        worker.say(1)
        await web.until(lambda: len(web.records) == 1)
        assert len(web.hellos) == 1


async def test_link_begins_a_new_stream_when_its_file_is_older_than_the_web_sides_store(worker_at):
    async with LinkStub() as web, worker_at(web.url) as worker:
        old = worker.outbox.stream
        web.acknowledged[old] = 500
        await web.drop() if web.hellos else None
        worker.say(1)
        await web.until(lambda: len(web.records) == 1)
        assert web.hellos[-1].stream != old


async def test_link_makes_itself_anew_when_nothing_is_acknowledged(worker_at, monkeypatch):
    monkeypatch.setattr("media_worker.control.link.ACK_SECONDS", 0.05)
    async with LinkStub() as web, worker_at(web.url) as worker:
        web.acknowledges = False
        worker.say(1)
        await web.until(lambda: len(web.hellos) >= 2)
        web.acknowledges = True
        await web.until(lambda: len(web.records) == 1)


@pytest.mark.parametrize(
    ("code", "message"), [(4401, "link.token_refused"), (4409, "link.replaced")]
)
async def test_link_says_why_it_was_closed_and_waits(worker_at, monkeypatch, caplog, code, message):
    monkeypatch.setattr("media_worker.control.link.REFUSED_DELAY_SECONDS", 0.01)
    monkeypatch.setattr("media_worker.control.link.LONGEST_DELAY_SECONDS", 0.01)
    async with LinkStub() as web, worker_at(web.url):
        await web.until(lambda: bool(web.hellos))
        await web.close(code)
        await web.until(lambda: len(web.hellos) == 2)
    assert message in caplog.text


async def test_link_that_is_stopped_says_goodbye(worker_at):
    async with LinkStub() as web:
        async with worker_at(web.url):
            await web.until(lambda: bool(web.hellos))
        await web.until(lambda: web.close_codes == [1001])


async def test_link_says_that_a_command_failed_and_lives_on(worker_at, caplog):
    async with LinkStub() as web, worker_at(web.url):
        await web.until(lambda: web.hellos)
        await web.send(SayText(command_id="c1", call_id="known-call", text="Hello."))
        await web.send(HangUpCall(command_id="c2", call_id="known-call"))
        await web.until(lambda: len(web.done) == 2)
        assert {done.command_id: done.ok for done in web.done} == {"c1": False, "c2": True}
        (failed,) = (done for done in web.done if not done.ok)
        assert failed.detail == "Something went wrong inside the media worker."
    assert "link.command_failed" in caplog.text


async def test_link_sends_what_is_listened_to_and_events_beside_it(worker_at):
    async with LinkStub() as web, worker_at(web.url) as worker:
        await web.until(lambda: bool(web.hellos) and bool(web.heartbeats))
        for seq in range(30):
            worker.link.hear(piece(seq))
        worker.say(1, 2, 3)
        await web.until(lambda: len(web.heard) == 30 and len(web.records) == 3)
        assert [one.seq for one in web.heard] == list(range(30))
        assert web.heard[0].caller == bytes(800)


async def test_link_loses_the_oldest_sound_while_there_is_no_way_for_it(worker_at):
    async with LinkStub() as gone:
        pass
    async with worker_at(gone.url) as worker:
        for seq in range(1000):
            worker.link.hear(piece(seq))
        assert len(worker.link._audio) <= 40
        async with LinkStub(port=gone.port) as web:
            await web.until(lambda: bool(web.heartbeats))
            worker.link.hear(piece(1000))
            await web.until(lambda: bool(web.heard))
            assert [one.seq for one in web.heard] == [1000], "what is old is of no use"


async def test_link_tells_what_the_welcome_said(worker_at):
    async with LinkStub() as web:
        web.draining = True
        async with worker_at(web.url) as worker:
            await web.until(lambda: bool(web.heartbeats))
            assert worker.welcomes[0].draining


async def test_link_answers_over_the_connection_that_there_is(worker_at):
    async with LinkStub() as web, worker_at(web.url) as worker:
        await web.until(lambda: bool(web.hellos))
        await web.send(CheckAccount(command_id="1", check_id="good"))
        worker.say(1)
        await web.until(lambda: bool(worker.checked))
        await web.drop()
        await web.until(lambda: len(web.hellos) == 2 and bool(web.heartbeats))
        worker.let_check.set()
        await web.until(lambda: bool(web.done))
        assert web.done[0].ok
