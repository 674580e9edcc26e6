"""Trying an agent from the portal: a call from the browser, or a chat, with the draft or with what
is published. Both are calls like any other, with a record; the worker pulls their plan.
"""

from __future__ import annotations

import uuid
from contextlib import suppress
from datetime import timedelta
from typing import Any, Final, Literal

import structlog
from django.db import transaction
from django.db.models import Count, Q
from django.utils import timezone
from django.utils.translation import gettext as _
from django_scopes import scope

from media_worker import contract
from media_worker.contract import RefusalReason
from pbxai.crypto import SecretError
from tenants.models import Agent, AgentRevision, Call, ProviderAccount, User, Worker
from tenants.models.call import OPEN, OPEN_STATES
from tenants.models.choices import CallKind, CallState, EndCause
from tenants.services import admission, audit, calls, commands, live, stream
from tenants.services.effective import EffectiveSettings, effective_settings
from tenants.services.text import plain

log = structlog.get_logger(__name__)

Source = Literal["draft", "published"]
SOURCES: Final[tuple[Source, ...]] = ("draft", "published")
TRIALS_AN_HOUR: Final = 30
"""Of one person: each costs money at the provider."""
SDP_LIMIT: Final = 64 * 1024
TEXT_LIMIT: Final = 2000
KEYS: Final = frozenset("0123456789*#ABCD")
_OPEN_CALLS: Final = Q(calls__state__in=OPEN_STATES)
_START: Final[dict[CallKind, str]] = {
    CallKind.BROWSER: "browser_call.start",
    CallKind.CHAT: "chat.start",
}
"""The command that a worker has to know."""


class CannotTry(Exception):  # noqa: N818 - says what is the matter
    """It cannot be tried now; the message is for people."""


def begin_browser_call(*, agent: Agent, source: Source, user: User) -> Call:
    """Make the row of a call that rings in the browser until `offer` finds a worker's answer.

    It counts among the tenant's calls. Raises CannotTry.
    """
    return _begin(CallKind.BROWSER, agent, source, user)


def begin_chat(*, agent: Agent, source: Source, user: User) -> Call:
    """Make the row of a chat and have its worker open it. Raises CannotTry."""
    with transaction.atomic():
        call = _begin(CallKind.CHAT, agent, source, user)
        key = str(call.public_id)
        _send(call, contract.StartChat(command_id=key, call_id=key))
    return call


def offer(*, call: Call, sdp: str) -> None:
    """Hand the browser's offer to the worker; its answer comes to the call's talk group.

    Raises CannotTry.
    """
    if not sdp or len(sdp) > SDP_LIMIT:
        raise CannotTry(_("The browser offered no sound that could be understood."))
    key = str(call.public_id)
    _send(call, contract.StartBrowserCall(command_id=key, call_id=key, sdp=sdp))


def press_key(*, call: Call, digit: str) -> None:
    """Raises CannotTry when it is no key, or the call is over."""
    if digit not in KEYS or len(digit) != 1:
        raise CannotTry(_("There is no such key on a telephone."))
    command = str(uuid.uuid4())
    _send(call, contract.PressKey(command_id=command, call_id=str(call.public_id), digit=digit))


def say_in_chat(*, call: Call, text: str) -> str:
    """Send words to the agent; gives the item_id that they get in the transcript.

    Raises CannotTry.
    """
    words = plain(text).strip()
    if not words or len(words) > TEXT_LIMIT:
        raise CannotTry(_("Write from 1 to %(count)d characters.") % {"count": TEXT_LIMIT})
    item_id = f"chat_{uuid.uuid4().hex}"
    _send(
        call,
        contract.SendChatText(
            command_id=str(uuid.uuid4()), call_id=str(call.public_id), text=words, item_id=item_id
        ),
    )
    return item_id


def leave(*, call: Call, user: User | None, was_offered: bool) -> None:
    """The person has gone: the worker ends the call, or we do when no worker has heard of it."""
    if was_offered:
        with suppress(calls.CallIsOver):
            commands.hang_up(call=call, user=user)
        return
    with transaction.atomic():
        _close(call.public_id, EndCause.CALLER_HUNG_UP)


def answered(worker: Worker, frame: contract.BrowserCallAnswer) -> list[live.Notice]:
    """A worker answers an offer, or says why not; gives whom to tell."""
    call = _of_worker(worker, frame.call_id)
    if call is None:
        return []
    if not frame.refused:
        return [live.browser_answered(call, sdp=frame.sdp, refused="")]
    return _refuse(call, frame.refused)


def failed(worker: Worker, command_id: str, detail: str) -> list[live.Notice]:
    """A worker could not do a command; the start of a trial has the id of its call."""
    call = _of_worker(worker, command_id)
    return _refuse(call, detail) if call else []


