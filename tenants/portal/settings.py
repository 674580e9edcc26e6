"""The tenant's settings: what holds for all its agents unless one says otherwise."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.http import HttpResponse
from django.shortcuts import redirect
from django.utils.translation import gettext as _

from tenants.access import may
from tenants.portal.access import TenantRequest, tenant_page
from tenants.portal.forms import take_errors
from tenants.portal.frame import page_url
from tenants.portal.settings_form import TenantSettingsForm
from tenants.portal.settings_frame import render_settings
from tenants.services.effective import effective_settings, tenant_settings
from tenants.services.tenant_settings import save_tenant_settings


def _tabs(form: TenantSettingsForm) -> list[dict[str, Any]]:
    tabs = [
        ("prompt", _("Prompt")),
        ("voice", _("Voice and model")),
        ("turns", _("Turn-taking")),
        ("words", _("Greetings")),
        ("advanced", _("Advanced")),
    ]
    return [
        {"id": key, "label": label, "problem": form.is_bound and form.has_problem_in(key)}
        for key, label in tabs
    ]


@tenant_page(post="manage")
def settings(request: TenantRequest) -> HttpResponse:
    row = tenant_settings(request.tenant)
    form = TenantSettingsForm(
        request.POST or None,
        instance=row,
        tenant=request.tenant,
        effective=effective_settings(tenant=request.tenant),
        read_only=not may(request.member, "manage"),
    )
    if request.method == "POST" and form.is_valid():
        try:
            save_tenant_settings(row=form.instance, user=request.user)
        except ValidationError as error:
            take_errors(form, error)
        else:
            messages.success(request, _("The settings are saved. New calls have them at once."))
            return redirect(page_url("settings", request))
    context = {"form": form, "tabs": _tabs(form)}
    return render_settings(request, "portal/settings.html", context, page="settings")
