"""All that a tenant owns in one ZIP file: made by a job, fetched by an owner, gone after a week.

A file of JSON lines for each kind of thing, its rows as they lie in the database, and the
recordings. Keys, tokens and passwords are not in it: nobody could use them elsewhere.
"""

from __future__ import annotations

import json
import tempfile
import zipfile
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta
from typing import IO, Any, Final

import structlog
from asgiref.sync import sync_to_async
from django.core.cache import cache
from django.core.exceptions import ValidationError
from django.core.files import File
from django.core.serializers.json import DjangoJSONEncoder
from django.db import models, transaction
from django.utils import timezone
from django.utils.translation import gettext as _
from django_scopes import scope

from tenants.models import DataExport, Recording, SearchDocument, Tenant, User
from tenants.models.choices import ExportState
from tenants.models.fields import EncryptedField
from tenants.services import audit
from tenants.services.owned import OWNED, rows_of

log = structlog.get_logger(__name__)

KEPT: Final = timedelta(days=7)
LONGEST: Final = timedelta(hours=6)
"""An export that takes longer has died with its job and is begun anew."""
CHUNK: Final = 2000
PIECE_BYTES: Final = 256 * 1024
HIDDEN: Final = frozenset({"digest", "peaks", "file"})
LEFT_OUT: Final = (SearchDocument,)
"""Made from the rest."""
README: Final = """\
Everything that {name} owns in pbxai, as of {at} (UTC).

tenant.json is the company itself. Each other .jsonl file holds one kind of thing, one row a line,
as JSON; "<name>_id" is the "id" of a row in another file. "users.jsonl" names the people that the
rows speak of. recordings/<call>.ogg are the recordings: the caller on the left, the agent on the
right; <call> is the "public_id" of the call. Keys, tokens and passwords are left out.
"""


def ask(*, tenant: Tenant, user: User) -> DataExport:
    """Have an export made. Raises ValidationError while one is being made."""
    with scope(tenant=tenant), transaction.atomic():
        Tenant.objects.select_for_update().get(pk=tenant.pk)
        if DataExport.objects.filter(state=ExportState.WAITING).exists():
            raise ValidationError(_("An export is being made already."))
        row = DataExport.objects.create(tenant=tenant, asked_by=user)
        audit.record("export.ask", row, tenant=tenant, user=user)
    return row


def make_due() -> None:
    """Make the exports that were asked for; each by one job."""
    for row in DataExport.all_tenants.select_related("tenant").filter(state=ExportState.WAITING):
        if cache.add(f"export:{row.pk}", 1, int(LONGEST.total_seconds())):
            try:
                _make(row)
            finally:
                cache.delete(f"export:{row.pk}")


async def read(file: IO[bytes]) -> AsyncIterator[bytes]:
    """An open export, piece by piece: of a plain iterator the server would read all at once."""
    try:
        while piece := await sync_to_async(file.read)(PIECE_BYTES):
            yield piece
    finally:
        file.close()


def expire() -> int:
    """Delete exports that are past their time, with their files; gives their number."""
    found = list(DataExport.all_tenants.filter(expires_at__lte=timezone.now()))
    for row in found:
        _forget(row)
    return len(found)


def delete(*, export: DataExport, user: User | None) -> None:
    """Delete an export and its file now."""
    audit.record("export.delete", export, tenant=export.tenant, user=user)
    _forget(export)


def _forget(row: DataExport) -> None:
    if row.file:
        row.file.delete(save=False)
    DataExport.all_tenants.filter(pk=row.pk).delete()


def _make(row: DataExport) -> None:
    try:
        with tempfile.TemporaryFile() as body:
            write(row.tenant, body)
            row.size = body.tell()
            body.seek(0)
            row.file.save("", File(body), save=False)
        row.state, row.made_at = ExportState.READY, timezone.now()
        row.expires_at = row.made_at + KEPT
    except Exception as error:
        log.exception("export_failed", export=str(row.public_id))
        row.state, row.error = ExportState.FAILED, type(error).__name__
        row.expires_at = timezone.now() + KEPT
    row.save(update_fields=["state", "made_at", "expires_at", "size", "file", "error"])
    audit.record("export.made", row, tenant=row.tenant, user=None, size=row.size)


def write(tenant: Tenant, body: IO[bytes]) -> None:
    """Write the ZIP file of all that a tenant owns."""
    with zipfile.ZipFile(body, "w", zipfile.ZIP_DEFLATED) as into:
        now = timezone.now()
        at = now.isoformat(timespec="seconds")
        into.writestr(_member("README.txt", now), README.format(name=tenant.name, at=at))
        into.writestr(_member("tenant.json", now), _json(_values(tenant)))
        people: set[int] = set()
        for model in OWNED:
            if model not in LEFT_OUT:
                name = f"{model._meta.model_name}.jsonl"
                with into.open(_member(name, now), "w", force_zip64=True) as file:
                    for row in rows_of(model, tenant).iterator(chunk_size=CHUNK):
                        people |= _people(row)
                        file.write(_json(_values(row)).encode() + b"\n")
        _write_people(into, people, now)
        for recording in _recordings(tenant):
            _copy(recording, into)


def _member(name: str, at: datetime) -> zipfile.ZipInfo:
    """A member with its time, UTC: a bare name would be one of 1980."""
    member = zipfile.ZipInfo(name, at.astimezone(UTC).timetuple()[:6])
    member.compress_type = zipfile.ZIP_DEFLATED
    return member


def _write_people(into: zipfile.ZipFile, people: set[int], at: datetime) -> None:
    with into.open(_member("users.jsonl", at), "w") as file:
        for user in User.objects.filter(pk__in=people).order_by("pk"):
            known = {"id": user.pk, "email": user.email, "name": user.name}
            file.write(_json(known).encode() + b"\n")


def _recordings(tenant: Tenant) -> Iterator[Recording]:
    found = Recording.all_tenants.filter(tenant=tenant).exclude(file="").select_related("call")
    yield from found.defer("peaks").order_by("pk").iterator(chunk_size=200)


def _copy(recording: Recording, into: zipfile.ZipFile) -> None:
    """A file that has gone meanwhile is named instead of copied."""
    name = f"recordings/{recording.call.public_id}.ogg"
    try:
        member = _member(name, recording.call.started_at)
        with recording.file.open("rb") as source, into.open(member, "w", force_zip64=True) as copy:
            for piece in source.chunks():
                copy.write(piece)
    except OSError:
        missing = _member(f"{name}.missing.txt", recording.call.started_at)
        into.writestr(missing, "The file of this recording could not be read.\n")


def _people(row: models.Model) -> set[int]:
    """Keys of the users that a row names."""
    return {
        key
        for field in row._meta.concrete_fields
        if field.related_model is User and (key := getattr(row, field.attname))
    }


def _values(row: models.Model) -> dict[str, Any]:
    return {
        field.attname: getattr(row, field.attname)
        for field in row._meta.concrete_fields
        if not isinstance(field, EncryptedField) and field.name not in HIDDEN
    }


def _json(values: dict[str, Any]) -> str:
    return json.dumps(values, cls=DjangoJSONEncoder, ensure_ascii=False)
