"""What pjmedia measured of a call's RTP streams, added up over the call.

A call has one stream after another: each hold and each change of media ends one and begins the
next. pjsip thread only.
"""

from __future__ import annotations

from typing import Any, Final

import msgspec

from media_worker.audio.emodel import mean_opinion_score
from media_worker.conversation.leg import LineQuality

PACKET_MS: Final = 20
LEAST_PACKETS: Final = 50
"""A second of sound; fewer packets say nothing about a call."""


class Stream(msgspec.Struct, frozen=True, kw_only=True):
    """One stream's counts; times in milliseconds."""

    codec: str
    received: int
    lost: int
    discarded: int
    sent: int
    remote_lost: int | None
    jitter: float
    jitter_max: float
    jitter_samples: int
    round_trip: float
    round_trip_samples: int
    delay: float
    """Mean time that a packet waits in the jitter buffer."""


def read_stream(codec: str, stat: Any) -> Stream:
    """From pjsua2's StreamStat. Its parts are views into it: it stays bound while they are read."""
    rtcp, buffer = stat.rtcp, stat.jbuf
    ours, theirs = rtcp.txStat, rtcp.rxStat
    jitter, round_trip = theirs.jitterUsec, rtcp.rttUsec
    reported = ours.updateCount > 0
    return Stream(
        codec=codec,
        received=theirs.pkt - theirs.dup,
        lost=theirs.loss,
        discarded=buffer.discard,
        sent=ours.pkt,
        # 24 bits with a sign (RFC 3550 section 6.4.1) that pjmedia reads without one: more than
        # was sent is less than nothing, which doubled packets do
        remote_lost=(ours.loss if ours.loss <= ours.pkt else 0) if reported else None,
        jitter=jitter.mean / 1000 if jitter.n else 0.0,
        jitter_max=jitter.max / 1000 if jitter.n else 0.0,
        jitter_samples=jitter.n,
        round_trip=round_trip.mean / 1000 if round_trip.n else 0.0,
        round_trip_samples=round_trip.n,
        delay=float(buffer.avgDelayMsec),
    )


def line_quality(streams: list[Stream]) -> LineQuality | None:
    """All streams of a call as one; None when there was none."""
    if not streams:
        return None
    reports = [stream.remote_lost for stream in streams if stream.remote_lost is not None]
    quality = LineQuality(
        packets_received=sum(stream.received for stream in streams),
        packets_lost=sum(stream.lost for stream in streams),
        packets_discarded=sum(stream.discarded for stream in streams),
        packets_sent=sum(stream.sent for stream in streams),
        remote_lost=sum(reports) if reports else None,
        jitter_ms=_mean([(stream.jitter, stream.jitter_samples) for stream in streams]),
        jitter_max_ms=max(stream.jitter_max for stream in streams),
        round_trip_ms=_mean([(stream.round_trip, stream.round_trip_samples) for stream in streams]),
        delay_ms=_mean([(stream.delay, stream.received) for stream in streams]),
    )
    return msgspec.structs.replace(quality, mos=_mos(streams[-1].codec, quality))


def _mos(codec: str, quality: LineQuality) -> float | None:
    """Of the direction that is worse. Ours is known only where the other side reports (RTCP)."""
    if quality.packets_received < LEAST_PACKETS:
        return None
    unheard = quality.packets_lost + quality.packets_discarded
    shares = [unheard / (quality.packets_received + quality.packets_lost)]
    if quality.remote_lost is not None and quality.packets_sent:
        shares.append(quality.remote_lost / quality.packets_sent)
    return mean_opinion_score(
        codec.partition("/")[0],
        loss=max(shares),
        one_way_ms=quality.round_trip_ms / 2 + quality.delay_ms + PACKET_MS,
    )


def _mean(values: list[tuple[float, int]]) -> float:
    """Mean of (value, weight)."""
    weight = sum(count for _, count in values)
    return sum(value * count for value, count in values) / weight if weight else 0.0
