"""What was used and what it cost."""

from __future__ import annotations

from django.urls import URLPattern, path

from tenants.portal import usage

patterns: list[URLPattern] = [path("usage/", usage.usage, name="usage")]
