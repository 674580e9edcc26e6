"""Addresses outside a tenant: the way in, and what a person chooses for themselves."""

from __future__ import annotations

from django.urls import URLPattern, path

from tenants.portal import preferences

patterns: list[URLPattern] = [
    path("", preferences.home, name="home"),
    path("language/", preferences.language, name="language"),
    path("preferences/", preferences.preferences, name="preferences"),
]
