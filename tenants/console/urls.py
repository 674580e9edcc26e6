"""Addresses of the console, by room."""

from __future__ import annotations

from tenants.console.routes import operations, people, tenants

app_name = "console"

urlpatterns = [*operations.patterns, *tenants.patterns, *people.patterns]
