"""What workers report: records of their outboxes, each stored once, in order.

A record that cannot be applied (unknown call, another worker's call, impossible values, an event
type of a newer worker) is kept aside and counted; it never holds up those behind it. Only a
database that fails does: then nothing of the batch is stored and the worker sends it again.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

import msgspec
import structlog
from django.db import InterfaceError, OperationalError, transaction
from django.db.models import F

from media_worker import contract
from tenants.models import SetAsideRecord, Worker, WorkerStream
from tenants.services import events, live
from tenants.services.text import plain

log = structlog.get_logger(__name__)

SET_ASIDE_LIMIT: Final = 10_000
"""Records kept of one worker; more are only counted."""

_decode_record: Final = msgspec.json.Decoder(contract.Record).decode


class _Place(msgspec.Struct):
    """What even a record that we do not understand must say."""

    seq: int


_decode_place: Final = msgspec.json.Decoder(_Place).decode


class MalformedBatch(Exception):  # noqa: N818 - says what is the matter
    """A batch that is no part of an outbox; nothing of it was stored."""


@dataclass(slots=True)
class Stored:
    """How far the stream is stored now, and whom to tell after the commit."""

    acknowledged: int
    notices: list[live.Notice] = field(default_factory=list)
    set_aside: int = 0


def acknowledged(*, worker: Worker, stream: str) -> int:
    """Highest seq stored of a worker's stream. Raises MalformedBatch when it is no UUID."""
    row = WorkerStream.objects.filter(worker=worker, stream=_stream_id(stream)).first()
    return row.acknowledged if row else 0


def store(
    *,
    worker: Worker,
    stream: str,
    records: Sequence[bytes | msgspec.Raw],
    may_miss: bool = True,
) -> Stored:
    """Apply a batch in one transaction; what is stored already is passed over.

    `may_miss`: records may be missing before the first one, because the outbox was cleared or this
    database comes from a backup; waiting for what is gone would hold the stream for ever. Raises
    MalformedBatch.
    """
    stream_id = _stream_id(stream)
    places = _places(records)
    with transaction.atomic():
        row, _created = WorkerStream.objects.select_for_update().get_or_create(
            worker=worker, stream=stream_id
        )
        stored = Stored(row.acknowledged)
        if places and places[0] > stored.acknowledged + 1:
            if not may_miss:
                raise MalformedBatch("Records are missing before this batch.")
            log.warning("stream_gap", worker=worker.name, after=row.acknowledged, before=places[0])
        overtaken = _overtaken(records)
        held: events.Calls = {}
        for place, (seq, raw) in enumerate(zip(places, records, strict=True)):
            if seq <= stored.acknowledged:
                continue
            if place not in overtaken:
                _apply(worker, stream_id, seq, bytes(raw), held, stored)
            stored.acknowledged = seq
        if stored.acknowledged != row.acknowledged:
            row.acknowledged = stored.acknowledged
            row.save()
    return stored


def _overtaken(records: Sequence[bytes | msgspec.Raw]) -> set[int]:
    """Places of words that a later record of the batch says again with what came after them.

    They need not be stored: so a web side that is behind catches up, for a batch of many words
    costs no more than one of few.
    """
    last: dict[tuple[str, str], int] = {}
    found = set()
    for place, raw in enumerate(records):
        try:
            record = _decode_record(bytes(raw))
        except msgspec.MsgspecError:
            continue
        if isinstance(record.event, contract.TranscriptUpdated):
            key = record.call_id, record.event.item_id
            if key in last:
                found.add(last[key])
            last[key] = place
    return found


def _apply(
    worker: Worker, stream: uuid.UUID, seq: int, raw: bytes, held: events.Calls, stored: Stored
) -> None:
    try:
        record = _decode_record(raw)
        with transaction.atomic():
            stored.notices += events.apply(worker, record, held)
    except (OperationalError, InterfaceError):
        raise
    except (msgspec.ValidationError, events.NotApplicable) as error:
        held.clear()  # a row may say what was taken back
        _set_aside(worker, stream, seq, raw, str(error), stored)
    except Exception as error:
        held.clear()
        log.exception("record_failed", worker=worker.name, seq=seq)
        _set_aside(worker, stream, seq, raw, type(error).__name__, stored)


def _set_aside(
    worker: Worker, stream: uuid.UUID, seq: int, raw: bytes, reason: str, stored: Stored
) -> None:
    log.warning("record_set_aside", worker=worker.name, seq=seq, why=reason)
    stored.set_aside += 1
    Worker.objects.filter(pk=worker.pk).update(set_aside_records=F("set_aside_records") + 1)
    if SetAsideRecord.objects.filter(worker=worker).count() < SET_ASIDE_LIMIT:
        SetAsideRecord.objects.create(
            worker=worker,
            stream=stream,
            seq=seq,
            reason=plain(reason, 200),
            record=plain(raw.decode(errors="replace")),
        )


def _places(records: Sequence[bytes | msgspec.Raw]) -> list[int]:
    try:
        places = [_decode_place(bytes(raw)).seq for raw in records]
    except msgspec.MsgspecError:
        raise MalformedBatch("A record has no seq.") from None
    if any(seq < 1 or seq >= 2**63 for seq in places) or places != sorted(set(places)):
        raise MalformedBatch("The records are not in the order of an outbox.")
    return places


def _stream_id(stream: str) -> uuid.UUID:
    try:
        return uuid.UUID(stream)
    except ValueError:
        raise MalformedBatch("The stream is not a UUID.") from None
