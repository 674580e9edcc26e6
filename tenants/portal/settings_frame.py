"""The settings' pages beside one another: each with the list of all, in the portal's frame."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from django.http import HttpResponse
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy

from tenants.access import Right, may
from tenants.portal.access import TenantRequest
from tenants.portal.frame import page_url, render_page

PAGES: Final[tuple[tuple[str, str | Promise, Right], ...]] = (
    ("settings", gettext_lazy("Defaults of all agents"), "view"),
    ("accounts", gettext_lazy("Provider accounts"), "view"),
    ("keeping", gettext_lazy("Recording and retention"), "view"),
    ("company", gettext_lazy("Company"), "view"),
    ("members", gettext_lazy("Members"), "view"),
    ("tokens", gettext_lazy("API tokens"), "manage"),
    ("identity", gettext_lazy("Sign-in"), "own"),
    ("audit", gettext_lazy("Audit log"), "manage"),
    ("data", gettext_lazy("Your data"), "own"),
    ("support", gettext_lazy("Support access"), "recall"),
)
"""Name of the address, what it is called, and the right to open it."""


@dataclass(frozen=True)
class NavItem:
    url: str
    label: str | Promise
    here: bool


def render_settings(
    request: TenantRequest,
    template: str,
    context: dict[str, Any],
    *,
    page: str,
    status: int = 200,
) -> HttpResponse:
    """Render a page of the settings; `page` is its line in PAGES."""
    nav = [
        NavItem(page_url(name, request), label, name == page)
        for name, label, right in PAGES
        if may(request.member, right)
    ]
    return render_page(request, template, {"nav": nav, **context}, here="settings", status=status)
