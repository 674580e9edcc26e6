"""May this call come in? One transaction decides, counts it and makes its row.

A retry with the same `call_key` gets the same answer. A plan is built from the call's own row, so
what a call was given is what its record says.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final
from urllib.parse import unquote

import structlog
from django.db import IntegrityError, transaction
from django.db.models import Q, QuerySet
from django.utils import timezone

from media_worker import contract
from media_worker.contract import RefusalReason
from pbxai.crypto import SecretError
from tenants.models import Agent, AgentRevision, Call, Number, ProviderAccount, Tenant, Worker
from tenants.models.call import OPEN
from tenants.models.choices import CallState
from tenants.models.validators import normalise_number
from tenants.services import live, prompts, stream, variables
from tenants.services.accounts import provider_access
from tenants.services.effective import (
    VALUE_NAMES,
    EffectiveSettings,
    EffectiveValue,
    contract_settings,
    effective_settings,
)
from tenants.services.text import plain

log = structlog.get_logger(__name__)

MINUTE: Final = timedelta(minutes=1)


class CallKeyTaken(Exception):  # noqa: N818 - says what is the matter
    """The call_key is another worker's call, or no UUID."""


@dataclass(frozen=True, slots=True)
class Route:
    """Where a called number leads; a reason when the call is not to be taken."""

    reason: RefusalReason | None = None
    number: Number | None = None
    revision: AgentRevision | None = None
    settings: EffectiveSettings | None = None

    @property
    def tenant(self) -> Tenant | None:
        return self.number.tenant if self.number else None

    @property
    def agent(self) -> Agent | None:
        return self.number.agent if self.number else None


def admit(
    *, worker: Worker, request: contract.AdmissionRequest
) -> contract.CallPlan | contract.Refusal:
    """Decide about a call and record it. Raises CallKeyTaken."""
    key = parse_call_key(request.call_key)
    try:
        with transaction.atomic():
            call = _earlier(key, worker) or _decide(key, worker, request)
            return _answer(call)
    except IntegrityError:
        # Two requests with this key at the same moment; the other one has made the row.
        with transaction.atomic():
            earlier = _earlier(key, worker)
            if earlier is None:
                raise
            return _answer(earlier)


def plan_for(*, worker: Worker, call_id: uuid.UUID) -> contract.CallPlan | contract.Refusal | None:
    """The plan of a call that was begun from a browser, whose key comes this way only.

    None: it is not this worker's, or it does not ring any more.
    """
    with transaction.atomic():
        call = (
            _calls()
            .exclude(kind=contract.CallKind.PHONE)
            .filter(public_id=call_id, worker=worker, state=CallState.RINGING)
            .first()
        )
        return _answer(call) if call else None


def parse_call_key(text: str) -> uuid.UUID:
    try:
        return uuid.UUID(text)
    except ValueError:
        raise CallKeyTaken("The call_key is not a UUID.") from None


def find_number(called: str) -> Number | None:
    """The number that was dialled: as written, without parameters, without visual separators."""
    user = plain(unquote(called))
    candidates = {user, user.partition(";")[0], normalise_number(user.partition(";")[0])}
    return (
        Number.all_tenants.select_related("tenant", "agent")
        .filter(number__in=candidates)
        .order_by("pk")
        .first()
    )


def new_call(
    key: uuid.UUID, worker: Worker, request: contract.AdmissionRequest, **fields: Any
) -> Call:
    """A call's row with what its INVITE said; not saved."""
    return Call(
        public_id=key,
        worker=worker,
        called=plain(request.called, 255),
        calling=plain(request.calling, 255),
        calling_name=plain(request.calling_name, 255),
        sip_call_id=plain(request.sip_call_id, 255),
        source=plain(request.source, 100),
        **{"started_at": timezone.now(), **fields},
    )


