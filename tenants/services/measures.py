"""What a worker measures of a call: its turns, and what the network did to it."""

from __future__ import annotations

from media_worker import contract
from tenants.models import Call, CallQuality, Tenant, Turn


def store_turn(call: Call, tenant: Tenant, event: contract.TurnMeasured) -> None:
    """A turn, or more that became known of it."""
    Turn.all_tenants.update_or_create(
        call=call,
        number=event.number,
        defaults={
            "tenant": tenant,
            "caller_stopped_ms": event.caller_stopped_ms,
            "end_known_ms": event.end_known_ms,
            "first_audio_ms": event.first_audio_ms,
            "first_packet_ms": event.first_packet_ms,
            "playout_ended_ms": event.playout_ended_ms,
            "interrupted": event.interrupted,
        },
    )


def store_quality(call: Call, tenant: Tenant, event: contract.CallMeasured) -> None:
    CallQuality.all_tenants.update_or_create(
        call=call,
        defaults={
            "tenant": tenant,
            "packets_received": _known(event.packets_received),
            "packets_lost": _known(event.packets_lost),
            "packets_discarded": _known(event.packets_discarded),
            "packets_sent": _known(event.packets_sent),
            "remote_lost": _known(event.remote_lost),
            "jitter_ms": event.jitter_ms,
            "jitter_max_ms": event.jitter_max_ms,
            "round_trip_ms": event.round_trip_ms or None,
            "late_frames": event.late_frames,
            "underruns": event.underruns,
            "dropped_ms": event.dropped_ms,
            "heard_ms": event.heard_ms,
            "not_sent_ms": event.not_sent_ms,
            "mos": event.mos,
        },
    )


def _known(count: int) -> int | None:
    """The contract says -1 for what is not known."""
    return count if count >= 0 else None
