"""The first day: what leads a new tenant to its first call, as a list that ticks itself."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

from django.db.models import F
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _

from tenants.access import may
from tenants.models import Agent, Call, Member, Number, ProviderAccount, Tenant
from tenants.models.choices import CallKind
from tenants.portal.numbers import dial_addresses
from tenants.services.effective import platform_settings, tenant_settings

FIRST_CALL_IS_NEWS: Final = timedelta(minutes=10)
"""So long an open Start page is told of the first call; later nobody waits for the last tick."""
LAST_CALLS: Final = 8
"""That Start shows; fewer are all that there are."""
TRYING: Final = 2
"""The step without which calls are answered too."""


@dataclass(frozen=True, kw_only=True)
class Step:
    """One line of the list; components/first_steps.html."""

    title: str
    text: str
    done: bool
    button: str = ""
    url: str = ""
    """Empty: this person may not do it, or it cannot be done yet."""
    dial: str = ""
    """What a telephone dials."""
    is_next: bool = False


def first_steps(
    tenant: Tenant, member: Member, calls: Sequence[Call], accounts: Sequence[ProviderAccount]
) -> list[Step]:
    """The steps of the tenant in scope; empty once a telephone call was answered.

    `calls`: the newest, running ones too; few of them are all that there are. `accounts`: its own.
    """
    if any(call.kind == CallKind.PHONE and call.answered_at for call in calls):
        return []
    if len(calls) >= LAST_CALLS and _first_answered():
        return []
    return _steps(tenant, member, accounts, tried=bool(calls))


def steps_for_feed(tenant: Tenant, member: Member) -> list[Step]:
    """The same for a page that is open already: the last tick is seen too."""
    first = _first_answered()
    is_old = first is not None and timezone.now() - first.started_at > FIRST_CALL_IS_NEWS
    if is_old:
        return []
    called = first is not None
    tried = called or Call.objects.exists()
    return _steps(tenant, member, ProviderAccount.objects.all(), tried=tried, called=called)


def next_step(tenant: Tenant, member: Member) -> Step | None:
    """What the list offers next, for the page on which a step was just done; None: nothing."""
    return next((s for s in steps_for_feed(tenant, member) if s.is_next and s.url), None)


def _first_answered() -> Call | None:
    return (
        Call.objects.filter(kind=CallKind.PHONE, answered_at__isnull=False)
        .only("pk", "started_at")
        .order_by("started_at")
        .first()
    )


def _steps(
    tenant: Tenant,
    member: Member,
    accounts: Iterable[ProviderAccount],
    *,
    tried: bool,
    called: bool = False,
) -> list[Step]:
    published_first = F("published_revision_id").desc(nulls_last=True)
    agent = Agent.objects.order_by(published_first, "pk").first()
    numbers = Number.objects.filter(is_active=True).select_related("tenant", "agent")
    number = numbers.order_by("pk").first()
    address = _Address(tenant, member)
    steps = [
        _account_step(address, agent, accounts),
        _agent_step(address, agent),
        Step(
            title=_("Talk to it, here in the browser"),
            text=_("With your microphone or in writing, also before it is published."),
            done=tried,
            button=_("Try it"),
            url=address.of("agent_try", "edit", agent_id=agent.public_id) if agent else "",
        ),
        _number_step(address, agent, number),
    ]
    can_answer = all(step.done for step in steps if step is not steps[TRYING])
    steps.append(
        Step(
            title=_("Call it"),
            text=_("From any SIP telephone; the call appears on this page while it runs."),
            done=called,
            dial=_dialled(number) if number and can_answer else "",
        )
    )
    return _with_next(steps)


def _dialled(number: Number) -> str:
    return next(iter(dial_addresses(number.number)), "")


def _with_next(steps: list[Step]) -> list[Step]:
    """Mark the first step that is not done."""
    found = next((step for step in steps if not step.done), None)
    return [Step(**{**vars(step), "is_next": step is found}) for step in steps]


@dataclass(frozen=True)
class _Address:
    tenant: Tenant
    member: Member

    def of(self, name: str, right: Any, **arguments: Any) -> str:
        """A page of the tenant's; empty for somebody without the right to act there."""
        if not may(self.member, right):
            return ""
        return reverse(f"portal:{name}", kwargs={"slug": self.tenant.slug, **arguments})


def _account_step(
    address: _Address, agent: Agent | None, accounts: Iterable[ProviderAccount]
) -> Step:
    """Done when agents have somebody to speak with, be it by the operator's account."""
    title = _("Store the key of your AI provider")
    if (agent and agent.provider_account_id) or _has_default(address.tenant):
        return Step(title=title, text=_("Your agents have an account to speak with."), done=True)
    stored = next(iter(accounts), None)
    if stored is None:
        return Step(
            title=title,
            text=_("Only its last four characters are ever shown again."),
            done=False,
            button=_("Add account"),
            url=address.of("account_new", "manage"),
        )
    if not stored.secret:
        return Step(
            title=title,
            text=_("“%(name)s” has no key yet.") % {"name": stored.name},
            done=False,
            button=_("Give its key"),
            url=address.of("account", "manage", account_id=stored.public_id),
        )
    return Step(
        title=title,
        text=_("“%(name)s” is stored, but no agent speaks with it.") % {"name": stored.name},
        done=False,
        button=_("Choose it"),
        url=address.of("settings", "manage"),
    )


def _has_default(tenant: Tenant) -> bool:
    """Whether agents without an account of their own have one with a key."""
    default = tenant_settings(tenant).provider_account or platform_settings().provider_account
    return bool(default and default.secret)


def _agent_step(address: _Address, agent: Agent | None) -> Step:
    title = _("Write what your agent does, and publish it")
    if agent is None:
        return Step(
            title=title,
            text=_("A few sentences are enough to begin with."),
            done=False,
            button=_("New agent"),
            url=address.of("agent_new", "edit"),
        )
    if agent.published_revision_id is None:
        return Step(
            title=title,
            text=_("“%(name)s” is a draft: calls get what is published.") % {"name": agent.name},
            done=False,
            button=_("Publish"),
            url=address.of("agent_publish", "edit", agent_id=agent.public_id),
        )
    return Step(title=title, text=_("“%(name)s” is ready.") % {"name": agent.name}, done=True)


def _number_step(address: _Address, agent: Agent | None, number: Number | None) -> Step:
    url = address.of("number_new", "edit")
    return Step(
        title=_("Connect a number to it"),
        text=_("%(number)s leads to “%(agent)s”.")
        % {"number": number.number, "agent": number.agent.name}
        if number
        else _("The number or extension that is dialled."),
        done=number is not None,
        button=_("Add number"),
        url=f"{url}?agent={agent.public_id}" if agent and url else url,
    )
