"""Recordings of calls: taken from their worker, kept in the storage, read in parts, deleted.

A recording is told from another by its SHA-256, so a worker may send it as often as it likes.
"""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Iterator, Sequence
from datetime import timedelta
from functools import partial
from typing import IO, Any, Final, Protocol
from uuid import UUID

import structlog
from botocore.exceptions import BotoCoreError, ClientError
from django.core.files import File
from django.core.files.storage import default_storage
from django.db import IntegrityError, transaction
from django.db.models.signals import post_delete
from django.dispatch import receiver
from django.utils import timezone

from media_worker import contract
from tenants.models import Call, Recording, User, Worker
from tenants.services import audit, live
from tenants.services.effective import effective_settings

log = structlog.get_logger(__name__)

CHUNK_BYTES: Final = 64 * 1024
IN_MEMORY_BYTES: Final = 1024 * 1024
LONGEST: Final = timedelta(days=1) // timedelta(milliseconds=1)
HEAD_BYTES: Final = 64


class RecordingError(Exception):
    """A recording that cannot be taken; the message is for the worker's log."""


class NotRecorded(RecordingError):  # noqa: N818 - says what is the matter
    """The worker has no such call, or it was not to be recorded."""


class AnotherIsStored(RecordingError):  # noqa: N818 - says what is the matter
    """The call has a recording with other content."""


class TooLarge(RecordingError):  # noqa: N818 - says what is the matter
    pass


class Readable(Protocol):
    def read(self, size: int, /) -> bytes: ...


def is_recorded(call: Call) -> bool:
    """Whether the call's settings said so."""
    used = call.settings_used.get("record")
    if not call.settings_used and call.tenant and call.revision:
        # Taken from the worker's last known plan; its settings were never told.
        return bool(effective_settings(tenant=call.tenant, source=call.revision)["record"].value)
    return bool(used and used["value"])


def store(
    *,
    worker: Worker,
    call_id: UUID,
    body: Readable,
    sha256: str,
    duration_ms: int,
    offset_ms: int,
) -> bool:
    """Keep what a worker sends; False when the very same is stored, or was deleted here since.

    Raises RecordingError and its kinds.
    """
    call = (
        Call.all_tenants.select_related("tenant", "revision")
        .filter(public_id=call_id, worker=worker)
        .first()
    )
    if call is None or call.tenant is None or not is_recorded(call):
        raise NotRecorded("This worker has no such call that is to be recorded.")
    if not 0 < duration_ms <= LONGEST or abs(offset_ms) > LONGEST:
        raise RecordingError("The times are impossible.")
    if _is_there(call, sha256):
        return False
    with tempfile.SpooledTemporaryFile(max_size=IN_MEMORY_BYTES) as received:
        size = _receive(body, received, sha256)
        # Outside of a transaction: it may take long, and on SQLite nobody else could write.
        fresh = Recording(
            tenant=call.tenant,
            call=call,
            sha256=sha256,
            size=size,
            duration_ms=duration_ms,
            offset_ms=offset_ms,
        )
        fresh.file.save("", File(received), save=False)
    return _keep(fresh, call)


def note_problem(call: Call, problem: contract.RecordingProblem) -> list[live.Notice]:
    """Why there is no recording, or only a part of it; inside of the caller's transaction."""
    if call.tenant is None:
        return []
    Recording.all_tenants.update_or_create(
        call=call, defaults={"tenant": call.tenant, "problem": problem.value}
    )
    return live.call_changed(call)


def delete(*, call: Call, user: User) -> bool:
    """Delete the sound for good; False when there is none. That there was one stays known."""
    with transaction.atomic():
        found = Recording.objects.select_for_update().filter(call=call).exclude(file="").first()
        if found is None:
            return False
        _delete_file_on_commit(found.file.name)
        found.file, found.peaks, found.deleted_at = "", b"", timezone.now()
        found.save(update_fields=["file", "peaks", "deleted_at"])
        audit.record(
            "recording.delete", call, tenant=call.tenant, user=user, call=str(call.public_id)
        )
        live.publish_on_commit(live.call_changed(call))
    return True


