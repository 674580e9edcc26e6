"""What stands around every page: where one is, where one can go, the calls running now."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from django.conf import settings
from django.http import HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.functional import Promise
from django.utils.translation import get_language, gettext_lazy

from tenants.access import may
from tenants.live.paths import socket_path
from tenants.models import Call, Member, Tenant, User
from tenants.portal.access import TenantRequest
from tenants.portal.words import RUNNING_STATES

THEME_COOKIE: Final = "pbxai_theme"
THEMES: Final = ("light", "dark")

_ITEMS: Final = (
    ("start", "home", gettext_lazy("Start")),
    ("live", "activity", gettext_lazy("Live")),
    ("calls", "phone", gettext_lazy("Calls")),
    ("agents", "robot", gettext_lazy("Agents")),
    ("numbers", "hash", gettext_lazy("Numbers")),
    ("settings", "settings", gettext_lazy("Settings")),
)


@dataclass(frozen=True)
class RailItem:
    url: str
    icon: str
    label: str | Promise
    here: bool


@dataclass(frozen=True)
class OtherTenant:
    name: str
    url: str


@dataclass(frozen=True, kw_only=True)
class Frame:
    """Context of templates/portal/base.html."""

    tenant: Tenant
    person: User
    role: str
    may_edit: bool
    may_manage: bool
    items: tuple[RailItem, ...]
    others: tuple[OtherTenant, ...]
    running: int
    home: str
    live: str
    feed: str
    theme: str
    languages: tuple[tuple[str, str, str], ...]

    @property
    def person_name(self) -> str:
        return self.person.get_full_name()

    @property
    def initials(self) -> str:
        parts = self.person_name.replace("@", " ").split()
        return "".join(part[0] for part in parts[:2]).upper()


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
) -> HttpResponse:
    """Render a page of the portal in its frame; `here` is its place in the rail."""
    frame = Frame(
        tenant=request.tenant,
        person=request.user,
        role=request.member.get_role_display(),
        may_edit=may(request.member, "edit"),
        may_manage=may(request.member, "manage"),
        items=tuple(
            RailItem(page_url(name, request), icon, label, name == here)
            for name, icon, label in _ITEMS
        ),
        others=_others(request),
        running=calls_running(),
        home=page_url("start", request),
        live=page_url("live", request),
        feed=feed or feed_address(request),
        theme=request.COOKIES.get(THEME_COOKIE, ""),
        languages=tuple((code, code.upper(), str(name)) for code, name in settings.LANGUAGES),
    )
    return render(request, template, {"frame": frame, **context}, status=status)


def _others(request: TenantRequest) -> tuple[OtherTenant, ...]:
    memberships = (
        Member.all_tenants.filter(user=request.user)
        .exclude(tenant=request.tenant)
        .select_related("tenant")
        .order_by("tenant__name")
    )
    return tuple(
        OtherTenant(
            member.tenant.name, reverse("portal:start", kwargs={"slug": member.tenant.slug})
        )
        for member in memberships
    )
