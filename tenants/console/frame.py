"""What stands around every page of the console."""

from __future__ import annotations

from typing import Any, Final

from django.http import HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from tenants.console.access import ConsoleRequest
from tenants.frame import THEME_COOKIE, Frame, MenuLink, RailEntry, RailItem
from tenants.models import Call, Member
from tenants.models.call import OPEN_STATES

RAIL: Final = (
    RailEntry("overview", "home", gettext_lazy("Overview")),
    RailEntry("tenants", "building", gettext_lazy("Tenants")),
    RailEntry("calls", "phone", gettext_lazy("Calls")),
    RailEntry("workers", "server", gettext_lazy("Workers")),
    RailEntry("models", "coin", gettext_lazy("Models and prices")),
    RailEntry("accounts", "key", gettext_lazy("Provider accounts")),
    RailEntry("defaults", "adjustments", gettext_lazy("Defaults")),
    RailEntry("jobs", "history", gettext_lazy("Jobs")),
    RailEntry("health", "activity", gettext_lazy("Health")),
    RailEntry("support", "lifebuoy", gettext_lazy("Support")),
    RailEntry("audit", "clipboard-list", gettext_lazy("Audit")),
)


def calls_running() -> int:
    """How many calls of all tenants ring or run."""
    return int(Call.all_tenants.filter(state__in=OPEN_STATES).count())


def render_page(
    request: ConsoleRequest,
    template: str,
    context: dict[str, Any],
    *,
    here: str,
    feed: str = "",
    status: int = 200,
) -> HttpResponse:
    """Render a page of the console in its frame; `here` is its place in the rail."""
    frame = Frame(
        person=request.user,
        role=_("Operator"),
        items=tuple(
            RailItem(reverse(f"console:{entry.page}"), entry.icon, entry.label, entry.page == here)
            for entry in RAIL
        ),
        links=_links(request),
        running=calls_running(),
        home=reverse("console:overview"),
        live=reverse("console:calls"),
        feed=feed,
        theme=request.COOKIES.get(THEME_COOKIE, ""),
    )
    return render(request, template, {"frame": frame, **context}, status=status)


def _links(request: ConsoleRequest) -> tuple[MenuLink, ...]:
    """Where else this person may go."""
    links = []
    if request.user.is_superuser:
        links.append(MenuLink(reverse("admin:index"), "database", _("All records")))
    if Member.all_tenants.filter(user=request.user).exists():
        links.append(MenuLink(reverse("portal:home"), "phone", _("Portal")))
    return tuple(links)
