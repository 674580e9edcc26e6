"""Who did what, and the way into a tenant that allows it."""

from __future__ import annotations

from django.urls import URLPattern, path

from tenants.console import audit, support

patterns: list[URLPattern] = [
    path("audit/", audit.audit, name="audit"),
    path("support/", support.support, name="support"),
]
