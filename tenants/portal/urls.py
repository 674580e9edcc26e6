"""Addresses of the portal: those outside a tenant, and those below /t/<slug>/ by room."""

from __future__ import annotations

from django.urls import include, path

from tenants.portal.routes import agents, calls, home, live, people, settings, usage

app_name = "portal"

_tenant = [
    *live.patterns,
    *calls.patterns,
    *agents.patterns,
    *usage.patterns,
    *settings.patterns,
    *people.patterns,
]

urlpatterns = [*home.patterns, *people.outside, path("t/<slug:slug>/", include(_tenant))]
