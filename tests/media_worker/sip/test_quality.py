"""What the network did to a call, against packets that were dropped, held up and swapped by hand.

Counts of what was lost are exact. A machine under load holds packets up by itself: more may be
discarded than the test asked for, and jitter may be greater.
"""

from __future__ import annotations

import asyncio
import struct

import pytest

from media_worker.audio.emodel import mean_opinion_score
from media_worker.audio.g711 import encode_mu_law
from media_worker.conversation.leg import LegHeld, LineQuality
from media_worker.sip.quality import Stream, line_quality
from tests.media_worker.audio.signals import tone
from tests.media_worker.sip.test_rtp import call_by_hand, reinvite
from tests.support.tries import best_of

PACKET_SECONDS = 0.02
PAYLOAD = encode_mu_law(tone(1000, 20))
SSRC = 7


class Sender:
    """Sends packets of a call, each at its own time; a packet's number is its place."""

    def __init__(self, rtp) -> None:
        self.rtp = rtp
        self._loop = asyncio.get_running_loop()

    async def send(self, numbers, late: dict[int, float] | None = None) -> None:
        """Each at `number * 20 ms` from now, those in `late` so many seconds after their time."""
        late = late or {}
        first = min(numbers)
        began = self._loop.time()
        due = sorted(((n - first) * PACKET_SECONDS + late.get(n, 0.0), n) for n in numbers)
        for at, number in due:
            await asyncio.sleep(max(0.0, began + at - self._loop.time()))
            head = struct.pack("!BBHII", 0x80, 0, number & 0xFFFF, number * 160, SSRC)
            self.rtp.transport.sendto(head + PAYLOAD, self.rtp.peer)
        await self.settle()

    async def settle(self) -> None:
        """Until what was sent has been read: some more packets came from the other side."""
        await self.rtp.wait_for(len(self.rtp.packets) + 5)


async def measured(desk, numbers, late=None) -> LineQuality:
    """The quality of a call with just these packets."""
    async with call_by_hand(desk) as (taken, rtp):
        await Sender(rtp).send(numbers, late)
    return await taken.leg.quality()


async def test_clean_call_is_a_good_call(desk):
    async def clean_call() -> LineQuality:
        quality = await measured(desk, range(300))
        assert (quality.packets_received, quality.packets_lost) == (300, 0)
        assert quality.packets_sent >= 250
        assert quality.remote_lost is None
        return quality

    def is_good(quality: LineQuality) -> bool:
        return quality.mos > 4.2 and quality.jitter_ms < 10

    assert is_good(await best_of(clean_call, is_good))


async def test_tenth_of_the_packets_lost_some_swapped(desk):
    sent = [number for number in range(300) if number % 10 != 5]
    swapped = dict.fromkeys(range(102, 300, 20), 0.03)
    quality = await measured(desk, sent, swapped)
    assert (quality.packets_received, quality.packets_lost) == (270, 30)
    assert quality.mos < 3.6


async def test_packets_too_late_to_be_played_are_discarded_not_lost(desk):
    async def late_packets() -> LineQuality:
        quality = await measured(desk, range(200), dict.fromkeys(range(60, 190, 15), 0.2))
        assert (quality.packets_received, quality.packets_lost) == (200, 0)
        return quality

    def are_discarded(quality: LineQuality) -> bool:
        return quality.packets_discarded >= 9 and quality.mos < 4.2

    # A stall of the machine makes the jitter buffer longer, long enough for them.
    assert are_discarded(await best_of(late_packets, are_discarded))


async def test_jitter_is_that_of_the_packets(desk):
    # every other packet 15 ms late: each is 15 ms nearer to or farther from the one before it
    async def uneven_packets() -> LineQuality:
        quality = await measured(desk, range(300), dict.fromkeys(range(0, 300, 2), 0.015))
        assert quality.packets_lost == 0
        return quality

    def is_theirs(quality: LineQuality) -> bool:
        return 10 < quality.jitter_ms < 40 and quality.jitter_ms <= quality.jitter_max_ms < 200

    assert is_theirs(await best_of(uneven_packets, is_theirs))


