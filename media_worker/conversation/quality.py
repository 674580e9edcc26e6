"""What is said of a call's quality at its end: the line's part and what was counted on our side."""

from __future__ import annotations

import msgspec

from media_worker.contract import CallMeasured
from media_worker.conversation.leg import Leg, LineQuality
from media_worker.conversation.uplink import Uplink


def counted(leg: Leg, uplink: Uplink) -> CallMeasured:
    """Our own counts so far. They only grow, so that any thread may ask."""
    return CallMeasured(
        late_frames=leg.playout.late_frames,
        underruns=leg.playout.underruns,
        dropped_ms=uplink.dropped_ms,
        heard_ms=uplink.heard_ms,
        not_sent_ms=uplink.not_sent_ms,
    )


def measured(counts: CallMeasured, line: LineQuality | None) -> CallMeasured:
    """Both parts; without the line's where the telephone side could not say."""
    if line is None:
        return counts
    return msgspec.structs.replace(
        counts,
        packets_received=line.packets_received,
        packets_lost=line.packets_lost,
        packets_discarded=line.packets_discarded,
        packets_sent=line.packets_sent,
        remote_lost=-1 if line.remote_lost is None else line.remote_lost,
        jitter_ms=round(line.jitter_ms, 2),
        jitter_max_ms=round(line.jitter_max_ms, 2),
        round_trip_ms=round(line.round_trip_ms, 2),
        mos=None if line.mos is None else round(line.mos, 2),
    )
