"""Media workers: what each is and does now; have one take no new call, or take calls again."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.utils.formats import number_format
from django.utils.html import format_html_join
from django.utils.translation import get_language
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from media_worker import contract
from tenants.console.access import ConsoleRequest, console_page
from tenants.console.frame import render_page
from tenants.live.paths import socket_path
from tenants.models import Call, Worker
from tenants.models.call import OPEN_STATES
from tenants.portal.words import Badge
from tenants.services import commands

Fact = tuple[str, Any, str]
"""Name, value, and a smaller line; see templates/components/facts.html."""
SHOWN: Final = 200
MEGABYTE: Final = 1024 * 1024


@dataclass(frozen=True)
class WorkerView:
    """A worker as templates/components/worker_row.html and its page show it."""

    worker: Worker
    badge: Badge

    @property
    def calls_text(self) -> str:
        return _("%(calls)d of %(capacity)d") % {
            "calls": self.worker.active_calls,
            "capacity": self.worker.capacity,
        }

    @property
    def cpu_text(self) -> str:
        return f"{round(self.worker.cpu_percent)} %"

    @property
    def memory_text(self) -> str:
        return f"{round(self.worker.memory_bytes / MEGABYTE)} MB"


def worker_view(worker: Worker) -> WorkerView:
    return WorkerView(worker, _badge(worker))


def _badge(worker: Worker) -> Badge:
    if not worker.is_active:
        return Badge(_("Switched off"), "quiet", "off")
    if not worker.connected:
        return Badge(_("Not connected"), "bad" if worker.last_seen_at else "quiet", "lost")
    if worker.draining or worker.drain_wanted:
        is_empty = not (worker.active_calls or worker.active_browser_calls)
        text = _("Drained") if worker.draining and is_empty else _("Draining")
        return Badge(text, "warn", "draining")
    return Badge(_("Connected"), "good", "connected")


def all_workers() -> list[WorkerView]:
    found = Worker.objects.order_by("-is_active", "-connected", "name")
    return [worker_view(worker) for worker in found[:SHOWN]]


def feed_address() -> str:
    """The list's live feed; it answers in the language that the page is in."""
    return socket_path("console", "workers", lang=get_language() or "")


@console_page
def workers(request: ConsoleRequest) -> HttpResponse:
    context = {"workers": all_workers()}
    template = "console/workers.html"
    return render_page(request, template, context, here="workers", feed=feed_address())


@console_page
def worker(request: ConsoleRequest, worker_id: UUID) -> HttpResponse:
    found = get_object_or_404(Worker, public_id=worker_id)
    running = (
        Call.all_tenants.filter(worker=found, state__in=OPEN_STATES)
        .select_related("tenant")
        .order_by("started_at")
    )
    context = {
        "view": worker_view(found),
        "facts": _facts(found),
        "running": running[:SHOWN],
        "can_drain": commands.knows(found, contract.DrainWorker),
    }
    return render_page(request, "console/worker.html", context, here="workers")


def _facts(worker: Worker) -> list[Fact]:
    view = worker_view(worker)
    late = number_format(worker.late_frames, force_grouping=True)
    facts: list[Fact] = [
        (_("Host"), worker.host, ""),
        (_("Addresses"), format_html_join("", "{}<br>", _addresses(worker)), ""),
        (_("Version"), worker.version, ""),
        (_("SIP build"), worker.sip_build, ""),
        (_("Calls"), view.calls_text, ""),
        (
            _("Calls from browsers"),
            _("%(calls)d of %(capacity)d")
            % {"calls": worker.active_browser_calls, "capacity": worker.browser_capacity},
            "",
        ),
        (_("CPU"), view.cpu_text, _("of one core")),
        (_("Memory"), view.memory_text, ""),
        (_("Late frames"), late, _("since start")),
        (_("Events on their way"), worker.outbox_depth, ""),
        (_("Frames refused"), worker.rejected_frames, ""),
        (_("Events set aside"), worker.set_aside_records, ""),
    ]
    return [fact for fact in facts if fact[1] != ""]


def _addresses(worker: Worker) -> list[tuple[str]]:
    """Its SIP addresses as people read them: sip:192.0.2.1:5060;transport=udp is one of UDP."""
    found = []
    for address in worker.addresses:
        place, _sep, transport = address.partition(";transport=")
        found.append((f"{place.partition(':')[2]} {transport.upper()}".strip(),))
    return found


@console_page
@require_POST
def worker_drain(request: ConsoleRequest, worker_id: UUID) -> HttpResponse:
    """`draining` 1: take no new call; 0: take calls again."""
    found = get_object_or_404(Worker, public_id=worker_id)
    draining = request.POST.get("draining") == "1"
    commands.drain(worker=found, user=request.user, draining=draining)
    if draining:
        text = _("“%(name)s” takes no new call; those that run go on.")
    else:
        text = _("“%(name)s” takes calls again.")
    messages.success(request, text % {"name": found.name})
    return redirect("console:worker", worker_id=found.public_id)
