"""RTP packet by packet, with a peer that has its own RTP socket."""

import asyncio
import os
import re
import struct
from contextlib import asynccontextmanager
from itertools import count, pairwise

import pytest

from media_worker.audio.g711 import decode_mu_law, encode_mu_law
from media_worker.conversation.leg import LegAnswered, LegHeld
from tests.media_worker.audio.signals import loudest_hz, tone
from tests.media_worker.sip.wire import PCMU, Wire
from tests.support.tries import best_of


class Rtp(asyncio.DatagramProtocol):
    """An RTP socket (RFC 3550 section 5.1): packets as (arrival, payload type, payload), and the
    timestamp of each."""

    def __init__(self) -> None:
        self.packets: list[tuple[float, int, bytes]] = []
        self.stamps: list[int] = []
        self.changed = asyncio.Event()
        self.sequence = 0

    def datagram_received(self, data: bytes, addr) -> None:
        at = asyncio.get_running_loop().time()
        self.packets.append((at, data[1] & 0x7F, data[12:]))
        self.stamps.append(int.from_bytes(data[4:8], "big"))
        self.changed.set()

    async def wait_for(self, count: int, seconds: float = 30.0) -> None:
        async with asyncio.timeout(seconds):
            while len(self.packets) < count:
                self.changed.clear()
                await self.changed.wait()

    def send(self, payload: bytes) -> None:
        head = struct.pack("!BBHII", 0x80, 0, self.sequence, self.sequence * 160, 7)
        self.transport.sendto(head + payload, self.peer)
        self.sequence += 1


@asynccontextmanager
async def call_by_hand(desk):
    """An answered call whose RTP we see: (taken call, Rtp)."""
    loop = asyncio.get_running_loop()
    async with Wire(desk.endpoint.ports["udp"]) as wire:
        rtp = Rtp()
        rtp.transport, _ = await loop.create_datagram_endpoint(
            lambda: rtp, local_addr=("127.0.0.1", 0)
        )
        port = rtp.transport.get_extra_info("sockname")[1]
        dialogue = wire.dialogue()
        dialogue.invite(PCMU.replace("40000", str(port)))
        taken = await desk.next_call()
        await taken.leg.answer()
        ok = await wire.until(200)
        dialogue.confirm(ok)
        await taken.expect(LegAnswered)
        rtp.peer = ("127.0.0.1", int(re.search(r"m=audio (\d+)", ok.body)[1]))
        rtp.wire, rtp.dialogue = wire, dialogue
        yield taken, rtp
        rtp.transport.close()
        dialogue.bye()
        await taken.ended()


async def test_packets_flow_evenly_while_the_agent_is_silent(desk):
    async with call_by_hand(desk) as (_, rtp):
        await rtp.wait_for(10)

        async def a_packet_lasts() -> float:
            first = len(rtp.packets)
            await rtp.wait_for(first + 50)
            return (rtp.packets[first + 49][0] - rtp.packets[first][0]) / 49

        even = pytest.approx(0.02, rel=0.1)
        assert await best_of(a_packet_lasts, lambda seconds: seconds == even) == even
        assert {after - before for before, after in pairwise(rtp.stamps)} == {160}
        assert {kind for _, kind, _ in rtp.packets} == {0}
        assert {payload for _, _, payload in rtp.packets[10:]} == {b"\xff" * 160}


async def test_what_is_played_is_on_the_wire_within_60_ms_and_whole(desk):
    async with call_by_hand(desk) as (taken, rtp):
        await rtp.wait_for(10)
        items = (f"item-{number}" for number in count())

        async def seconds_to_the_wire() -> float:
            first = len(rtp.packets)
            began = asyncio.get_running_loop().time()
            sound = tone(700, 1000)
            taken.play(sound, next(items))
            await rtp.wait_for(first + 60)
            loud = [(at, p) for at, _, p in rtp.packets[first:] if p != b"\xff" * 160]
            assert b"".join(payload for _, payload in loud) == encode_mu_law(sound)
            return loud[0][0] - began

        assert await best_of(seconds_to_the_wire, lambda seconds: seconds < 0.06) < 0.06