def delete_all(found: Sequence[Recording]) -> None:
    """Delete the sound of these, inside of the caller's transaction, which holds their rows."""
    for recording in found:
        _delete_file_on_commit(recording.file.name)
    Recording.all_tenants.filter(pk__in=[recording.pk for recording in found]).update(
        file="", peaks=b"", deleted_at=timezone.now()
    )


def read(recording: Recording, start: int, length: int) -> Iterator[bytes]:
    """So many bytes from there on, in pieces. Raises OSError when the file is gone."""
    storage: Any = recording.file.storage
    if hasattr(storage, "bucket"):  # S3: its files are fetched whole, so ask for the part
        part = f"bytes={start}-{start + length - 1}"
        try:
            found = storage.bucket.Object(recording.file.name).get(Range=part)
        except (BotoCoreError, ClientError) as error:
            raise OSError(str(error)) from None
        yield from found["Body"].iter_chunks(CHUNK_BYTES)
        return
    with storage.open(recording.file.name) as file:
        file.seek(start)
        while length > 0 and (piece := file.read(min(CHUNK_BYTES, length))):
            length -= len(piece)
            yield piece


def _is_there(call: Call, sha256: str) -> bool:
    known = Recording.all_tenants.filter(call=call).exclude(sha256="").first()
    if known is None:
        return False
    if known.sha256 != sha256:
        raise AnotherIsStored("The call has another recording.")
    return True


def _receive(body: Readable, received: IO[bytes], sha256: str) -> int:
    """Copy it; its size. Raises RecordingError when it is not what was announced."""
    digest = hashlib.sha256()
    size = 0
    while piece := body.read(CHUNK_BYTES):
        size += len(piece)
        if size > contract.MAX_RECORDING_BYTES:
            raise TooLarge("The recording is too large.")
        digest.update(piece)
        received.write(piece)
    if digest.hexdigest() != sha256:
        raise RecordingError("The content does not have the SHA-256 that was announced.")
    received.seek(0)
    head = received.read(HEAD_BYTES)
    # RFC 7845 section 5.1: the first page holds the ID header; its tenth octet counts channels.
    at = head.find(b"OpusHead")
    if not head.startswith(b"OggS") or at < 0 or head[at + 9 : at + 10] != b"\x02":
        raise RecordingError("The content is not stereo Opus in Ogg.")
    received.seek(0)
    return size


def _keep(fresh: Recording, call: Call) -> bool:
    """Make the row of a file that is stored; a file that gets none is deleted."""
    try:
        with transaction.atomic():
            known = Recording.all_tenants.select_for_update().filter(call=call).first()
            if known is None:
                fresh.save(force_insert=True)
            elif known.sha256:  # the same request a second time, at this moment
                raise AnotherIsStored("The call has a recording already.")
            else:  # a problem was told before the part that there is came
                fresh.pk, fresh.created_at = known.pk, known.created_at
                fresh.problem = known.problem
                fresh.save(force_update=True)
            live.publish_on_commit(live.call_changed(call))
    except (IntegrityError, AnotherIsStored):
        _delete_file(fresh.file.name)
        return not _is_there(call, fresh.sha256)
    except Exception:
        _delete_file(fresh.file.name)
        raise
    log.info("recording_stored", call=str(call.public_id), bytes=fresh.size)
    return True


@receiver(post_delete, sender=Recording)
def _forget_file(instance: Recording, **_: Any) -> None:
    """A row that goes with its call or its tenant takes its file along."""
    if instance.file:
        _delete_file_on_commit(instance.file.name)


def _delete_file_on_commit(name: str | None) -> None:
    transaction.on_commit(partial(_delete_file, name))


def _delete_file(name: str | None) -> None:
    if name:
        default_storage.delete(name)
