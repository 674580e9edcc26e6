"""Overview: the numbers of now over all tenants, what needs the operator, workers, tenants."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from django.db.models import Count, OuterRef, Q, Subquery
from django.db.models.functions import Coalesce
from django.http import HttpResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from tenants.console.access import ConsoleRequest, console_page
from tenants.console.frame import calls_running, render_page
from tenants.console.jobs import are_silent, failed_today
from tenants.console.workers import worker_view
from tenants.models import Call, ProviderAccount, Tenant, Worker
from tenants.models.call import OPEN_STATES
from tenants.models.choices import CallState, CheckState, RefusalReason
from tenants.services import catalogue

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
    button: str = ""
    url: str = ""


def stats(calls: dict[str, int], workers: list[Worker]) -> list[Stat]:
    """The numbers of the installation; `calls` are today's, `workers` all that are switched on."""
    connected = [worker for worker in workers if worker.connected]
    capacity = sum(worker.capacity for worker in connected)
    tenants = Tenant.objects.aggregate(all=Count("pk"), off=Count("pk", filter=Q(is_active=False)))
    return [
        Stat(
            id="stat-running",
            label=_("Calls running"),
            value=calls_running(),
            note=_("of %(count)d that the workers take") % {"count": capacity},
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
            value=_("%(some)d of %(all)d") % {"some": len(connected), "all": len(workers)},
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


def attention(calls: dict[str, int], workers: list[Worker]) -> list[Attention]:
    """What needs the operator now, the worst first; the same calls and workers."""
    news = [*_worker_news(workers), *_jobs_news(), *_account_news(), *_model_news()]
    if calls["full"]:
        text = ngettext(
            "%(count)d call was refused today because its media worker was full.",
            "%(count)d calls were refused today because their media worker was full.",
            calls["full"],
        )
        url = reverse("console:calls") + "?outcome=refused"
        news.append(Attention(text % {"count": calls["full"]}, button=_("See calls"), url=url))
    return news


def _worker_news(workers: list[Worker]) -> list[Attention]:
    connected = [worker for worker in workers if worker.connected]
    if not connected:
        text = _("No media worker is connected: nobody answers the phone.")
        return [Attention(text, _("Each tenant sees this too."), "bad")]
    news = [
        _of_worker(worker, _("The media worker “%(name)s” is not connected."))
        for worker in workers
        if not worker.connected and worker.last_seen_at
    ]
    for worker in connected:
        if worker.capacity and worker.active_calls >= NEARLY_FULL * worker.capacity:
            text = _("“%(name)s” is nearly full: %(calls)d of %(capacity)d calls.")
            news.append(_of_worker(worker, text))
        if worker.set_aside_records:
            text = ngettext(
                "“%(name)s” reported %(count)d event that could not be stored.",
                "“%(name)s” reported %(count)d events that could not be stored.",
                worker.set_aside_records,
            )
            small = _("It is kept among all records, under the records set aside.")
            news.append(_of_worker(worker, text, small))
    return news


def _of_worker(worker: Worker, text: str, small: str = "") -> Attention:
    """`text` names the worker and its numbers."""
    known = {
        "name": worker.name,
        "calls": worker.active_calls,
        "capacity": worker.capacity,
        "count": worker.set_aside_records,
    }
    url = reverse("console:worker", kwargs={"worker_id": worker.public_id})
    return Attention(text % known, small, button=_("See worker"), url=url)


def _jobs_news() -> list[Attention]:
    """The jobs process is silent, or jobs failed and were not run again."""
    button, url = _("See jobs"), reverse("console:jobs")
    news = []
    if are_silent():
        text = _("The jobs process has not been heard of: nothing is cleaned up or counted.")
        news.append(Attention(text, tone="bad", button=button, url=url))
    failed = failed_today().filter(retried_at=None).count()
    if failed:
        text = ngettext("%(count)d job failed today.", "%(count)d jobs failed today.", failed)
        news.append(Attention(text % {"count": failed}, button=button, url=url))
    return news


def _account_news() -> list[Attention]:
    """Accounts that the operator gives to everybody."""
    failed = ProviderAccount.all_tenants.filter(tenant=None, check_state=CheckState.FAILED)
    return [
        Attention(
            _("The check of the platform's account “%(name)s” failed.") % {"name": account.name},
            account.check_message,
            "bad",
            _("See account"),
            reverse("console:account", args=[account.public_id]),
        )
        for account in failed
    ]


def _model_news() -> list[Attention]:
    """Agents of any tenant whose model is shut down, or soon will be."""
    uses = catalogue.warnings()
    over = sum(use.is_over for use in uses)
    gone = ngettext(
        "%(count)d agent uses a model that its provider has shut down.",
        "%(count)d agents use a model that its provider has shut down.",
        over,
    )
    soon = ngettext(
        "%(count)d agent uses a model that its provider will soon shut down.",
        "%(count)d agents use a model that its provider will soon shut down.",
        len(uses) - over,
    )
    button, url = _("See models"), reverse("console:models")
    return [
        Attention(text % {"count": count}, tone=tone, button=button, url=url)
        for text, count, tone in ((gone, over, "bad"), (soon, len(uses) - over, "warn"))
        if count
    ]


@console_page
def overview(request: ConsoleRequest) -> HttpResponse:
    """The busiest tenants first; of calls only how many there are."""
    # A join would count all the calls that there ever were.
    own = Call.all_tenants.filter(tenant=OuterRef("pk"), state__in=OPEN_STATES).order_by()
    open_calls = Subquery(own.values("tenant").annotate(n=Count("pk")).values("n"))
    tenants = Tenant.objects.annotate(open_calls=Coalesce(open_calls, 0))
    tenants = tenants.order_by("-open_calls", "name")
    workers = list(Worker.objects.order_by("-connected", "-active_calls", "name"))
    active = [worker for worker in workers if worker.is_active]
    calls = calls_today()
    context = {
        "stats": stats(calls, active),
        "attention": attention(calls, active),
        "tenants": tenants[:SHOWN],
        "workers": [worker_view(worker) for worker in workers[:SHOWN]],
    }
    return render_page(request, "console/overview.html", context, here="overview")
