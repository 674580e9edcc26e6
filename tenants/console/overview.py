"""Overview: the numbers of now over all tenants, what needs the operator, workers, tenants."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from django.db.models import Count, F, Q, Sum
from django.http import HttpResponse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from tenants.console.access import ConsoleRequest, console_page
from tenants.console.frame import calls_running, render_page
from tenants.models import Call, ProviderAccount, Tenant, Worker
from tenants.models.call import OPEN_STATES
from tenants.models.choices import CallState, CheckState, RefusalReason

SHOWN: Final = 20
NEARLY_FULL: Final = 0.9


@dataclass(frozen=True, kw_only=True)
class Stat:
    """A number of now; see templates/components/stat.html."""

    id: str
    label: str
    value: str | int
    note: str = ""
    live: bool = False


@dataclass(frozen=True)
class Attention:
    """A sentence that needs the operator; see templates/components/notice.html."""

    text: str
    small: str = ""
    tone: str = "warn"


def stats(calls: dict[str, int]) -> list[Stat]:
    """The numbers of the installation; `calls` are today's."""
    workers = Worker.objects.filter(is_active=True).aggregate(
        all=Count("pk"),
        here=Count("pk", filter=Q(connected=True)),
        capacity=Sum("capacity", filter=Q(connected=True), default=0),
    )
    tenants = Tenant.objects.aggregate(all=Count("pk"), off=Count("pk", filter=Q(is_active=False)))
    return [
        Stat(
            id="stat-running",
            label=_("Calls running"),
            value=calls_running(),
            note=_("of %(count)d that the workers take") % {"count": workers["capacity"]},
            live=True,
        ),
        Stat(
            id="stat-answered",
            label=_("Answered today"),
            value=calls["answered"],
            note=_refused(calls["refused"]),
        ),
        Stat(
            id="stat-workers",
            label=_("Media workers connected"),
            value=_("%(some)d of %(all)d") % {"some": workers["here"], "all": workers["all"]},
        ),
        Stat(
            id="stat-tenants",
            label=_("Tenants"),
            value=tenants["all"],
            note=_switched_off(tenants["off"]),
        ),
    ]


def _refused(count: int) -> str:
    text = ngettext("%(count)d refused", "%(count)d refused", count)
    return text % {"count": count} if count else ""


def _switched_off(count: int) -> str:
    text = ngettext("%(count)d switched off", "%(count)d switched off", count)
    return text % {"count": count} if count else ""


def calls_today() -> dict[str, int]:
    """How many calls were answered, refused, and refused because the workers were full.

    Today begins at midnight on the reader's clock.
    """
    today = timezone.localtime().replace(hour=0, minute=0, second=0, microsecond=0)
    return Call.all_tenants.filter(started_at__gte=today).aggregate(
        answered=Count("pk", filter=Q(answered_at__isnull=False)),
        refused=Count("pk", filter=Q(state=CallState.REFUSED)),
        full=Count("pk", filter=Q(refusal_reason=RefusalReason.WORKER_FULL)),
    )


def attention(calls: dict[str, int]) -> list[Attention]:
    """What needs the operator now, the worst first; `calls` are today's."""
    workers = list(Worker.objects.filter(is_active=True))
    news = [*_worker_news(workers), *_account_news()]
    if calls["full"]:
        text = ngettext(
            "%(count)d call was refused today because its media worker was full.",
            "%(count)d calls were refused today because their media worker was full.",
            calls["full"],
        )
        news.append(Attention(text % {"count": calls["full"]}))
    return news


def _worker_news(workers: list[Worker]) -> list[Attention]:
    connected = [worker for worker in workers if worker.connected]
    if not connected:
        text = _("No media worker is connected: nobody answers the phone.")
        return [Attention(text, _("Each tenant sees this too."), "bad")]
    news = [
        Attention(_("The media worker “%(name)s” is not connected.") % {"name": worker.name})
        for worker in workers
        if not worker.connected and worker.last_seen_at
    ]
    for worker in connected:
        if worker.capacity and worker.active_calls >= NEARLY_FULL * worker.capacity:
            numbers = {"calls": worker.active_calls, "capacity": worker.capacity}
            text = _("“%(name)s” is nearly full: %(calls)d of %(capacity)d calls.")
            news.append(Attention(text % {"name": worker.name, **numbers}))
        if worker.set_aside_records:
            text = ngettext(
                "“%(name)s” reported %(count)d event that could not be stored.",
                "“%(name)s” reported %(count)d events that could not be stored.",
                worker.set_aside_records,
            )
            small = _("It is kept among all records, under the records set aside.")
            known = {"name": worker.name, "count": worker.set_aside_records}
            news.append(Attention(text % known, small))
    return news


def _account_news() -> list[Attention]:
    """Accounts that the operator gives to everybody."""
    failed = ProviderAccount.all_tenants.filter(tenant=None, check_state=CheckState.FAILED)
    return [
        Attention(
            _("The check of the platform's account “%(name)s” failed.") % {"name": account.name},
            account.check_message,
            "bad",
        )
        for account in failed
    ]


@console_page
def overview(request: ConsoleRequest) -> HttpResponse:
    """The busiest tenants first; of calls only how many there are."""
    open_calls = Count("calls", filter=Q(calls__state__in=OPEN_STATES))
    tenants = Tenant.objects.annotate(open_calls=open_calls).order_by("-open_calls", "name")
    workers = Worker.objects.order_by("-connected", F("active_calls").desc(), "name")
    calls = calls_today()
    context = {
        "stats": stats(calls),
        "attention": attention(calls),
        "tenants": tenants[:SHOWN],
        "workers": workers[:SHOWN],
    }
    return render_page(request, "console/overview.html", context, here="overview")
