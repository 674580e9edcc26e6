"""Search in what was said in all calls: the newest hits first, each with its sentence."""

from __future__ import annotations

from django.http import HttpResponse

from tenants.portal.access import TenantRequest, tenant_page
from tenants.portal.call_filter import CallFilter
from tenants.portal.calls import found_rows, page_of
from tenants.portal.frame import page_url, render_page
from tenants.services.calls_list import Page


@tenant_page()
def search(request: TenantRequest) -> HttpResponse:
    form = CallFilter(request.GET)
    text = form.cleaned_data.get("q", "").strip()
    found = page_of(request, form) if text else Page(rows=[], older="", newer="")
    context = {
        "filter": form,
        "text": text,
        "page": found,
        "calls": found_rows(found.rows, text, request.tenant.slug),
        "calls_url": page_url("calls", request),
    }
    return render_page(request, "portal/search.html", context, here="calls")
