"""What people ask of a running call, and the operator of a worker.

Each wish is in the call's log as `asked` before the worker is told, and becomes `done` or `failed`
by its answer: CommandDone (`finished`), or its own note of the command (call_log.note).
"""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import Any, Final

import structlog
from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from media_worker import contract
from tenants.models import Call, CallEvent, User, Worker
from tenants.models.call import OPEN
from tenants.models.choices import CallKind, CommandState, ListenIn, NoteKind
from tenants.models.validators import validate_transfer_uri
from tenants.services import audit, call_log, live
from tenants.services.calls import CallIsOver
from tenants.services.text import plain

log = structlog.get_logger(__name__)

SAY_LIMIT: Final = 500
"""Characters; half a minute of speech."""
LISTENERS: Final = 4
"""To one call at once."""
_EVERY_BUILD_KNOWS: Final = frozenset({"call.hang_up", "account.check"})


class WorkerTooOld(Exception):  # noqa: N818 - says what is the matter
    """The call's media worker is of a build that does not know this command."""


class NotAllowed(Exception):  # noqa: N818 - says what is the matter
    """The tenant does not let anybody listen to its calls."""


def say(*, call: Call, user: User | None, text: str) -> CallEvent:
    """Have the agent say these words, after what it is saying.

    Raises ValidationError, CallIsOver, WorkerTooOld; so do the others.
    """
    words = " ".join(plain(text).split())
    if not words or len(words) > SAY_LIMIT:
        raise ValidationError(
            {"text": _("Write from 1 to %(count)d characters.") % {"count": SAY_LIMIT}}
        )
    return _ask(call, user, NoteKind.SAID, contract.SayText, note=words, text=words)


def mute(*, call: Call, user: User | None, muted: bool) -> CallEvent:
    """Silence the agent, or let it speak again; what people have it say is said all the same."""
    kind = NoteKind.MUTED if muted else NoteKind.UNMUTED
    return _ask(call, user, kind, contract.MuteAgent, muted=muted)


def transfer(*, call: Call, user: User | None, uri: str, name: str = "") -> CallEvent:
    """Connect the caller to a sip:, sips: or tel: address; `name` is what it is called here."""
    uri, name = uri.strip(), plain(name, 100)
    try:
        validate_transfer_uri(uri)
    except ValidationError as error:
        raise ValidationError({"uri": error.messages}) from None
    if call.kind != CallKind.PHONE:
        raise ValidationError({"uri": _("Only a telephone call can be transferred.")})
    note = f"{name} ({uri})" if name else uri
    kind = NoteKind.TRANSFER_ASKED
    return _ask(call, user, kind, contract.TransferCall, note=note, uri=uri, name=name)


def hang_up(*, call: Call, user: User | None) -> CallEvent:
    """End the call; the record changes when the worker has done so."""
    return _ask(call, user, NoteKind.HANG_UP_ASKED, contract.HangUpCall)


def listen(*, call: Call, user: User | None, listen_id: uuid.UUID) -> CallEvent:
    """Have the call's sound sent to `live.listen_group(listen_id)`, until `stop_listening`.

    Raises NotAllowed, too.
    """
    if call.tenant is None or call.tenant.listen_in == ListenIn.NOBODY:
        raise NotAllowed
    if len(call_log.listening(call)) >= LISTENERS:
        raise ValidationError(_("As many people as possible listen to this call already."))
    kind, frame = NoteKind.LISTEN_BEGAN, contract.StartListening
    return _ask(call, user, kind, frame, key=listen_id, listen_id=str(listen_id))


def stop_listening(*, listen: CallEvent) -> None:
    """The listener is gone: tell the worker, and keep in the log how long it was."""
    with transaction.atomic():
        call = _open_call(listen.call_id)
        worker = call.worker if call else None
        if worker and worker.connected and listen.command:
            frame = contract.StopListening(
                command_id=str(uuid.uuid4()), listen_id=str(listen.command)
            )
            live.publish_on_commit([live.command(worker, frame)])
        if call_log.end_listening(listen):
            live.publish_on_commit(live.call_changed(listen.call))


