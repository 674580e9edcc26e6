"""Every address of the console with who gets what there: the table that the tests walk."""

from __future__ import annotations

from typing import Any, Final

from django.urls import reverse

from tests.console.tables import operations, people, tenants
from tests.console.tables.page import RANKS, STAFF, SUPERUSER, Page

__all__ = ["PAGES", "RANKS", "STAFF", "SUPERUSER", "Page", "url_of"]

PAGES: Final = (*operations.PAGES, *tenants.PAGES, *people.PAGES)


def url_of(page: Page, things: dict[str, Any]) -> str:
    return reverse(f"console:{page.name}", kwargs={name: things[name] for name in page.takes})
