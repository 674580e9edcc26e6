"""The wall of running calls; the tenant's feed keeps it as it is."""

from __future__ import annotations

from django.http import HttpResponse

from tenants.models import Call
from tenants.portal.access import TenantRequest, tenant_page
from tenants.portal.calls import call_row, with_names
from tenants.portal.frame import render_page
from tenants.portal.words import RUNNING_STATES


@tenant_page()
def live(request: TenantRequest) -> HttpResponse:
    running = with_names(Call.objects.filter(state__in=RUNNING_STATES))
    context = {"calls": [call_row(call, request.tenant.slug) for call in running]}
    return render_page(request, "portal/live.html", context, here="live")
