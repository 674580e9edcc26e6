"""What each event of a worker does to the rows of its call."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, Final

import structlog
from django.db.models import Q

from media_worker import contract
from tenants.models import (
    Agent,
    AgentRevision,
    Call,
    CallProblem,
    Number,
    ProviderAccount,
    Tenant,
    ToolCall,
    TranscriptEntry,
    Worker,
)
from tenants.models.choices import CallState, EndCause
from tenants.services import (
    accounts,
    admission,
    call_log,
    calls,
    live,
    measures,
    recordings,
    stream,
    usages,
)
from tenants.services.text import plain, plain_json

log = structlog.get_logger(__name__)

OFFLINE_DETAIL: Final = "Answered from the worker's last known plan: the web side was unreachable."


class NotApplicable(Exception):  # noqa: N818 - says what is the matter
    """The event fits no row; the message says why and holds no words of a caller."""


Calls = dict[str, Call]
"""Rows that this transaction holds already, by the id that the worker gives them."""


def apply(worker: Worker, record: contract.Record, held: Calls) -> list[live.Notice]:
    """Store one event, inside of the caller's transaction; gives whom to tell after the commit.

    `held` is for the events of one transaction; after one that failed, its call is to be read anew.
    """
    event = record.event
    at = _moment(record.at)
    if isinstance(event, contract.WorkerStarted):
        held.clear()
        return _worker_started(worker, event, at)
    if isinstance(event, contract.CallTaken):
        return _call_taken(worker, event, at)
    if isinstance(event, contract.CallRefused):
        return _call_refused(worker, event, at)
    if isinstance(event, contract.AccountChecked):
        accounts.store_check(event)
        return []
    call = held.get(record.call_id) or _call(worker, record.call_id, event)
    held[record.call_id] = call
    call.last_event_at = at
    if call.settled_at:
        # Told after the books were closed: they are closed once more.
        call.settled_at = None
        Call.all_tenants.filter(pk=call.pk).update(settled_at=None)
    reopened = _reopen(call, event)
    return _OF_A_CALL[type(event)](call, event, at) + (live.call_changed(call) if reopened else [])


def _worker_started(
    worker: Worker, event: contract.WorkerStarted, at: datetime
) -> list[live.Notice]:
    """A new run of the worker: what earlier runs left open is lost.

    Calls that earlier records of the stream answered belong to an earlier run. A ringing one may
    have been admitted over HTTP by this very run, before this record came: its time decides.
    """
    Worker.objects.filter(pk=worker.pk).update(boot_id=plain(event.boot_id, 64))
    lost = Call.all_tenants.select_for_update().filter(
        Q(state=CallState.RUNNING) | Q(state=CallState.RINGING, started_at__lt=at), worker=worker
    )
    return calls.interrupt(lost.order_by("pk"), at=at)


def _call_taken(worker: Worker, event: contract.CallTaken, at: datetime) -> list[live.Notice]:
    key = _call_key(event.request.call_key)
    earlier = Call.all_tenants.filter(public_id=key).first()
    if earlier:
        # Admitted after all; only the answer was lost on its way to the worker.
        _own(earlier, worker)
        return []
    number = Number.all_tenants.filter(
        public_id=_uuid(event.number_id), tenant__public_id=_uuid(event.tenant_id)
    ).first()
    agent = Agent.all_tenants.filter(
        public_id=_uuid(event.agent_id), tenant__public_id=_uuid(event.tenant_id)
    ).first()
    if agent is None:
        raise NotApplicable("The call was taken for an agent that is not known.")
    call = admission.new_call(
        key,
        worker,
        event.request,
        tenant=agent.tenant,
        number=number,
        agent=agent,
        revision=AgentRevision.all_tenants.filter(agent=agent, number=event.revision).first(),
        state=CallState.RINGING,
        started_at=at,
        end_detail=OFFLINE_DETAIL,
    )
    call.save(force_insert=True)
    return live.call_changed(call) + stream.of_call(call)


def _call_refused(worker: Worker, event: contract.CallRefused, at: datetime) -> list[live.Notice]:
    key = _call_key(event.request.call_key)
    call = Call.all_tenants.select_for_update().filter(public_id=key).first()
    if call is None:
        number = admission.find_number(event.request.called)
        call = admission.refused_call(
            key, worker, event.request, event.reason, event.detail, number
        )
        call.started_at = call.ended_at = at
        call.save(force_insert=True)
        return live.call_changed(call) + stream.of_call(call)
    _own(call, worker)
    if call.state != CallState.RINGING:
        raise NotApplicable("A call that was answered cannot be refused.")
    call.state, call.refusal_reason = CallState.REFUSED, event.reason.value
    call.end_detail, call.sip_status = plain(event.detail), contract.SIP_STATUS[event.reason]
    call.ended_at = at
    calls.save(call, "state", "refusal_reason", "end_detail", "sip_status", "ended_at")
    return live.call_changed(call) + stream.of_call(call)


def _call_answered(call: Call, event: contract.CallAnswered, at: datetime) -> list[live.Notice]:
    call.state = CallState.RUNNING
    call.answered_at = at
    call.codec = plain(event.codec, 32)
    calls.save(call, "state", "answered_at", "codec")
    return live.call_changed(call) + stream.of_call(call)


def _call_ended(call: Call, event: contract.CallEnded, at: datetime) -> list[live.Notice]:
    if not call.is_open and call.end_cause != EndCause.INTERRUPTED:
        raise NotApplicable("The call has ended already.")
    call.state, call.ended_at = CallState.ENDED, at
    call.end_cause, call.end_detail = event.cause.value, plain(event.detail)
    call.duration_ms, call.sip_status = event.duration_ms, event.sip_status
    calls.save(call, "state", "ended_at", "end_cause", "end_detail", "duration_ms", "sip_status")
    call_log.close(call)
    return live.call_changed(call) + stream.of_call(call)


def _session_opened(call: Call, event: contract.SessionOpened, at: datetime) -> list[live.Notice]:
    account = _account(call, event.account_id)
    if account:
        call.account, call.account_name = account, account.name
        accounts.note_used(account, at)
    call.model = plain(event.model, 100) or call.model
    call.session_id = plain(event.session_id, 255)
    call.input_format, call.output_format = event.input_format.value, event.output_format.value
    call.session_took_ms = event.took_ms
    calls.save(
        call,
        "account",
        "account_name",
        "model",
        "session_id",
        "input_format",
        "output_format",
        "session_took_ms",
    )
    return live.call_changed(call)


def _provider_problem(
    call: Call, event: contract.ProviderProblem, at: datetime
) -> list[live.Notice]:
    CallProblem.all_tenants.create(
        tenant=_tenant(call),
        call=call,
        kind=event.kind.value,
        code=plain(event.code, 100),
        message=plain(event.message),
        fatal=event.fatal,
        offset_ms=event.offset_ms,
    )
    account = _account(call, event.account_id)
    if account:
        accounts.note_problem(account, event)
    calls.save(call)
    return live.call_changed(call)


def _transcript_updated(
    call: Call, event: contract.TranscriptUpdated, at: datetime
) -> list[live.Notice]:
    entry = TranscriptEntry(
        tenant=_tenant(call),
        call=call,
        item_id=plain(event.item_id, 255),
        position=event.position,
        speaker=event.speaker.value,
        text=plain(event.text),
        cut_text=plain(event.cut_text),
        final=event.final,
        offset_ms=event.offset_ms,
        duration_ms=event.duration_ms,
        command=_command(event.command_id),
    )
    # One statement for a word that comes: the call's row is held, so nobody else writes here.
    written = {name: getattr(entry, name) for name in (*live.SAID, "command")}
    same = TranscriptEntry.all_tenants.filter(call=call, item_id=entry.item_id)
    if not same.update(**written):
        entry.save(force_insert=True)
    calls.save(call)
    return [live.entry_changed(call, entry), *stream.of_entry(call, entry)]


def _tool_updated(call: Call, event: contract.ToolUpdated, at: datetime) -> list[live.Notice]:
    tool_call_id = plain(event.tool_call_id, 255)
    tool, _created = ToolCall.all_tenants.update_or_create(
        call=call,
        tool_call_id=tool_call_id,
        defaults={
            "tenant": _tenant(call),
            "position": event.position,
            "name": plain(event.name, 100),
            "arguments": plain_json(event.arguments),
            "state": event.state.value,
            "result": plain(event.result),
            "offset_ms": event.offset_ms,
            "duration_ms": event.duration_ms,
            "command": _command(event.command_id),
        },
    )
    calls.save(call)
    return [live.tool_changed(call, tool_call_id), *stream.of_tool(call, tool)]


def _turn_measured(call: Call, event: contract.TurnMeasured, at: datetime) -> list[live.Notice]:
    measures.store_turn(call, _tenant(call), event)
    calls.save(call)
    return live.call_changed(call)


def _call_measured(call: Call, event: contract.CallMeasured, at: datetime) -> list[live.Notice]:
    measures.store_quality(call, _tenant(call), event)
    calls.save(call)
    return live.call_changed(call)


def _call_noted(call: Call, event: contract.CallNoted, at: datetime) -> list[live.Notice]:
    noted = call_log.note(call, event, command=_command(event.command_id), at=at)
    calls.save(call)
    return live.call_changed(call) + stream.of_event(call, noted)


def _recording_failed(
    call: Call, event: contract.RecordingFailed, at: datetime
) -> list[live.Notice]:
    return recordings.note_problem(call, event.problem)


def _usage_reported(call: Call, event: contract.UsageReported, at: datetime) -> list[live.Notice]:
    usages.add(call, _tenant(call), event)
    calls.save(call, "usage")
    return live.call_changed(call)


_OF_A_CALL: Final[dict[type, Callable[[Call, Any, datetime], list[live.Notice]]]] = {
    contract.CallAnswered: _call_answered,
    contract.CallEnded: _call_ended,
    contract.SessionOpened: _session_opened,
    contract.ProviderProblem: _provider_problem,
    contract.TranscriptUpdated: _transcript_updated,
    contract.ToolUpdated: _tool_updated,
    contract.CallNoted: _call_noted,
    contract.TurnMeasured: _turn_measured,
    contract.CallMeasured: _call_measured,
    contract.RecordingFailed: _recording_failed,
    contract.UsageReported: _usage_reported,
}


_FOR_WORDS: Final = (
    "public_id", "worker", "state", "end_cause", "version", "settled_at", "last_event_at", "tenant",
    "tenant__public_id", "tenant__slug", "agent", "agent__public_id",
)  # fmt: skip
"""What a word needs of its call: most of what comes are words, and a call's row is long."""


