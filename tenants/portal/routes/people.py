"""Members of the tenant, its invitations and tokens."""

from __future__ import annotations

from django.urls import URLPattern

patterns: list[URLPattern] = []
