"""Every address of the portal with what each role gets there: the table that the tests walk."""

from __future__ import annotations

from typing import Any, Final

from django.urls import reverse

from tests.portal.tables import agents, calls, live, people, settings, usage
from tests.portal.tables.page import ADMIN, EDITOR, OWNER, RANKS, VIEWER, Page

__all__ = ["ADMIN", "EDITOR", "OWNER", "PAGES", "RANKS", "VIEWER", "Page", "url_of"]

PAGES: Final = (
    *live.PAGES,
    *calls.PAGES,
    *agents.PAGES,
    *usage.PAGES,
    *settings.PAGES,
    *people.PAGES,
)


def url_of(page: Page, things: dict[str, Any], slug: str = "acme") -> str:
    arguments = {name: things[name] for name in page.takes}
    return reverse(f"portal:{page.name}", kwargs={"slug": slug, **arguments})
