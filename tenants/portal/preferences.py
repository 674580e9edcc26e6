"""The way in, and what a person chooses for themselves: language, light or dark."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.http import require_POST

from tenants.access import IDENTITY_KEY, memberships
from tenants.frame import THEME_COOKIE, THEMES
from tenants.models import User

A_YEAR = 365 * 24 * 3600


@login_required
def home(request: Any) -> HttpResponse:
    """The person's first tenant; the console for the operator's people without one."""
    member = (
        memberships(request.user, only=request.session.get(IDENTITY_KEY))
        .order_by("-tenant__is_active", "tenant__name")
        .first()
    )
    if member:
        return redirect("portal:start", slug=member.tenant.slug)
    if request.user.is_staff:
        return redirect("console:overview")
    return render(request, "portal/nowhere.html", status=404)


def _back(request: HttpRequest) -> HttpResponse:
    """To the page that asked, if it is one of ours."""
    to = request.POST.get("next", "")
    ours = url_has_allowed_host_and_scheme(
        to, allowed_hosts={request.get_host()}, require_https=request.is_secure()
    )
    return redirect(to if ours else "portal:home")


def _keep(request: HttpRequest, response: HttpResponse, name: str, value: str) -> None:
    response.set_cookie(
        name,
        value,
        max_age=A_YEAR,
        path=settings.SESSION_COOKIE_PATH,
        secure=request.is_secure(),
        httponly=True,
        samesite="Lax",
    )


@require_POST
def language(request: HttpRequest) -> HttpResponse:
    """The language of the pages before sign-in: a cookie."""
    response = _back(request)
    if (chosen := request.POST.get("language")) in dict(settings.LANGUAGES):
        _keep(request, response, settings.LANGUAGE_COOKIE_NAME, str(chosen))
    return response


@require_POST
@login_required
def preferences(request: Any) -> HttpResponse:
    """Keep the person's language with the person, and light or dark with this browser."""
    response = _back(request)
    if (chosen := request.POST.get("language")) in dict(settings.LANGUAGES):
        User.objects.filter(pk=request.user.pk).update(language=chosen)
        _keep(request, response, settings.LANGUAGE_COOKIE_NAME, chosen)
    theme = request.POST.get("theme")
    if theme in THEMES:
        _keep(request, response, THEME_COOKIE, theme)
    elif theme == "":
        response.delete_cookie(THEME_COOKIE, path=settings.SESSION_COOKIE_PATH)
    return response
