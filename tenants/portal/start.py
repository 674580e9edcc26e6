"""Start: the numbers of now, what needs attention, the last calls."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from statistics import median
from typing import Any, Final, TypeVar, cast

from django.core.cache import cache
from django.db.models import Count, F, Q, Sum
from django.http import HttpResponse
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from tenants.models import (
    Agent,
    Call,
    ProviderAccount,
    ProviderModel,
    Tenant,
    Turn,
    Worker,
)
from tenants.models.choices import CallState, CheckState, RefusalReason
from tenants.portal import words
from tenants.portal.access import TenantRequest, tenant_page
from tenants.portal.calls import call_row, with_names
from tenants.portal.first_steps import LAST_CALLS, first_steps
from tenants.portal.frame import feed_address, page_url, render_page
from tenants.services import catalogue
from tenants.services.accounts import offered_accounts
from tenants.services.days import FAILED
from tenants.services.levels import Holder
from tenants.services.usage import spent_this_month
from tenants.templatetags.ui import milliseconds, minutes, money, sums_of_money

T = TypeVar("T")

TURNS_FOR_MEDIAN: Final = 2000
PROBLEM_IS_NEWS: Final = timedelta(hours=24)
SHUTDOWN_IS_NEAR: Final = timedelta(days=90)
NEARLY_FULL: Final = 0.9
KEPT_SECONDS: Final = 5


@dataclass(frozen=True, kw_only=True)
class Stat:
    """A number of now; see templates/components/stat.html."""

    id: str
    label: str
    value: str | int
    note: str = ""
    live: bool = False


@dataclass(frozen=True, kw_only=True)
class Attention:
    """A sentence that needs somebody, with the button that leads to the remedy."""

    text: str
    small: str = ""
    button: str = ""
    url: str = ""
    tone: str = "warn"


def midnight() -> datetime:
    """When today began on the reader's clock."""
    return timezone.localtime().replace(hour=0, minute=0, second=0, microsecond=0)


def calls_today() -> dict[str, int]:
    """What became of today's calls, of the tenant in scope."""
    return Call.objects.filter(started_at__gte=midnight()).aggregate(
        answered=Count("pk", filter=Q(answered_at__isnull=False)),
        refused=Count("pk", filter=Q(state=CallState.REFUSED)),
        busy=Count("pk", filter=Q(refusal_reason=RefusalReason.TENANT_LIMIT)),
        failed=Count("pk", filter=Q(end_cause__in=FAILED)),
        talked_ms=Sum("duration_ms", default=0),
    )


def stats(tenant: Tenant, running: int, today: Mapping[str, int]) -> list[Stat]:
    """The numbers of the tenant in scope; `running`: calls now."""
    return [
        Stat(id="stat-running", label=_("Calls running"), value=running, live=True),
        Stat(
            id="stat-answered",
            label=_("Answered today"),
            value=today["answered"],
            note=_not_fine(today["refused"], today["failed"]),
        ),
        Stat(
            id="stat-minutes",
            label=_("Minutes today"),
            value=minutes(today["talked_ms"]),
            note=_("calls that are over"),
        ),
        Stat(
            id="stat-wait",
            label=_("Answer delay"),
            value=milliseconds(_kept(tenant, "wait", median_wait_ms)),
            note=_("median of today's turns"),
        ),
        _spend(tenant),
    ]


def _not_fine(refused: int, failed: int) -> str:
    """How many of today's calls were refused and failed; empty when none was."""
    texts = [
        (refused, ngettext("%(count)d refused", "%(count)d refused", refused)),
        (failed, ngettext("%(count)d failed", "%(count)d failed", failed)),
    ]
    return ", ".join(text % {"count": count} for count, text in texts if count)


def _spend(tenant: Tenant) -> Stat:
    """What the month has cost so far, of its budget if it has one."""
    spent = _kept(tenant, "spend", lambda: spent_this_month(tenant))
    budget = tenant.budget_month
    if budget is None:
        note = _("this month")
        text = sums_of_money(spent)
    else:
        note = _("this month, of %(budget)s") % {"budget": money(budget, tenant.budget_currency)}
        text = money(spent.get(tenant.budget_currency, Decimal()), tenant.budget_currency)
    return Stat(id="stat-spend", label=_("Spend"), value=text, note=note)


