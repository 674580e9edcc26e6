"""A page of components, for tests: each in the states that a page may show."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from django.template import engines
from django.utils.safestring import SafeString

from tenants.models import SupportGrant, Tenant

CALLERS = (
    "Maria Huber",
    "A name of eighty characters that goes on and on and on and on until it is eighty.",
)


def gallery() -> SafeString:
    """The page as HTML; needs no database."""
    source = (Path(__file__).parent / "gallery.html").read_text(encoding="utf-8")
    tenant = Tenant(name="Acme", slug="acme")
    grant = SupportGrant(tenant=tenant, expires_at=datetime(2026, 11, 24, 9, 30, tzinfo=UTC))
    page: SafeString = (
        engines["django"]
        .from_string(source)
        .render({"callers": CALLERS, "tenant": tenant, "grant": grant})
    )
    return page