def _call(worker: Worker, call_id: str, event: contract.Event) -> Call:
    """The event's call, held to the end of the transaction."""
    rows = Call.all_tenants.select_for_update(of=("self",)).select_related("tenant", "agent")
    if isinstance(event, contract.TranscriptUpdated):
        rows = rows.only(*_FOR_WORDS)
    call = next(iter(rows.filter(public_id=_uuid(call_id)).order_by()), None)
    if call is None:
        raise NotApplicable("The call is not known.")
    _own(call, worker)
    if call.state == CallState.REFUSED:
        raise NotApplicable("The call was refused.")
    return call


def _tenant(call: Call) -> Tenant:
    if call.tenant is None:
        raise NotApplicable("The call is nobody's.")
    return call.tenant


def _own(call: Call, worker: Worker) -> None:
    if call.worker_id != worker.pk:
        raise NotApplicable("The call is another worker's.")


_AFTER_THE_END: Final = (contract.CallEnded, contract.RecordingFailed)


def _reopen(call: Call, event: contract.Event) -> bool:
    """A call that we took for lost goes on after all, for its worker speaks of it.

    The end that came with the worker's own word is never undone.
    """
    if call.end_cause != EndCause.INTERRUPTED or isinstance(event, _AFTER_THE_END):
        return False
    log.info("call_reopened", call=str(call.public_id))
    call.state = CallState.RUNNING if call.answered_at else CallState.RINGING
    call.end_cause = call.end_detail = ""
    call.ended_at, call.duration_ms = None, 0
    calls.save(call, "state", "end_cause", "end_detail", "ended_at", "duration_ms")
    return True


def _account(call: Call, public_id: str) -> ProviderAccount | None:
    """An account that this call's tenant may use."""
    return ProviderAccount.all_tenants.filter(
        Q(tenant=call.tenant) | Q(tenant=None), public_id=_uuid(public_id)
    ).first()


def _call_key(text: str) -> uuid.UUID:
    try:
        return admission.parse_call_key(text)
    except admission.CallKeyTaken as error:
        raise NotApplicable(str(error)) from None


def _uuid(text: str) -> uuid.UUID:
    try:
        return uuid.UUID(text)
    except ValueError:
        raise NotApplicable("An id is not a UUID.") from None


def _command(text: str) -> uuid.UUID | None:
    return _uuid(text) if text else None


def _moment(seconds: float) -> datetime:
    try:
        return datetime.fromtimestamp(seconds, tz=UTC)
    except (ValueError, OverflowError, OSError):
        raise NotApplicable("The record's time is impossible.") from None