def drain(*, worker: Worker, user: User | None, draining: bool) -> None:
    """Have a worker take no new call, or take calls again; also when it is linked anew."""
    with transaction.atomic():
        before = audit.snapshot(worker, ["drain_wanted"])
        worker.drain_wanted = draining
        worker.save(update_fields=["drain_wanted"])
        audit.record(
            "worker.drain" if draining else "worker.resume",
            worker,
            tenant=None,
            user=user,
            changes=audit.diff(before, worker, ["drain_wanted"]),
        )
        if worker.connected and knows(worker, contract.DrainWorker):
            frame = contract.DrainWorker(command_id=str(uuid.uuid4()), draining=draining)
            live.publish_on_commit([live.command(worker, frame)])
        live.publish_on_commit([live.worker_changed(worker)])


def finished(*, worker: Worker, command_id: str, ok: bool, detail: str) -> list[live.Notice]:
    """A worker did a command, or says why not; gives whom to tell."""
    event = _of_worker(worker, command_id)
    if event is None or event.state != CommandState.ASKED:
        return []
    event.state = CommandState.DONE if ok else CommandState.FAILED
    if not ok:
        event.text = plain(detail, 500)
    event.save(update_fields=["state", "text"])
    notices = live.call_changed(event.call)
    if event.kind == NoteKind.LISTEN_BEGAN and event.command and not ok:
        notices.append(live.listening_over(event.command, event.text))
    return notices


def listening_over(*, worker: Worker, listen_id: str) -> list[live.Notice]:
    """A worker sends no more sound to a listener; gives whom to tell."""
    event = _of_worker(worker, listen_id)
    if event is None or event.command is None or event.kind != NoteKind.LISTEN_BEGAN:
        return []
    call_log.end_listening(event)
    return [live.listening_over(event.command, ""), *live.call_changed(event.call)]


def knows(worker: Worker, frame: type[contract.Frame]) -> bool:
    """Whether a worker's build understands this command."""
    tag = str(frame.__struct_config__.tag)
    return tag in _EVERY_BUILD_KNOWS or tag in worker.commands


def _ask(
    call: Call,
    user: User | None,
    kind: NoteKind,
    frame: type[Any],
    *,
    key: uuid.UUID | None = None,
    note: str = "",
    **fields: Any,
) -> CallEvent:
    key = key or uuid.uuid4()
    with transaction.atomic():
        fresh = _open_call(call.pk)
        if fresh is None or fresh.tenant is None:
            raise CallIsOver
        if fresh.worker is None or not fresh.worker.connected:
            raise CallIsOver
        if not knows(fresh.worker, frame):
            raise WorkerTooOld
        event = CallEvent.all_tenants.create(
            tenant=fresh.tenant,
            call=fresh,
            kind=kind,
            offset_ms=_offset_ms(fresh, timezone.now()),
            text=note,
            command=key,
            state=CommandState.ASKED,
            user=user,
        )
        tag = str(frame.__struct_config__.tag)
        audit.record(
            tag if tag.startswith("call.") else "call.listen",
            fresh,
            tenant=fresh.tenant,
            user=user,
            call=str(fresh.public_id),
            **{name: value for name, value in fields.items() if name != "listen_id"},
        )
        told = frame(command_id=str(key), call_id=str(fresh.public_id), **fields)
        live.publish_on_commit([live.command(fresh.worker, told), *live.call_changed(fresh)])
    return event


def _open_call(key: int) -> Call | None:
    return Call.all_tenants.select_related("worker", "tenant").filter(OPEN, pk=key).first()


def _offset_ms(call: Call, now: datetime) -> int:
    """From the call's answer; a call that rings has no clock yet."""
    if call.answered_at is None:
        return 0
    return max(0, int((now - call.answered_at).total_seconds() * 1000))


def _of_worker(worker: Worker, command_id: str) -> CallEvent | None:
    """What was asked of this worker by that id."""
    try:
        key = uuid.UUID(command_id)
    except ValueError:
        return None
    return (
        CallEvent.all_tenants.select_related("call__tenant")
        .filter(command=key, call__worker=worker)
        .first()
    )
