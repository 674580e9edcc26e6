"""Listening in on a real call, and a worker that is drained by the operator's word."""

from __future__ import annotations

import numpy as np
import pytest

from media_worker.audio.g711 import decode_mu_law
from media_worker.audio.tap import Tap
from media_worker.contract import (
    CallAnswered,
    DrainWorker,
    ListenAudio,
    Settings,
    StartListening,
    StopListening,
)
from media_worker.listening import PIECE_OCTETS, Listening
from media_worker.recording.recorder import Recording
from tests.media_worker.control.web_stub import LinkStub
from tests.media_worker.test_worker import NOBODY, ended_call, house, of, plan_at
from tests.support.sound import tone
from tests.support.wait import until

LOUD = 500


def loud(octets: bytes) -> bool:
    return bool(np.abs(np.frombuffer(decode_mu_law(octets), "<i2").astype(int)).max() > LOUD)


class OneCall:
    """A call whose sound the test gives to whoever listens."""

    def __init__(self, clock_rate: int = 8000) -> None:
        self.by_id = {"call": self}
        self.recording: Recording | None = Recording("call", Tap(clock_rate), lambda work: None)

    async def overheard(self, call_id: str) -> Recording | None:
        return self.recording


def start(listen_id: str, call_id: str = "call") -> StartListening:
    return StartListening(command_id=listen_id, call_id=call_id, listen_id=listen_id)


def listening(call: OneCall) -> tuple[Listening, list[ListenAudio], list[str]]:
    heard: list[ListenAudio] = []
    over: list[str] = []
    made = Listening(call, hear=heard.append, tell=lambda frame: over.append(frame.listen_id))
    return made, heard, over


@pytest.mark.parametrize("rate", [8000, 16000])
async def test_both_sides_come_in_pieces_on_the_calls_clock(rate: int):
    call = OneCall(rate)
    room, heard, _ = listening(call)
    assert await room._start(start("l")) == ""
    left = tone(500, 1.0, rate=rate)
    sound = np.stack([left, np.zeros(len(left))], axis=1).astype("<i2").tobytes()
    for at in range(0, len(sound), rate // 10):  # 25 ms at a time
        for sink in call.recording.sinks:
            sink(3000 + at * 250 // rate, sound[at : at + rate // 10])
    await until(lambda: len(heard) >= 9)
    assert [piece.seq for piece in heard] == list(range(1, len(heard) + 1))
    assert [piece.at_ms for piece in heard[:3]] == [3000, 3100, 3200]
    assert {len(piece.caller) for piece in heard} == {PIECE_OCTETS}
    assert all(loud(piece.caller) for piece in heard[1:])
    assert not any(loud(piece.agent) for piece in heard)


async def test_only_so_many_listen_and_each_may_leave():
    call = OneCall()
    room, _, over = listening(call)
    assert [await room._start(start(one)) for one in "abcd"] == [""] * 4
    assert "As many people" in await room._start(start("e"))
    assert await room._stop(StopListening(command_id="x", listen_id="b")) == ""
    assert len(call.recording.sinks) == 3
    assert await room._start(start("e")) == ""
    assert await room._start(start("e")) == "", "asked twice is asked once"
    call.on_over("another")
    assert over == []
    call.on_over("call")
    assert sorted(over) == ["a", "c", "d", "e"]
    assert call.recording.sinks == ()


async def test_a_call_that_is_not_there_or_not_answered_cannot_be_heard():
    call = OneCall()
    room, _, _ = listening(call)
    assert await room._start(start("a", "gone")) == "This worker has no such call."
    call.recording = None
    assert await room._start(start("a")) == "The call has not been answered yet."


async def listened(link: LinkStub) -> str:
    """Somebody listens to the call that is answered."""
    await link.until(lambda: bool(of(link, CallAnswered)))
    call_id = of(link, CallAnswered)[0].call_id
    await link.send(start("l", call_id))
    await link.until(lambda: bool(link.done))
    assert link.done[0].ok, link.done[0].detail
    return call_id


async def test_a_call_that_is_not_recorded_is_heard_all_the_same_and_leaves_no_file(tmp_path):
    async with house(tmp_path, plan_at(NOBODY)) as (web, phone, worker):
        call = await phone.call(worker.uri("100"))
        await call.answered()
        await listened(web.link)
        await call.play(tone(1000, 2.0).astype("<i2").tobytes())
        await web.link.until(lambda: any(loud(piece.caller) for piece in web.link.heard))
        await web.link.until(lambda: any(loud(piece.agent) for piece in web.link.heard))
        await ended_call(web.link)
        await web.link.until(lambda: web.link.listened == ["l"])
        seqs = [piece.seq for piece in web.link.heard]
        assert seqs == sorted(seqs)
        assert not list((tmp_path / "worker" / "recordings").glob("*.*"))


async def test_listening_takes_nothing_from_the_recording(tmp_path):
    settings = Settings(model="m", voice="marin", record=True)
    async with house(tmp_path, plan_at(NOBODY, settings=settings)) as (web, phone, worker):
        brought: list[bytes] = []
        web.http.on_put = lambda path, body: brought.append(body) or 201
        call = await phone.call(worker.uri("100"))
        await call.answered()
        await listened(web.link)
        await web.link.until(lambda: any(loud(piece.agent) for piece in web.link.heard))
        await ended_call(web.link)
        await until(lambda: bool(brought))
        assert brought[0].startswith(b"OggS")


async def test_the_operator_drains_a_worker_and_takes_it_back(tmp_path):
    async with house(tmp_path, plan_at(NOBODY)) as (web, phone, worker):
        call = await phone.call(worker.uri("100"))
        await call.answered()
        await web.link.send(DrainWorker(command_id="d", draining=True))
        await web.link.until(lambda: web.link.heartbeats[-1].draining)
        second = await phone.call(worker.uri("100"))
        assert (await second.ended())[0] == 503
        await call.hang_up()
        await web.link.send(DrainWorker(command_id="e", draining=False))
        await web.link.until(lambda: not web.link.heartbeats[-1].draining)
        assert all(done.ok for done in web.link.done)
        assert web.link.heartbeats[-1].memory_bytes > 10_000_000
        await web.link.until(lambda: web.link.heartbeats[-1].cpu_percent > 0)
        web.link.draining = True
        await web.link.drop()
        await web.link.until(lambda: len(web.link.hellos) == 2)
        await web.link.until(lambda: web.link.heartbeats[-1].draining)
        third = await phone.call(worker.uri("100"))
        assert (await third.ended())[0] == 503
