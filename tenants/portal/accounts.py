"""Provider accounts: address and key at an AI provider, and whether the key works.

A key goes in and never comes out: pages show its last four characters and its fingerprint.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import UUID

from django import forms
from django.contrib import messages
from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import RestrictedError
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_POST

from tenants.access import may
from tenants.models import ProviderAccount, User
from tenants.models.choices import CheckState
from tenants.portal import words
from tenants.portal.access import TenantRequest, tenant_page
from tenants.portal.first_steps import next_step
from tenants.portal.forms import take_errors
from tenants.portal.frame import page_url, render_page
from tenants.portal.settings_frame import render_settings
from tenants.services import accounts as service
from tenants.services.effective import platform_settings, tenant_settings
from tenants.services.tenant_settings import speak_with

ADDRESSES = (
    "wss://api.openai.com/v1/realtime",
    "wss://RESOURCE.openai.azure.com/openai/v1/realtime",
    "wss://api.x.ai/v1/realtime",
)
"""Offered for the address, never required."""


class AccountForm(forms.ModelForm):  # type: ignore[type-arg]
    secret = forms.CharField(
        required=False,
        max_length=4096,
        label=gettext_lazy("Key"),
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password", "spellcheck": "false"}),
    )

    for_all = forms.BooleanField(
        required=False,
        label=gettext_lazy("All agents speak with it, unless one has an account of its own"),
    )

    class Meta:
        model = ProviderAccount
        fields = ("name", "url", "auth")
        labels = {
            "name": gettext_lazy("Name"),
            "url": gettext_lazy("Address"),
            "auth": gettext_lazy("How the key is sent"),
        }
        help_texts = {
            "name": gettext_lazy("For you and your colleagues: “Main account”."),
            "url": gettext_lazy(
                "WebSocket address of the provider's realtime API, without the model."
            ),
        }

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._offer_for_all()
        self.fields["url"].widget.attrs["list"] = "id_url_list"
        self.fields["url"].suggestions = ADDRESSES  # type: ignore[attr-defined]
        if self.instance.secret:
            self.fields["secret"].help_text = _("Leave it empty to keep the key that is stored.")
        else:
            self.fields["secret"].help_text = _(
                "It is encrypted at once and never shown again. Only a call that needs it gets it."
            )

    def _offer_for_all(self) -> None:
        """Asked once, when the account is new; later it is a setting like any other."""
        tenant = self.instance.tenant
        if self.instance.pk or tenant is None or _is_locked():
            del self.fields["for_all"]
        else:
            self.initial["for_all"] = tenant_settings(tenant).provider_account is None


def _is_locked() -> bool:
    """Whether the operator chooses whose account everybody speaks with."""
    return "provider_account" in platform_settings().locked


def find_account(account_id: UUID) -> ProviderAccount:
    """An account of the tenant in scope, else 404: the operator's own cannot be opened here."""
    return get_object_or_404(ProviderAccount.objects.select_related("tenant"), public_id=account_id)


def _is_overdue(account: ProviderAccount) -> bool:
    since = account.check_requested_at
    return (
        account.check_state == CheckState.PENDING
        and since is not None
        and timezone.now() - since > timedelta(seconds=service.CHECK_SECONDS)
    )


def check_view(account: ProviderAccount) -> dict[str, Any]:
    """What is known of the key, in words; context of components/account_check.html."""
    if _is_overdue(account):
        # The jobs will say so in the row; a page must not wait for them.
        account.check_state = CheckState.FAILED
        account.check_message = _("The media worker did not answer in time.")
    failed = account.check_state == CheckState.FAILED
    text = remedy = small = ""
    if failed and account.check_kind:
        text = words.problem_sentence(account.check_kind)
        remedy = words.remedy_sentence(account.check_kind)
        small = account.check_message
    elif failed:
        text = account.check_message
    elif account.check_state == CheckState.OK:
        text = _("The key works: the provider opened a session and took the settings.")
        small = account.check_message
    return {
        "account": account,
        "badge": words.check_badge(account),
        "is_pending": account.check_state == CheckState.PENDING,
        "has_key": bool(account.secret),
        "tone": "bad" if failed else "good",
        "text": text,
        "remedy": remedy,
        "small": small,
    }


@tenant_page()
def accounts(request: TenantRequest) -> HttpResponse:
    rows = [
        {
            "account": account,
            "url": page_url("account", request, account_id=account.public_id)
            if account.tenant_id
            else "",
            "badge": words.check_badge(account),
            "problem": words.problem_sentence(account.last_problem_kind)
            if account.last_problem_kind
            else "",
        }
        for account in service.offered_accounts(request.tenant)
    ]
    return render_settings(request, "portal/accounts.html", {"accounts": rows}, page="accounts")


@tenant_page("manage")
def account_new(request: TenantRequest) -> HttpResponse:
    form = AccountForm(request.POST or None, instance=ProviderAccount(tenant=request.tenant))
    return _form_page(request, form)


@tenant_page(post="manage")
def account(request: TenantRequest, account_id: UUID) -> HttpResponse:
    found = find_account(account_id)
    return _form_page(request, AccountForm(request.POST or None, instance=found), found)


def _form_page(
    request: TenantRequest, form: AccountForm, found: ProviderAccount | None = None
) -> HttpResponse:
    if request.method == "POST" and form.is_valid():
        try:
            saved = _save(form, request.user)
        except ValidationError as error:
            take_errors(form, error)
        else:
            messages.success(request, _("“%(name)s” is saved.") % {"name": saved.name})
            return redirect(page_url("account", request, account_id=saved.public_id))
    stored = find_account(found.public_id) if found else None
    context = {
        "form": form,
        "account": stored,
        "check": check_view(stored) if stored else None,
        "problem": words.problem_sentence(stored.last_problem_kind)
        if stored and stored.last_problem_kind
        else "",
        "remedy": words.remedy_sentence(stored.last_problem_kind) if stored else "",
        "next_step": next_step(request.tenant, request.member)
        if stored and stored.secret
        else None,
    }
    return render_page(request, "portal/account.html", context, here="settings")


def _save(form: AccountForm, user: User) -> ProviderAccount:
    """Save the account, and have a key that was given tried at once. Raises ValidationError."""
    secret = form.cleaned_data["secret"]
    with transaction.atomic():
        saved = service.save_account(account=form.instance, user=user, secret=secret)
        if form.cleaned_data.get("for_all"):
            speak_with(account=saved, user=user)
        return service.request_check(saved, user=user) if secret else saved


@tenant_page(post="manage")
def account_check(request: TenantRequest, account_id: UUID) -> HttpResponse:
    """POST asks for a check, GET is the page's poll; both give the part that shows it."""
    found = find_account(account_id)
    if request.method == "POST" and found.secret:
        service.request_check(found, user=request.user)
    if not request.headers.get("HX-Request"):
        return redirect(page_url("account", request, account_id=found.public_id))
    context = {
        "check": check_view(found),
        "check_url": request.path,
        "may_manage": may(request.member, "manage"),
    }
    return render(request, "components/account_check.html", context)


@require_POST
@tenant_page("manage")
def account_delete(request: TenantRequest, account_id: UUID) -> HttpResponse:
    found = find_account(account_id)
    try:
        service.delete_account(account=found, user=request.user)
    except RestrictedError:
        text = _("“%(name)s” stays: an agent, a published revision or the settings use it.")
        messages.error(request, text % {"name": found.name})
        return redirect(page_url("account", request, account_id=found.public_id))
    messages.success(request, _("“%(name)s” and its key were removed.") % {"name": found.name})
    return redirect(page_url("accounts", request))
