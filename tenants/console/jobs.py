"""The jobs process: whether it works, what waits, what failed and may be run once more."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.db.models import QuerySet
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from tenants.console.access import ConsoleRequest, console_page
from tenants.console.frame import render_page
from tenants.models import JobFailure
from tenants.services import jobs as service

SHOWN: Final = 100
SILENT: Final = timedelta(seconds=30)


def are_silent() -> bool:
    """The jobs process has not been heard of for too long."""
    seen = service.seen_at()
    return seen is None or timezone.now() - seen > SILENT


def failed_today() -> QuerySet[JobFailure]:
    """Within a day."""
    return JobFailure.objects.filter(at__gte=timezone.now() - timedelta(days=1))


@console_page
def jobs(request: ConsoleRequest) -> HttpResponse:
    context = {
        "waiting": service.waiting(),
        "seen_at": service.seen_at(),
        "are_silent": are_silent(),
        "failures": JobFailure.objects.all()[:SHOWN],
        "failed_today": failed_today().count(),
    }
    return render_page(request, "console/jobs.html", context, here="jobs")


@console_page
@require_POST
def job_retry(request: ConsoleRequest, failure_id: int) -> HttpResponse:
    failure = get_object_or_404(JobFailure, pk=failure_id)
    try:
        service.retry(failure=failure, user=request.user)
    except ValidationError as error:
        messages.warning(request, " ".join(error.messages))
    else:
        messages.success(request, _("The job is run once more."))
    return redirect("console:jobs")