class Rtcp(asyncio.DatagramProtocol):
    """The other side's RTCP socket (RFC 3550 section 6.4)."""

    def __init__(self) -> None:
        self.sender_report = asyncio.get_running_loop().create_future()

    def datagram_received(self, data: bytes, addr) -> None:
        if data[1] == 200 and not self.sender_report.done():
            self.sender_report.set_result(data)

    def report(self, *, lost: int, last_report: int = 0, held_up: int = 0) -> None:
        """A receiver report; both times in 1/65536 s."""
        block = struct.pack("!IIIIII", 0, lost, 300, 16, last_report, held_up)
        self.transport.sendto(struct.pack("!BBHI", 0x81, 201, 7, SSRC) + block, self.peer)


async def test_loss_and_round_trip_that_the_other_side_reports(desk):
    async with call_by_hand(desk) as (taken, rtp):
        rtcp = Rtcp()
        rtcp.transport, _ = await asyncio.get_running_loop().create_datagram_endpoint(
            lambda: rtcp, local_addr=("127.0.0.1", 0)
        )
        rtcp.peer = (rtp.peer[0], rtp.peer[1] + 1)
        sender = Sender(rtp)
        sending = asyncio.create_task(sender.send(range(400)))
        for _ in range(5):  # pjmedia answers to where RTCP really comes from, once it is sure
            rtcp.report(lost=0)
            await sender.settle()
        sent_at = struct.unpack_from("!I", await asyncio.wait_for(rtcp.sender_report, 60), 10)[0]
        # 0.3 s ago, it seems: the middle 32 bits of an NTP time
        rtcp.report(lost=60, last_report=(sent_at - int(0.3 * 65536)) & 0xFFFFFFFF, held_up=1)
        await sending
        quality = await taken.leg.quality()
        rtcp.transport.close()
    assert quality.remote_lost == 60
    assert 300 <= quality.round_trip_ms < 1500
    assert quality.packets_lost == 0
    assert quality.mos < 3.6


async def test_streams_before_and_after_a_hold_are_one_call(desk):
    async with call_by_hand(desk) as (taken, rtp):
        sender = Sender(rtp)
        await sender.send(range(60))
        await reinvite(rtp, 2, "inactive")
        await taken.expect(LegHeld)
        await reinvite(rtp, 3, "sendrecv")
        await taken.expect(LegHeld, nth=2)
        await sender.send([n for n in range(60, 160) if n != 100])
    quality = await taken.leg.quality()
    assert (quality.packets_received, quality.packets_lost) == (159, 1)


async def test_quality_is_there_when_we_hang_up(talking):
    call, taken = talking
    await taken.capture(500)
    await taken.leg.hang_up()
    await taken.ended()
    assert (await taken.leg.quality()).packets_received > 20
    await call.ended()


async def test_call_that_was_never_answered_has_none(desk, phone):
    call = await phone.call(desk.uri())
    taken = await desk.next_call()
    assert await taken.leg.quality() is None
    await taken.leg.hang_up(486)
    await taken.ended()
    assert await taken.leg.quality() is None
    await call.ended()


def stream(**counts) -> Stream:
    nothing = dict.fromkeys(Stream.__struct_fields__, 0) | {"codec": "PCMU/8000"}
    return Stream(**nothing | {"remote_lost": None} | counts)


def test_means_count_each_stream_by_its_length():
    streams = [
        stream(received=100, jitter=4.0, jitter_max=5.0, jitter_samples=75, delay=20.0),
        stream(received=300, jitter=8.0, jitter_max=9.0, jitter_samples=225, delay=60.0),
    ]
    quality = line_quality(streams)
    assert (quality.jitter_ms, quality.jitter_max_ms, quality.delay_ms) == (7.0, 9.0, 50.0)
    assert quality.round_trip_ms == 0


def test_worse_direction_makes_the_opinion():
    streams = [stream(received=900, lost=9, sent=1000, remote_lost=100, round_trip=80.0,
                      round_trip_samples=2, delay=40.0)]  # fmt: skip
    expected = mean_opinion_score("PCMU", loss=0.1, one_way_ms=100)
    assert line_quality(streams).mos == pytest.approx(expected)


def test_nothing_is_said_of_a_call_without_sound():
    assert line_quality([]) is None
    assert line_quality([stream(received=49, sent=50)]).mos is None
