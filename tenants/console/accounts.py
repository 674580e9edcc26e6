"""The operator's own provider accounts, which every tenant's agents may speak with."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import RestrictedError
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_POST

from tenants.console.access import ConsoleRequest, console_page
from tenants.console.frame import render_page
from tenants.models import ProviderAccount, User
from tenants.portal import words
from tenants.portal.accounts import AccountForm, check_view
from tenants.portal.forms import take_errors
from tenants.services import accounts as service
from tenants.services.effective import platform_settings


def _find(account_id: UUID) -> ProviderAccount:
    """Of the platform's own, else 404: a tenant's are its own."""
    return get_object_or_404(ProviderAccount.all_tenants, tenant=None, public_id=account_id)


@console_page
def accounts(request: ConsoleRequest) -> HttpResponse:
    default = platform_settings().provider_account_id
    rows = [
        {
            "account": account,
            "badge": words.check_badge(account),
            "is_default": account.pk == default,
            "problem": words.problem_sentence(account.last_problem_kind)
            if account.last_problem_kind
            else "",
        }
        for account in ProviderAccount.all_tenants.filter(tenant=None).order_by("name")
    ]
    return render_page(request, "console/accounts.html", {"accounts": rows}, here="accounts")


@sensitive_post_parameters("secret")
@console_page
def account_new(request: ConsoleRequest) -> HttpResponse:
    return _form_page(request, AccountForm(request.POST or None, instance=ProviderAccount()), None)


@sensitive_post_parameters("secret")
@console_page
def account(request: ConsoleRequest, platform_account_id: UUID) -> HttpResponse:
    found = _find(platform_account_id)
    return _form_page(request, AccountForm(request.POST or None, instance=found), found)


def _form_page(
    request: ConsoleRequest, form: AccountForm, found: ProviderAccount | None
) -> HttpResponse:
    if request.method == "POST" and form.is_valid():
        try:
            saved = _save(form, request.user)
        except ValidationError as error:
            take_errors(form, error)
        else:
            messages.success(request, _("“%(name)s” is saved.") % {"name": saved.name})
            return redirect("console:account", platform_account_id=saved.public_id)
    # A form that was refused has changed its row: what stands above it is what is stored.
    stored = _find(found.public_id) if found else None
    context: dict[str, Any] = {"form": form, "account": stored}
    if stored:
        kind = stored.last_problem_kind
        context |= {
            "check": check_view(stored),
            "problem": words.problem_sentence(kind) if kind else "",
            "remedy": words.remedy_sentence(kind),
        }
    return render_page(request, "console/account.html", context, here="accounts")


def _save(form: AccountForm, user: User) -> ProviderAccount:
    """Save the account, and have a key that was given tried at once. Raises ValidationError."""
    secret = form.cleaned_data["secret"]
    with transaction.atomic():
        saved = service.save_account(account=form.instance, user=user, secret=secret)
        return service.request_check(saved, user=user) if secret else saved


@console_page
def account_check(request: ConsoleRequest, platform_account_id: UUID) -> HttpResponse:
    """POST asks for a check, GET is the page's poll; both give the part that shows it."""
    found = _find(platform_account_id)
    if request.method == "POST" and found.secret:
        service.request_check(found, user=request.user)
    if not request.headers.get("HX-Request"):
        return redirect("console:account", platform_account_id=found.public_id)
    context = {"check": check_view(found), "check_url": request.path, "may_manage": True}
    return render(request, "components/account_check.html", context)


@console_page
@require_POST
def account_delete(request: ConsoleRequest, platform_account_id: UUID) -> HttpResponse:
    found = _find(platform_account_id)
    try:
        service.delete_account(account=found, user=request.user)
    except RestrictedError:
        text = _("“%(name)s” stays: an agent, a published revision or the settings use it.")
        messages.error(request, text % {"name": found.name})
        return redirect("console:account", platform_account_id=found.public_id)
    messages.success(request, _("“%(name)s” and its key were removed.") % {"name": found.name})
    return redirect("console:accounts")
