"""Letting the operator's support in, for a time, and sending it out again."""

from __future__ import annotations

from typing import Final
from uuid import UUID

from django import forms
from django.contrib import messages
from django.core.exceptions import ValidationError
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_POST

from tenants.models import SupportGrant
from tenants.models.choices import SupportRole
from tenants.portal.access import TenantRequest, tenant_page
from tenants.portal.forms import take_errors
from tenants.portal.frame import page_url
from tenants.portal.settings_frame import render_settings
from tenants.services import support as service

SPANS: Final = (
    ("1", gettext_lazy("1 hour")),
    ("4", gettext_lazy("4 hours")),
    ("24", gettext_lazy("1 day")),
    ("72", gettext_lazy("3 days")),
    ("168", gettext_lazy("7 days")),
)


class GrantForm(forms.Form):
    hours = forms.ChoiceField(label=gettext_lazy("For"), choices=SPANS, initial="4")
    role = forms.ChoiceField(label=gettext_lazy("They may"), choices=SupportRole.choices)
    reason = forms.CharField(
        label=gettext_lazy("What for"),
        max_length=300,
        required=False,
        help_text=gettext_lazy("Support reads it: “The agent does not answer on 100.”"),
    )


@tenant_page("recall", post="own")
def support(request: TenantRequest) -> HttpResponse:
    form = GrantForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            service.grant(
                tenant=request.tenant,
                user=request.user,
                hours=int(form.cleaned_data["hours"]),
                role=form.cleaned_data["role"],
                reason=form.cleaned_data["reason"],
            )
        except ValidationError as error:
            take_errors(form, error)
        else:
            messages.success(request, _("Your operator's support may come in from now on."))
            return redirect(page_url("support", request))
    now = timezone.now()
    rows = [
        {
            "grant": grant,
            "holds": grant.holds_at(now),
            "revoke": page_url("support_revoke", request, grant_id=grant.public_id),
        }
        for grant in SupportGrant.objects.select_related("granted_by")[:50]
    ]
    return render_settings(
        request, "portal/support.html", {"form": form, "grants": rows}, page="support"
    )


@require_POST
@tenant_page("recall")
def support_revoke(request: TenantRequest, grant_id: UUID) -> HttpResponse:
    found = get_object_or_404(SupportGrant.objects.select_related("tenant"), public_id=grant_id)
    service.revoke(grant=found, user=request.user)
    messages.success(request, _("Support access has ended."))
    return redirect(page_url("support", request))