def _begin(kind: CallKind, agent: Agent, source: Source, user: User) -> Call:
    tenant = agent.tenant
    with scope(tenant=tenant), transaction.atomic():
        content = agent if source == "draft" else agent.published
        if content is None:
            raise CannotTry(_("This agent was never published; try its draft."))
        settings = effective_settings(tenant=tenant, source=content)
        _check_limits(kind, agent, user)
        account = _usable_account(settings)
        call = Call(
            public_id=uuid.uuid4(),
            kind=kind,
            tenant=tenant,
            agent=agent,
            account=account,
            account_name=account.name,
            worker=_worker(kind),
            placed_by=user,
            called=agent.name,
            calling_name=user.get_full_name(),
            started_at=timezone.now(),
            state=CallState.RINGING,
            **_content(content, settings),
        )
        call.save(force_insert=True)
        audit.record(
            "agent.try",
            agent,
            tenant=tenant,
            user=user,
            call=str(call.public_id),
            kind=kind.value,
            source=source,
        )
        live.publish_on_commit(live.call_changed(call) + stream.of_call(call))
    return call


def _content(content: Agent | AgentRevision, settings: EffectiveSettings) -> dict[str, Any]:
    is_draft = isinstance(content, Agent)
    return {
        "revision": None if is_draft else content,
        "draft_version": content.draft_version if isinstance(content, Agent) else None,
        "language": settings.language,
        "model": settings["model"].value,
        "settings_used": admission.settings_used(settings, settings.language, content),
    }


def _check_limits(kind: CallKind, agent: Agent, user: User) -> None:
    if kind == CallKind.BROWSER and admission.limit_reached(agent.tenant):
        raise CannotTry(
            _("As many calls as allowed are running already. Try again when one has ended.")
        )
    recent = Call.all_tenants.filter(
        tenant=agent.tenant,
        started_at__gt=timezone.now() - timedelta(hours=1),
        placed_by=user,
        kind__in=_START,
    )
    if recent.count() >= TRIALS_AN_HOUR:
        text = _("You have tried agents %(count)d times within the hour; go on a little later.")
        raise CannotTry(text % {"count": TRIALS_AN_HOUR})


def _usable_account(settings: EffectiveSettings) -> ProviderAccount:
    """The account that the agent speaks with. Raises CannotTry."""
    conflicts = settings.conflicts()
    if conflicts:
        raise CannotTry(" ".join(conflicts.values()))
    account = settings.provider_account
    if account is None or not account.secret:
        raise CannotTry(_("No AI provider account is chosen for the agent, or it has no key."))
    try:
        account.secret.reveal()
    except SecretError as error:
        log.error("provider_key_unreadable", account=str(account.public_id), why=str(error))
        raise CannotTry(_("The account's key cannot be read; give it once more.")) from None
    return account


def _worker(kind: CallKind) -> Worker:
    """The worker with the most room. Raises CannotTry."""
    heard = timezone.now() - timedelta(seconds=contract.LIVENESS_SECONDS)
    found = [
        worker
        for worker in Worker.objects.filter(
            is_active=True, connected=True, last_seen_at__gte=heard, draining=False
        )
        .exclude(drain_wanted=True)
        .annotate(trials=Count("calls", filter=Q(_OPEN_CALLS, calls__kind=kind)))
        if _START[kind] in worker.commands
    ]
    if not found:
        raise CannotTry(_("No media worker is connected that could take this call."))
    if kind == CallKind.CHAT:
        return min(found, key=lambda worker: worker.trials)
    free = max(found, key=_room)
    if _room(free) <= 0:
        raise CannotTry(
            _("Every media worker has as many calls from browsers as it can take. Try again soon.")
        )
    return free


def _room(worker: Any) -> int:
    """Calls from browsers that it can still take; its own word is up to five seconds old."""
    return int(worker.browser_capacity - max(worker.active_browser_calls, worker.trials))


def _send(call: Call, frame: contract.Command) -> None:
    """Raises CannotTry."""
    fresh = Call.all_tenants.select_related("worker").filter(OPEN, pk=call.pk).first()
    if fresh is None:
        raise CannotTry(_("This is over already."))
    if fresh.worker is None or not fresh.worker.connected:
        raise CannotTry(_("The media worker is not connected any more."))
    live.publish_on_commit([live.command(fresh.worker, frame)])


def _of_worker(worker: Worker, call_id: str) -> Call | None:
    """A trial of this worker that has not been answered."""
    try:
        key = uuid.UUID(call_id)
    except ValueError:
        return None
    return (
        Call.all_tenants.select_related("tenant")
        .filter(public_id=key, worker=worker, kind__in=_START, state=CallState.RINGING)
        .first()
    )


def _refuse(call: Call, why: str) -> list[live.Notice]:
    with transaction.atomic():
        closed = _close(call.public_id, RefusalReason.BROWSER_FULL, plain(why))
    return [live.browser_answered(call, sdp="", refused=plain(why))] if closed else []


def _close(call_id: uuid.UUID, why: EndCause | RefusalReason, detail: str = "") -> bool:
    """End a trial that rings; False when it does not any more."""
    call = (
        Call.all_tenants.select_for_update(of=("self",))
        .select_related("tenant")
        .filter(public_id=call_id, state=CallState.RINGING)
        .first()
    )
    if call is None:
        return False
    call.ended_at, call.end_detail = timezone.now(), detail
    if isinstance(why, RefusalReason):
        call.state, call.refusal_reason = CallState.REFUSED, why.value
    else:
        call.state, call.end_cause = CallState.ENDED, why.value
    calls.save(call, "state", "ended_at", "end_detail", "refusal_reason", "end_cause")
    live.publish_on_commit(live.call_changed(call) + stream.of_call(call))
    return True