def refused_call(
    key: uuid.UUID,
    worker: Worker,
    request: contract.AdmissionRequest,
    reason: RefusalReason,
    detail: str = "",
    number: Number | None = None,
) -> Call:
    """The record of a call that was not taken; of no tenant when nobody has the number."""
    now = timezone.now()
    return new_call(
        key,
        worker,
        request,
        tenant=number.tenant if number else None,
        number=number,
        agent=number.agent if number else None,
        state=CallState.REFUSED,
        refusal_reason=reason.value,
        end_detail=plain(detail),
        sip_status=contract.SIP_STATUS[reason],
        started_at=now,
        ended_at=now,
    )


def _calls() -> QuerySet[Call]:
    """Calls with all that a plan is made of."""
    return Call.all_tenants.select_related(
        "tenant", "number", "agent", "revision", "account", "worker"
    )


def _earlier(key: uuid.UUID, worker: Worker) -> Call | None:
    call = _calls().filter(public_id=key).first()
    if call and call.worker_id != worker.pk:
        raise CallKeyTaken("The call_key is in use already.")
    return call


def _decide(key: uuid.UUID, worker: Worker, request: contract.AdmissionRequest) -> Call:
    route = _route(request.called)
    reason = route.reason or limit_reached(route.tenant)
    if reason:
        call = refused_call(key, worker, request, reason, number=route.number)
        log.info("call_refused", call=str(key), reason=reason.value)
    else:
        call = _admitted(key, worker, request, route)
    call.save(force_insert=True)
    live.publish_on_commit(live.call_changed(call) + stream.of_call(call))
    return call


def _route(called: str) -> Route:
    """Follow the number to a revision and its settings; the first thing that is missing refuses."""
    number = find_number(called)
    if number is None:
        return Route(RefusalReason.UNKNOWN_NUMBER)
    if not number.tenant.is_active:
        return Route(RefusalReason.TENANT_DISABLED, number)
    if not number.is_active:
        return Route(RefusalReason.NUMBER_DISABLED, number)
    if not number.is_open_at(timezone.now()):
        return Route(RefusalReason.CLOSED, number)
    revision = number.agent.published
    if revision is None:
        return Route(RefusalReason.NO_PUBLISHED_REVISION, number)
    settings = effective_settings(tenant=number.tenant, source=revision)
    account = settings.provider_account
    if account is None or not account.secret:
        return Route(RefusalReason.NO_PROVIDER_ACCOUNT, number, revision)
    try:
        account.secret.reveal()
    except SecretError as error:
        log.error("provider_key_unreadable", account=str(account.public_id), why=str(error))
        return Route(RefusalReason.INTERNAL_ERROR, number, revision)
    return Route(None, number, revision, settings)


def limit_reached(tenant: Tenant | None) -> RefusalReason | None:
    """Count the tenant's calls while nobody else can add one; a chat is no call."""
    if tenant is None:
        return None
    # The lock makes counting and inserting one step on PostgreSQL; on SQLite BEGIN IMMEDIATE does.
    locked = Tenant.objects.select_for_update().get(pk=tenant.pk)
    calls = Call.all_tenants.filter(tenant=locked).exclude(kind=contract.CallKind.CHAT)
    if calls.filter(OPEN).count() >= locked.max_concurrent_calls:
        return RefusalReason.TENANT_LIMIT
    if locked.max_calls_a_minute is None:
        return None
    # What was refused does not count: else a storm of calls would keep everybody out.
    lately = calls.filter(started_at__gt=timezone.now() - MINUTE).exclude(state=CallState.REFUSED)
    return RefusalReason.TENANT_RATE if lately.count() >= locked.max_calls_a_minute else None


def _admitted(
    key: uuid.UUID, worker: Worker, request: contract.AdmissionRequest, route: Route
) -> Call:
    settings, number, revision = route.settings, route.number, route.revision
    if settings is None or number is None or revision is None:
        raise ValueError("A route without a reason has a number, a revision and settings.")
    language = number.language or settings.language
    return new_call(
        key,
        worker,
        request,
        tenant=number.tenant,
        number=number,
        agent=number.agent,
        revision=revision,
        language=language,
        state=CallState.RINGING,
        account=settings.provider_account,
        account_name=settings.provider_account.name if settings.provider_account else "",
        model=settings["model"].value,
        settings_used=settings_used(settings, language, revision),
    )


