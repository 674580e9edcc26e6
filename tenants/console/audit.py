"""The audit log of all tenants and of the installation itself."""

from __future__ import annotations

from django.http import HttpResponse

from tenants.console.access import ConsoleRequest, console_page
from tenants.console.frame import render_page
from tenants.portal.audit import audit_context


@console_page
def audit(request: ConsoleRequest) -> HttpResponse:
    context = {**audit_context(request, None), "with_tenant": True}
    return render_page(request, "console/audit.html", context, here="audit")
