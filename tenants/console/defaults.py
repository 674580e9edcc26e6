"""Defaults: what holds for everybody, what nobody may override, and who would change."""

from __future__ import annotations

from typing import Any, Final

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.core.paginator import Paginator
from django.db import transaction
from django.http import HttpResponse
from django.shortcuts import redirect
from django.utils.translation import gettext as _

from tenants.console.access import ConsoleRequest, console_page
from tenants.console.defaults_form import (
    EXPLORED,
    LockForm,
    PlatformSettingsForm,
    PlatformValueForm,
)
from tenants.console.frame import render_page
from tenants.models import ProviderAccount
from tenants.portal import setting_words
from tenants.portal.forms import take_errors
from tenants.services import levels
from tenants.services.effective import Level, effective_settings, platform_settings
from tenants.services.explorer import Affected, affected_by
from tenants.services.platform import save_platform_settings
from tenants.tasks import prepare_prompts

A_PAGE: Final = 100


@console_page
def defaults(request: ConsoleRequest) -> HttpResponse:
    row = platform_settings()
    form = PlatformSettingsForm(
        request.POST or None,
        instance=row,
        tenant=None,
        effective=effective_settings(tenant=None),
    )
    locks = LockForm(request.POST or None, initial={"locked": row.locked})
    if request.method == "POST" and form.is_valid() and locks.is_valid():
        form.instance.locked = locks.cleaned_data["locked"]
        try:
            save_platform_settings(row=form.instance, user=request.user)
        except ValidationError as error:
            take_errors(form, error)
        else:
            # Robust: without a broker the hourly job does it, and calls order what they miss.
            transaction.on_commit(prepare_prompts.delay, robust=True)
            messages.success(request, _("The defaults are saved. New calls have them at once."))
            return redirect("console:defaults")
    context = {
        "form": form,
        "locks": locks,
        "tabs": [
            *(
                {"id": key, "label": label, "problem": form.is_bound and form.has_problem_in(key)}
                for key, label in _sections()
            ),
            {"id": "locks", "label": _("Locks"), "problem": bool(form.is_bound and locks.errors)},
        ],
    }
    return render_page(request, "console/defaults.html", context, here="defaults")


def _sections() -> list[tuple[str, str]]:
    return [
        ("prompt", _("Prompt")),
        ("voice", _("Voice and model")),
        ("turns", _("Turn-taking")),
        ("words", _("Greetings")),
        ("advanced", _("Advanced")),
    ]


@console_page
def explorer(request: ConsoleRequest) -> HttpResponse:
    """Who would change; with nothing asked, who has what."""
    name = request.GET.get("name", "model")
    name = name if name in EXPLORED else "model"
    form = PlatformValueForm(request.GET if "name" in request.GET else None, setting=name)
    asked = form.asked() if form.is_bound and form.is_valid() else {}
    found = affected_by(name=name, **asked)
    changed = [row for row in found if row.changes]
    shown = changed if asked else found
    page = Paginator(shown, A_PAGE).get_page(request.GET.get("page"))
    shows = _shows(name)
    context = {
        "form": form,
        "asked": bool(asked),
        "changed": len(changed),
        "all": len(found),
        "page": page,
        "rows": [_row(row, shows, is_own=name == "instructions") for row in page],
        "default": shows(levels.default_of(platform_settings(), name)),
        "label": setting_words.LABELS[name],
    }
    return render_page(request, "console/explorer.html", context, here="defaults")


def _shows(name: str) -> Any:
    """A function that says a value of the setting in words; of an account its name."""
    if name != "provider_account":
        return lambda value: setting_words.short(name, value)
    names = dict(ProviderAccount.all_tenants.values_list("pk", "name"))
    return lambda value: names.get(value, _("none"))


def _row(row: Affected, shows: Any, *, is_own: bool) -> dict[str, Any]:
    """`is_own`: what a tenant and its agents say is for them alone; only the default is shown."""

    def told(value: Any, level: Level) -> Any:
        return _("words of its own") if is_own and level != "platform" else shows(value)

    return {
        "holder": row.holder,
        "now": told(row.now, row.level),
        "level": row.level,
        "then": told(row.then, row.then_level),
        "then_level": row.then_level,
        "changes": row.changes,
    }
