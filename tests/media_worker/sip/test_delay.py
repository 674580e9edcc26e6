"""How long a packet waits before the bridge has all of it, on even and uneven lines.

The caller's sound is noise that is nowhere the same twice, so that each packet is found again in
what was captured. Times are those of its sending and of the bridge's tick that brought its end.
"""

from __future__ import annotations

import asyncio
import random
import struct
from statistics import median

import numpy as np

from media_worker.audio.g711 import decode_mu_law, encode_mu_law
from media_worker.audio.tap import Tap, Tick
from media_worker.sip.ring import rings
from tests.media_worker.audio.signals import tone
from tests.media_worker.sip.test_rtp import call_by_hand
from tests.support.tries import best_of

PACKET_SECONDS = 0.02
SAMPLES = 160
KEY = 12
"""Samples at the end of a packet by which it is known."""
HELD_BACK = 0.0 if rings() else 0.02
"""The concealment of the wheel keeps the last 5 ms of each packet for the next tick."""
SWING = 0.06


class Line:
    """One call's way in: packets at their times, some of them late, and what came of each."""

    def __init__(self, rtp, tap: Tap) -> None:
        self.sent_at: dict[int, float] = {}
        self._rtp, self._tap = rtp, tap
        self._noise = np.random.default_rng(7)
        self._pcm: dict[int, bytes] = {}
        self._ticks: list[Tick] = []
        self._clock = asyncio.get_running_loop().time
        self._next_at = self._clock()
        self._next = self._last_due = 0

    async def send(self, count: int, lateness=lambda: 0.0) -> None:
        """The next so many packets, every 20 ms, each late by `lateness()` seconds; a line keeps
        their order."""
        for number in range(self._next, self._next + count):
            self._last_due = max(self._last_due, self._next_at + lateness())
            self._next_at += PACKET_SECONDS
            await asyncio.sleep(max(0.0, self._last_due - self._clock()))
            self._send(number)
            self._ticks += _ticks_of(self._tap)
        self._next += count

    def _send(self, number: int) -> None:
        payload = encode_mu_law(self._noise.normal(0, 3000, SAMPLES).astype("<i2").tobytes())
        self._pcm[number] = decode_mu_law(payload)
        head = struct.pack("!BBHII", 0x80, 0, number & 0xFFFF, number * SAMPLES, 7)
        self.sent_at[number] = self._clock()
        self._rtp.transport.sendto(head + payload, self._rtp.peer)

    async def heard(self) -> dict[int, float]:
        """Seconds that each packet waited, of those that were heard to their end."""
        await self._rtp.wait_for(len(self._rtp.packets) + 25)
        self._ticks += _ticks_of(self._tap)
        sound = b"".join(caller for _, caller, _ in self._ticks)
        waits = {}
        for number, sent_at in self.sent_at.items():
            place = sound.find(self._pcm[number][-2 * KEY :])
            if place >= 0:
                tick = (place // 2 + KEY - 1) // SAMPLES
                waits[number] = self._ticks[tick][0] - sent_at
        return waits


def _ticks_of(tap: Tap) -> list[Tick]:
    if tap.source is not None:
        return tap.source()
    return [tap._pairs.popleft() for _ in range(len(tap._pairs))]


async def line_of(taken, rtp) -> Line:
    tap = Tap(8000)
    await taken.leg.record(tap)
    return Line(rtp, tap)


async def test_on_an_even_line_a_packet_waits_for_the_next_tick_only(desk):
    async def wait() -> float:
        async with call_by_hand(desk) as (taken, rtp):
            line = await line_of(taken, rtp)
            await line.send(100)
            waits = await line.heard()
            assert len(waits) >= 80
            return median(waits.values()) - HELD_BACK

    assert await best_of(wait, lambda seconds: seconds < 0.025) < 0.025


async def test_a_swinging_line_is_heard_whole_and_its_delay_goes_when_the_swing_does(desk):
    async def heard_and_waits() -> tuple[int, float, float]:
        swing = random.Random(3)
        async with call_by_hand(desk) as (taken, rtp):
            line = await line_of(taken, rtp)
            await line.send(150, lambda: swing.uniform(0, SWING))
            await line.send(600)
            waits = await line.heard()
            swinging = [waits[number] for number in range(50, 150) if number in waits]
            calm = [waits[number] for number in range(700, 750) if number in waits]
            return len(swinging), median(swinging) - HELD_BACK, median(calm) - HELD_BACK

    def is_good(found: tuple[int, float, float]) -> bool:
        heard, swinging, calm = found
        return heard >= 97 and swinging < 2 * SWING and calm < 0.045

    assert is_good(found := await best_of(heard_and_waits, is_good)), found


async def test_packets_that_overtake_each_other_are_heard(desk):
    async def share() -> float:
        async with call_by_hand(desk) as (taken, rtp):
            line = await line_of(taken, rtp)
            loop, mixed = asyncio.get_running_loop(), random.Random(3)
            began = loop.time()
            for number in range(400):
                late = mixed.uniform(0, 0.03)
                loop.call_at(began + number * PACKET_SECONDS + late, line._send, number)
            await rtp.wait_for(len(rtp.packets) + 402)
            heard = await line.heard()
            return len([number for number in heard if number >= 200]) / 200

    assert await best_of(share, lambda heard: heard >= 0.97) >= 0.97


async def test_a_lost_packet_is_concealed_and_moves_nothing(desk):
    """A vowel's pitch goes on through the gap; what follows is as if nothing had been lost."""
    period = tone(200, 1000)
    payload = encode_mu_law(period)

    async def heard_of_it() -> np.ndarray:
        async with call_by_hand(desk) as (taken, rtp):
            listening = asyncio.create_task(taken.capture(1500))
            for number in range(50):
                await rtp.wait_for(len(rtp.packets) + 1)
                if number == 25:
                    rtp.sequence += 1
                else:
                    rtp.send(payload[number * SAMPLES : (number + 1) * SAMPLES])
            return np.frombuffer(await listening, "<i2").astype(float)

    whole = np.frombuffer(decode_mu_law(payload), "<i2").astype(float)

    def difference(heard: np.ndarray) -> float:
        """From the sound that was said, around the loss, of its level; 1 where it is silent."""
        begins = int(np.argmax(np.abs(heard) > 0.05 * np.abs(whole).max()))
        said = whole[20 * SAMPLES : 32 * SAMPLES]
        nearest = min(
            float(np.abs(heard[begins + at : begins + at + len(said)] - said).max())
            for at in range(20 * SAMPLES - 60, 20 * SAMPLES + 60)
            if begins + at + len(said) <= len(heard)
        )
        return nearest / float(np.abs(whole).max())

    def is_concealed(heard: np.ndarray) -> bool:
        return difference(heard) < 0.4

    assert is_concealed(heard := await best_of(heard_of_it, is_concealed)), difference(heard)
