"""Start: the numbers of now, what needs attention, the last calls, the first day's checklist."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from statistics import median
from typing import Any, Final

from django.db.models import Count, F, Q
from django.http import HttpResponse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from tenants.models import Agent, Call, Number, ProviderAccount, Turn, Worker
from tenants.models.choices import CallState, CheckState, RefusalReason
from tenants.portal import words
from tenants.portal.access import TenantRequest, tenant_page
from tenants.portal.calls import call_row, with_names
from tenants.portal.frame import calls_running, feed_address, page_url, render_page
from tenants.templatetags.ui import milliseconds

LAST_CALLS: Final = 8
TURNS_FOR_MEDIAN: Final = 2000
PROBLEM_IS_NEWS: Final = timedelta(hours=24)


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


@dataclass(frozen=True, kw_only=True)
class Step:
    """One line of the first day's checklist."""

    title: str
    text: str
    done: bool
    button: str
    url: str


def midnight() -> datetime:
    """When today began on the reader's clock."""
    return timezone.localtime().replace(hour=0, minute=0, second=0, microsecond=0)


def stats() -> list[Stat]:
    """The numbers of the tenant in scope."""
    today = Call.objects.filter(started_at__gte=midnight()).aggregate(
        answered=Count("pk", filter=Q(answered_at__isnull=False)),
        refused=Count("pk", filter=Q(state=CallState.REFUSED)),
    )
    refused = today["refused"]
    return [
        Stat(id="stat-running", label=_("Calls running"), value=calls_running(), live=True),
        Stat(
            id="stat-answered",
            label=_("Answered today"),
            value=today["answered"],
            note=ngettext("%(count)d refused", "%(count)d refused", refused) % {"count": refused}
            if refused
            else "",
        ),
        Stat(
            id="stat-wait",
            label=_("Callers wait for an answer"),
            value=milliseconds(median_wait_ms()),
            note=_("median of today's turns"),
        ),
    ]


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


def recent_calls(slug: str) -> list[Any]:
    """The last calls that are over."""
    calls = with_names(Call.objects.exclude(state__in=words.RUNNING_STATES))[:LAST_CALLS]
    return [call_row(call, slug) for call in calls]


def _account_news(request: TenantRequest) -> list[Attention]:
    news = []
    for account in ProviderAccount.objects.all():
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


def attention(request: TenantRequest) -> list[Attention]:
    """What needs somebody now, the worst first."""
    news = _account_news(request) + _agent_news(request)
    if not Worker.objects.filter(connected=True).exists():
        text = _("No media worker is connected: nobody answers the phone.")
        small = _("Your operator runs the media workers and has to look at it.")
        news.insert(0, Attention(text=text, small=small, tone="bad"))
    busy = Call.objects.filter(
        started_at__gte=midnight(), refusal_reason=RefusalReason.TENANT_LIMIT
    ).count()
    if busy:
        text = ngettext(
            "%(count)d call heard the busy tone today: %(limit)d calls at once are allowed.",
            "%(count)d calls heard the busy tone today: %(limit)d calls at once are allowed.",
            busy,
        ) % {"count": busy, "limit": request.tenant.max_concurrent_calls}
        url = page_url("calls", request) + "?outcome=refused"
        news.append(Attention(text=text, button=_("See calls"), url=url))
    return news


def checklist(request: TenantRequest) -> list[Step]:
    """The first day's steps; empty once all of them are done."""
    steps = [
        Step(
            title=_("Store the key of your AI provider"),
            text=_("Only its last four characters are ever shown again."),
            done=ProviderAccount.all_tenants.filter(
                Q(tenant=request.tenant) | Q(tenant=None)
            ).exists(),
            button=_("Add account"),
            url=page_url("account_new", request),
        ),
        Step(
            title=_("Write what your agent does, and publish it"),
            text=_("A few sentences are enough to begin with."),
            done=Agent.objects.filter(revisions__isnull=False).exists(),
            button=_("Agents"),
            url=page_url("agents", request),
        ),
        Step(
            title=_("Connect a number to it"),
            text=_("The number or extension that is dialled."),
            done=Number.objects.filter(is_active=True).exists(),
            button=_("Add number"),
            url=page_url("number_new", request),
        ),
        Step(
            title=_("Call it"),
            text=_("The call appears here while it runs."),
            done=Call.objects.filter(answered_at__isnull=False).exists(),
            button=_("Live"),
            url=page_url("live", request),
        ),
    ]
    return [] if all(step.done for step in steps) else steps


@tenant_page()
def start(request: TenantRequest) -> HttpResponse:
    running = with_names(Call.objects.filter(state__in=words.RUNNING_STATES))
    slug = request.tenant.slug
    context = {
        "stats": stats(),
        "attention": attention(request),
        "steps": checklist(request),
        "running": [call_row(call, slug) for call in running],
        "recent": recent_calls(slug),
    }
    feed = feed_address(request, page="start")
    return render_page(request, "portal/start.html", context, here="start", feed=feed)
