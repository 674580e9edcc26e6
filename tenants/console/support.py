"""The ways into tenants that let support in now; each look is in the tenant's audit log."""

from __future__ import annotations

from django.http import HttpResponse
from django.urls import reverse
from django.utils import timezone

from tenants.console.access import ConsoleRequest, console_page
from tenants.console.frame import render_page
from tenants.models import SupportGrant


@console_page
def support(request: ConsoleRequest) -> HttpResponse:
    grants = (
        SupportGrant.all_tenants.filter(revoked_at=None, expires_at__gt=timezone.now())
        .select_related("tenant", "granted_by")
        .order_by("expires_at")[:200]
    )
    rows = [
        {"grant": grant, "url": reverse("portal:start", kwargs={"slug": grant.tenant.slug})}
        for grant in grants
    ]
    return render_page(request, "console/support.html", {"grants": rows}, here="support")