def _kept(tenant: Tenant, name: str, find: Callable[[], T]) -> T:
    """A number that takes longer to find, good for a moment: Start asks at each call's change."""
    key = f"start:{tenant.pk}:{name}:{midnight():%j}"
    found: Any = cache.get_or_set(key, find, KEPT_SECONDS)
    return cast("T", found)


def median_wait_ms() -> int | None:
    """Median of the caller's wait, over the last turns of today; None without any."""
    waits = (
        Turn.objects.filter(
            call__started_at__gte=midnight(),
            first_packet_ms__gte=F("caller_stopped_ms"),
        )
        .order_by("-pk")
        .annotate(wait=F("first_packet_ms") - F("caller_stopped_ms"))
        .values_list("wait", flat=True)[:TURNS_FOR_MEDIAN]
    )
    measured = list(waits)
    return round(median(measured)) if measured else None


def last_calls() -> list[Call]:
    """The last calls that are over."""
    return list(with_names(Call.objects.exclude(state__in=words.RUNNING_STATES))[:LAST_CALLS])


def recent_calls(slug: str) -> list[Any]:
    return [call_row(call, slug) for call in last_calls()]


def _account_news(request: TenantRequest, accounts: Iterable[ProviderAccount]) -> list[Attention]:
    news = []
    for account in accounts:
        url = page_url("account", request, account_id=account.public_id)
        if account.check_state == CheckState.FAILED:
            text = _("The check of “%(name)s” failed: %(why)s") % {
                "name": account.name,
                "why": words.problem_sentence(account.check_kind),
            }
            small = words.remedy_sentence(account.check_kind)
            news.append(
                Attention(text=text, small=small, button=_("See account"), url=url, tone="bad")
            )
        elif _is_news(account):
            at = timezone.localtime(account.last_problem_at)
            text = _("Calls had trouble with “%(name)s” at %(time)s: %(why)s") % {
                "name": account.name,
                "time": f"{at:%H:%M}",
                "why": words.problem_sentence(account.last_problem_kind),
            }
            small = words.remedy_sentence(account.last_problem_kind)
            news.append(
                Attention(text=text, small=small, button=_("Check key"), url=url, tone="bad")
            )
    return news


def _is_news(account: ProviderAccount) -> bool:
    """A problem is news for a day, or until a check after it went well."""
    at = account.last_problem_at
    if at is None or timezone.now() - at > PROBLEM_IS_NEWS:
        return False
    checked = account.checked_at
    return not (account.check_state == CheckState.OK and checked and checked > at)


def _agent_news(request: TenantRequest) -> list[Attention]:
    silent = (
        Agent.objects.annotate(
            answers=Count("numbers", filter=Q(numbers__is_active=True), distinct=True),
            published_times=Count("revisions", distinct=True),
        )
        .filter(answers__gt=0, published_times=0)
        .order_by("name")
    )
    return [
        Attention(
            text=_("“%(name)s” was never published: calls to its numbers are refused.")
            % {"name": agent.name},
            button=_("Open agent"),
            url=page_url("agent", request, agent_id=agent.public_id),
        )
        for agent in silent
    ]


def attention(
    request: TenantRequest,
    accounts: Sequence[ProviderAccount],
    *,
    busy: int,
    is_first_day: bool = False,
) -> list[Attention]:
    """What needs somebody now, the worst first; the first day's list says the rest by itself.

    `accounts`: all that the tenant may use; `busy`: calls of today that found its limit reached.
    """
    own = [account for account in accounts if account.tenant_id]
    news = [*_worker_news(), *_account_news(request, own)]
    if is_first_day:
        return news
    news += _agent_news(request) + _model_news(request, accounts) + _budget_news(request)
    if busy:
        text = ngettext(
            "%(count)d call heard the busy tone today: %(limit)d calls at once are allowed.",
            "%(count)d calls heard the busy tone today: %(limit)d calls at once are allowed.",
            busy,
        ) % {"count": busy, "limit": request.tenant.max_concurrent_calls}
        url = page_url("calls", request) + "?outcome=refused"
        news.append(Attention(text=text, button=_("See calls"), url=url))
    return news