async def test_a_flush_is_on_the_wire_within_60_ms(desk):
    async with call_by_hand(desk) as (taken, rtp):
        items = (f"item-{number}" for number in count())

        async def seconds_to_silence() -> float:
            first = len(rtp.packets)
            taken.play(tone(700, 20_000), next(items))
            await rtp.wait_for(first + 40)
            flushed = asyncio.get_running_loop().time()
            cut = taken.leg.playout.flush()
            await rtp.wait_for(len(rtp.packets) + 20)
            loud = [at for at, _, payload in rtp.packets[first:] if payload != b"\xff" * 160]
            assert len(loud) * 20 == cut.heard_ms
            return loud[-1] - flushed

        assert await best_of(seconds_to_silence, lambda seconds: seconds < 0.06) < 0.06


async def test_the_capture_clock_goes_on_without_any_rtp(desk):
    async with call_by_hand(desk) as (taken, _):
        second = pytest.approx(1.0, abs=0.1)

        async def seconds_for_a_second() -> float:
            began = asyncio.get_running_loop().time()
            assert not any(await taken.capture(1000))
            return asyncio.get_running_loop().time() - began

        assert await best_of(seconds_for_a_second, lambda seconds: seconds == second) == second


async def test_what_comes_in_is_captured_and_a_gap_is_silence(desk):
    async with call_by_hand(desk) as (taken, rtp):
        payload = encode_mu_law(tone(1000, 1000))

        async def heard_of_it() -> bytes:
            listening = asyncio.create_task(taken.capture(2000))
            for number in range(50):
                await rtp.wait_for(len(rtp.packets) + 1)  # one a packet of theirs: every 20 ms
                rtp.send(payload[number * 160 : number * 160 + 160])
            heard = await listening
            assert not any(await taken.capture(300))
            return heard

        def is_there_bit_by_bit(heard: bytes) -> bool:
            return decode_mu_law(payload)[3200:6400] in heard

        heard = await best_of(heard_of_it, is_there_bit_by_bit)
        assert is_there_bit_by_bit(heard)
        assert loudest_hz(heard[: 1000 * 16]) == pytest.approx(1000, abs=10)


async def reinvite(rtp, version: int, direction: str) -> None:
    """Offer the same media again in another direction (RFC 3264 section 8.4)."""
    port = rtp.transport.get_extra_info("sockname")[1]
    sdp = PCMU.replace("40000", str(port)).replace("o=- 1 1", f"o=- 1 {version}")
    rtp.dialogue.cseq += 1
    rtp.dialogue.send("INVITE", f"{sdp}a={direction}\r\n")
    await rtp.wire.until(200)
    rtp.dialogue.send("ACK")


@pytest.mark.parametrize("direction", ["sendonly", "inactive"])
async def test_on_hold_nothing_is_sent_or_lost(desk, direction):
    async with call_by_hand(desk) as (taken, rtp):
        await rtp.wait_for(20)
        await reinvite(rtp, 2, direction)
        assert await taken.expect(LegHeld) == LegHeld(True)
        sound = tone(500, 400)
        taken.play(sound)
        taken.leg.capture.take()
        for _ in range(20):
            rtp.send(encode_mu_law(tone(900, 20)))
        held = len(rtp.packets)
        await reinvite(rtp, 3, "sendrecv")
        assert await taken.expect(LegHeld, nth=2) == LegHeld(False)
        await rtp.wait_for(held + 40)
        after = [payload for _, _, payload in rtp.packets]
        assert b"".join(p for p in after if p != b"\xff" * 160) == encode_mu_law(sound)
        assert taken.leg.playout.heard_ms("item") == 400


async def test_rubbish_on_the_rtp_port_does_no_harm(desk):
    async with call_by_hand(desk) as (taken, rtp):
        for size in (0, 1, 11, 12, 13, 172, 1500, 9000):
            rtp.transport.sendto(os.urandom(size), rtp.peer)
            rtp.transport.sendto(b"\x80\x00" + b"\xff" * size, rtp.peer)
        await taken.capture(200)
        taken.play(tone(700, 200))
        await rtp.wait_for(len(rtp.packets) + 20)
        assert any(payload != b"\xff" * 160 for _, _, payload in rtp.packets)


async def test_a_peer_without_rtp_loses_the_call_when_so_configured(open_desk):
    desk = await open_desk(media_timeout_seconds=1.0)
    async with call_by_hand(desk) as (taken, _):
        ended = await taken.ended()
        assert ended.by_caller is False
        assert ended.reason == "media lost: no RTP for 1 s"
