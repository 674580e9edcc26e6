"""What happens now on the whole installation."""

from __future__ import annotations

from django.urls import URLPattern, path

from tenants.console import overview

patterns: list[URLPattern] = [
    path("", overview.overview, name="overview"),
]