def _model_news(request: TenantRequest, accounts: Iterable[ProviderAccount]) -> list[Attention]:
    """Models that agents use and that their provider shuts down, or has."""
    last = timezone.localdate() + SHUTDOWN_IS_NEAR
    agents: dict[ProviderModel, list[Holder]] = {}
    for use in catalogue.warnings(request.tenant, accounts=accounts):
        if use.model.shutdown_on and use.model.shutdown_on <= last:
            holders = agents.setdefault(use.model, [])
            if use.holder not in holders:
                holders.append(use.holder)
    return [_one_model(request, model, holders) for model, holders in agents.items()]


def _one_model(
    request: TenantRequest, model: ProviderModel, holders: Sequence[Holder]
) -> Attention:
    is_over = bool(model.shutdown_on and model.shutdown_on <= timezone.localdate())
    text = (
        _("%(agents)s: the provider shut “%(model)s” down on %(day)s.")
        if is_over
        else _("%(agents)s: the provider shuts “%(model)s” down on %(day)s.")
    )
    is_one = len(holders) == 1
    several = ngettext("%(count)d agent", "%(count)d agents", len(holders))
    facts = {
        "agents": f"“{holders[0].agent_name}”" if is_one else several % {"count": len(holders)},
        "model": model.name,
        "day": _day(model.shutdown_on),
    }
    successor = _("Its successor is “%(model)s”.") % {"model": model.replacement}
    return Attention(
        text=text % facts,
        small=successor if model.replacement else "",
        button=_("Open agent") if is_one else _("Agents"),
        url=page_url("agent", request, agent_id=holders[0].agent_id)
        if is_one
        else page_url("agents", request),
        tone="bad" if is_over else "warn",
    )


def _budget_news(request: TenantRequest) -> list[Attention]:
    """A month that has cost what it may; nothing is refused for it."""
    tenant = request.tenant
    if tenant.budget_month is None:
        return []
    spent = _kept(tenant, "spend", lambda: spent_this_month(tenant))
    cost = spent.get(tenant.budget_currency, Decimal())
    if cost < tenant.budget_month:
        return []
    text = _("This month has cost %(spent)s: the budget of %(budget)s is used up.") % {
        "spent": money(cost, tenant.budget_currency),
        "budget": money(tenant.budget_month, tenant.budget_currency),
    }
    small = _("Calls are answered all the same.")
    return [Attention(text=text, small=small, button=_("Usage"), url=page_url("usage", request))]


def _day(day: date | None) -> str:
    return date_format(day, "DATE_FORMAT") if day else ""


def _worker_news() -> list[Attention]:
    open_to_calls = Q(draining=False)
    room = Worker.objects.filter(connected=True).aggregate(
        workers=Count("pk"),
        capacity=Sum("capacity", filter=open_to_calls, default=0),
        calls=Sum("active_calls", filter=open_to_calls, default=0),
    )
    if not room["workers"]:
        text = _("No media worker is connected: nobody answers the phone.")
        small = _("Your operator runs the media workers and has to look at it.")
        return [Attention(text=text, small=small, tone="bad")]
    if not room["capacity"]:
        text = _("Every media worker is being taken out of service: new calls are refused.")
        small = _("Your operator runs the media workers and has to look at it.")
        return [Attention(text=text, small=small, tone="bad")]
    if room["calls"] >= NEARLY_FULL * room["capacity"]:
        text = _("The media workers are nearly full: the next callers may hear the busy tone.")
        small = _("Your operator runs the media workers and has to look at it.")
        return [Attention(text=text, small=small)]
    return []


@tenant_page()
def start(request: TenantRequest) -> HttpResponse:
    running = list(with_names(Call.objects.filter(state__in=words.RUNNING_STATES)))
    recent = last_calls()
    accounts = list(offered_accounts(request.tenant))
    own = [account for account in accounts if account.tenant_id]
    steps = first_steps(request.tenant, request.member, [*running, *recent], own)
    today = calls_today()
    slug = request.tenant.slug
    context = {
        "stats": stats(request.tenant, len(running), today),
        "attention": attention(request, accounts, busy=today["busy"], is_first_day=bool(steps)),
        "steps": steps,
        "running": [call_row(call, slug) for call in running],
        "recent": [call_row(call, slug) for call in recent],
    }
    feed = feed_address(request, page="start")
    return render_page(
        request, "portal/start.html", context, here="start", feed=feed, running=len(running)
    )
