"""Who did what, and the way into a tenant that allows it."""

from __future__ import annotations

from django.urls import URLPattern

patterns: list[URLPattern] = []
