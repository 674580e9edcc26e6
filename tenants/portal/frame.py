"""What stands around every page: where one is, where one can go, the calls running now."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from django.http import HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import get_language, gettext_lazy
from django.utils.translation import gettext as _

from tenants.access import IDENTITY_KEY, may, memberships
from tenants.frame import THEME_COOKIE, Frame, MenuLink, RailEntry, RailItem
from tenants.live.paths import socket_path
from tenants.models import Call, SupportGrant, Tenant
from tenants.portal.access import TenantRequest
from tenants.portal.words import RUNNING_STATES
from tenants.services import support

RAIL: Final = (
    RailEntry("start", "home", gettext_lazy("Start")),
    RailEntry("live", "activity", gettext_lazy("Live")),
    RailEntry("calls", "phone", gettext_lazy("Calls")),
    RailEntry("agents", "robot", gettext_lazy("Agents")),
    RailEntry("numbers", "hash", gettext_lazy("Numbers")),
    RailEntry("usage", "chart-bar", gettext_lazy("Usage")),
    RailEntry("settings", "settings", gettext_lazy("Settings")),
)
"""A page gets its line here; on phones the first four stand in the bar, the rest behind “More”."""


@dataclass(frozen=True)
class OtherTenant:
    name: str
    url: str


@dataclass(frozen=True, kw_only=True)
class PortalFrame(Frame):
    """Context of templates/portal/base.html."""

    tenant: Tenant
    may_edit: bool
    may_manage: bool
    may_own: bool
    others: tuple[OtherTenant, ...]
    support: SupportGrant | None
    """The grant by which one of the operator's people is here."""
    granted: SupportGrant | None
    """What the tenant's own people are told of: a grant that lets the operator's people in now."""


def calls_running() -> int:
    """How many calls of the tenant in scope ring or run."""
    return int(Call.objects.filter(state__in=RUNNING_STATES).count())


def page_url(name: str, request: TenantRequest, **arguments: Any) -> str:
    return reverse(f"portal:{name}", kwargs={"slug": request.tenant.slug, **arguments})


def feed_address(request: TenantRequest, call: Call | None = None, page: str = "") -> str:
    """Address of the page's live feed; it answers in the language that the page is in."""
    parts = ["t", request.tenant.slug, "calls", *([call.public_id] if call else [])]
    return socket_path(*parts, lang=get_language() or "", page=page)


def render_page(
    request: TenantRequest,
    template: str,
    context: dict[str, Any],
    *,
    here: str,
    feed: str = "",
    status: int = 200,
    running: int | None = None,
) -> HttpResponse:
    """Render a page of the portal in its frame; `here` is its place in the rail; `running`: calls
    now, if the page has counted them.
    """
    frame = PortalFrame(
        tenant=request.tenant,
        person=request.user,
        role=request.member.get_role_display(),
        may_edit=may(request.member, "edit"),
        may_manage=may(request.member, "manage"),
        may_own=may(request.member, "own"),
        items=tuple(
            RailItem(page_url(entry.page, request), entry.icon, entry.label, entry.page == here)
            for entry in RAIL
        ),
        links=_links(request),
        others=_others(request),
        running=calls_running() if running is None else running,
        home=page_url("start", request),
        live=page_url("live", request),
        feed=feed or feed_address(request),
        theme=request.COOKIES.get(THEME_COOKIE, ""),
        support=request.member.support,
        granted=None if request.member.support else support.open_grant(request.tenant),
    )
    return render(request, template, {"frame": frame, **context}, status=status)


def _links(request: TenantRequest) -> tuple[MenuLink, ...]:
    """Where else this person may go."""
    if not request.user.is_staff:
        return ()
    return (MenuLink(reverse("console:overview"), "server", _("Console")),)


def _others(request: TenantRequest) -> tuple[OtherTenant, ...]:
    if not request.member.is_elsewhere:
        return ()
    found = memberships(request.user, only=request.session.get(IDENTITY_KEY))
    return tuple(
        OtherTenant(
            member.tenant.name, reverse("portal:start", kwargs={"slug": member.tenant.slug})
        )
        for member in found.exclude(tenant=request.tenant).order_by("tenant__name")
    )
