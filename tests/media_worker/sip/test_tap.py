"""A tap on real calls: both sides on the bridge's clock, through gaps of RTP and through hold."""

from time import monotonic

import numpy as np
import pytest

from media_worker.audio.g711 import encode_mu_law
from media_worker.audio.tap import Tap
from media_worker.conversation.leg import LegHeld
from tests.media_worker.audio.signals import tone
from tests.media_worker.sip.test_rtp import call_by_hand, reinvite
from tests.support.wait import until

RATE = 8000
FRAME = RATE // 50


def loud_ms(side: np.ndarray) -> list[int]:
    """Places in ms of the frames that somebody would hear."""
    frames = np.abs(side[: len(side) // FRAME * FRAME].astype(float)).reshape(-1, FRAME)
    return [int(at) * 20 for at in np.flatnonzero(frames.mean(axis=1) > 300)]


class Drained:
    """What the tap gave so far, taken as often as the recorder does."""

    def __init__(self, tap: Tap) -> None:
        self.tap = tap
        self.pcm = b""

    def sides(self) -> np.ndarray:
        self.pcm += self.tap.take()
        return np.frombuffer(self.pcm, dtype="<i2").reshape(-1, 2)

    async def until(self, seconds: float) -> np.ndarray:
        """So much sound."""
        await until(lambda: len(self.sides()) >= seconds * RATE, seconds + 20)
        return self.sides()


async def test_both_sides_keep_the_bridges_clock_through_gaps_and_hold(desk):
    async with call_by_hand(desk) as (taken, rtp):
        tap = Tap(RATE)
        drained = Drained(tap)
        await taken.leg.record(tap)
        await drained.until(0.5)  # no RTP comes: the clock goes on
        payload = encode_mu_law(tone(1000, 200))
        for number in range(10):
            await rtp.wait_for(len(rtp.packets) + 1)
            rtp.send(payload[number * 160 : number * 160 + 160])
        taken.play(tone(700, 200), "before")
        await drained.until(1.5)
        await reinvite(rtp, 2, "sendonly")
        assert await taken.expect(LegHeld) == LegHeld(True)
        held_at = monotonic()
        await until(lambda: drained.sides() is None or monotonic() > held_at + 1.3)
        await reinvite(rtp, 3, "sendrecv")
        assert await taken.expect(LegHeld, nth=2) == LegHeld(False)
        taken.play(tone(700, 200), "after")
        sound = await drained.until(4.5)
        elapsed = monotonic() - tap.began_at
        played = [taken.leg.playout.first_played_at(item) for item in ("before", "after")]

    assert len(sound) / RATE == pytest.approx(elapsed, abs=0.3)
    agent = loud_ms(sound[:, 1])
    begins = [agent[0], next(at for at in agent if at > agent[0] + 1000)]
    for began, at in zip(played, begins, strict=True):
        assert at == pytest.approx((began - tap.began_at) * 1000, abs=40)
    caller = loud_ms(sound[:, 0])
    assert 160 <= len(caller) * 20 <= 400  # pjmedia conceals the loss of what comes no more
    assert 500 <= caller[0] < 1500
