"""Changing a provider account's key while calls go on: the next key, its check, the change."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django import forms
from django.contrib import messages
from django.core.exceptions import ValidationError
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.debug import sensitive_post_parameters

from tenants.models import Call, ProviderAccount
from tenants.models.choices import CheckState
from tenants.portal.access import TenantRequest, tenant_page
from tenants.portal.accounts import find_account
from tenants.portal.forms import take_errors
from tenants.portal.frame import page_url
from tenants.portal.settings_frame import render_settings
from tenants.portal.words import RUNNING_STATES, Badge
from tenants.services import rotation


class NextKeyForm(forms.Form):
    next_secret = forms.CharField(
        label=gettext_lazy("Next key"),
        max_length=4096,
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password", "spellcheck": "false"}),
        help_text=gettext_lazy(
            "Make it at your provider and leave the old one valid there until the calls that run"
            " have ended."
        ),
    )


@sensitive_post_parameters("next_secret")
@tenant_page("manage")
def account_rotate(request: TenantRequest, account_id: UUID) -> HttpResponse:
    """GET shows how far it is (htmx: the part alone); POST does the step that `do` names."""
    found = find_account(account_id)
    form = NextKeyForm(request.POST if request.POST.get("do") == "begin" else None)
    if request.method == "POST":
        answer = _step(request, found, form)
        if answer is not None:
            return answer
    context = _context(request, find_account(account_id))
    if request.method == "GET" and request.headers.get("HX-Request"):
        return render(request, "components/next_key.html", context)
    return render_settings(
        request, "portal/account_rotate.html", {**context, "form": form}, page="accounts"
    )


def _step(request: TenantRequest, found: ProviderAccount, form: NextKeyForm) -> HttpResponse | None:
    """Do what was asked for; None: the form has to be shown again."""
    here = redirect(page_url("account_rotate", request, account_id=found.public_id))
    step = request.POST.get("do")
    if step == "begin":
        if not form.is_valid():
            return None
        try:
            rotation.begin(
                account=found, secret=form.cleaned_data["next_secret"], user=request.user
            )
        except ValidationError as error:
            take_errors(form, error)
            return None
    elif step == "check":
        rotation.request_check(account=found)
    elif step == "cancel":
        rotation.cancel(account=found, user=request.user)
    elif step == "change":
        try:
            rotation.change_over(account=found, user=request.user)
        except rotation.NotChecked as error:
            messages.error(request, " ".join(error.messages))
            return here
        messages.success(request, _("New calls use the next key from now on."))
        return redirect(page_url("account", request, account_id=found.public_id))
    return here


def _context(request: TenantRequest, account: ProviderAccount) -> dict[str, Any]:
    state, message = account.next_check_state, account.next_check_message
    if rotation.is_overdue(account):
        state, message = CheckState.FAILED, _("The media worker did not answer in time.")
    badges = {
        CheckState.PENDING: Badge(_("Being checked"), "live", "pending"),
        CheckState.OK: Badge(_("Works"), "good", "ok"),
        CheckState.FAILED: Badge(_("Failed"), "bad", "failed"),
    }
    return {
        "account": account,
        "state": state,
        "message": message,
        "badge": badges.get(CheckState(state)),
        "url": page_url("account_rotate", request, account_id=account.public_id),
        "running": Call.objects.filter(account=account, state__in=RUNNING_STATES).count(),
    }