def settings_used(
    settings: EffectiveSettings, language: str, source: Agent | AgentRevision
) -> dict[str, Any]:
    """What a call gets, with the level of each setting, for its record and its plan; no secret."""
    account = settings["provider_account"]
    used: dict[str, Any] = {
        name: {"value": settings[name].value, "level": settings[name].level}
        for name in VALUE_NAMES
        if name != "provider_account"
    }
    used["provider_account"] = {"value": account.value.name, "level": account.level}
    used["greeting"] = _text_used(settings.greeting(language))
    recorded = settings["record"].value
    used["consent"] = _text_used(settings.consent(language) if recorded else None)
    used["apology"] = _text_used(settings.apology(language))
    if source.fallback_account:
        used["fallback_account"] = {
            "value": source.fallback_account.name,
            "level": "agent",
            "id": str(source.fallback_account.public_id),
        }
    if source.fallback_target:
        used["fallback_target"] = {"value": source.fallback_target, "level": "agent"}
    used["tools"] = {"hang_up": source.hang_up_enabled, "targets": source.transfer_targets}
    return used


def _text_used(found: tuple[str, EffectiveValue] | None) -> dict[str, Any] | None:
    if found is None:
        return None
    language, text = found
    return {"value": text.value, "level": text.level, "language": language}


def _answer(call: Call) -> contract.CallPlan | contract.Refusal:
    if call.refusal_reason:
        return contract.Refusal(
            call_id=str(call.public_id),
            reason=RefusalReason(call.refusal_reason),
            detail=call.end_detail,
        )
    return _plan(call)


def _plan(call: Call) -> contract.CallPlan | contract.Refusal:
    used, account, revision = call.settings_used, call.account, call.revision
    # A draft that was called has no revision; what it said stands in the call's row.
    is_known = revision is not None or call.draft_version is not None
    if account is None or not is_known or not (call.tenant and call.agent):
        # Deleted between a request and its retry.
        return contract.Refusal(
            call_id=str(call.public_id), reason=RefusalReason.NO_PROVIDER_ACCOUNT
        )
    return contract.CallPlan(
        call_id=str(call.public_id),
        tenant_id=str(call.tenant.public_id),
        number_id=str(call.number.public_id) if call.number else "",
        agent_id=str(call.agent.public_id),
        agent_name=revision.name if revision else call.agent.name,
        revision=revision.number if revision else 0,
        kind=contract.CallKind(call.kind),
        language=call.language,
        greeting=_spoken(used["greeting"]) if used["greeting"] else None,
        consent=_spoken(used["consent"]) if used["consent"] else None,
        apology=_spoken(used["apology"]),
        provider=provider_access(account),
        settings=contract_settings({name: used[name]["value"] for name in VALUE_NAMES}),
        tools=_tools(used["tools"]),
        prompts=prompts.for_call(call),
        variables=variables.of_call(call),
        fallback=_fallback(call),
        fallback_target=used.get("fallback_target", {}).get("value", ""),
    )


def _fallback(call: Call) -> contract.ProviderAccess | None:
    """The second account, for a worker that uses it: no other gets its key."""
    used = call.settings_used.get("fallback_account")
    if not used or call.worker is None or contract.USES_FALLBACK not in call.worker.commands:
        return None
    account = ProviderAccount.all_tenants.filter(
        Q(tenant=call.tenant) | Q(tenant=None), public_id=used["id"]
    ).first()
    if account is None or not account.secret:
        return None
    try:
        return provider_access(account)
    except SecretError as error:
        # A call is not refused because its second account cannot be used.
        log.error("provider_key_unreadable", account=used["id"], why=str(error))
        return None


def _spoken(text: dict[str, Any]) -> contract.Greeting:
    return contract.Greeting(language=text["language"], text=text["value"])


def _tools(used: dict[str, Any]) -> contract.ToolSet:
    return contract.ToolSet(
        hang_up=used["hang_up"],
        transfer_targets=tuple(
            contract.TransferTarget(
                name=target["name"], uri=target["uri"], description=target.get("description", "")
            )
            for target in used["targets"]
        ),
    )
