"""What was used and what it cost."""

from __future__ import annotations

from django.urls import URLPattern

patterns: list[URLPattern] = []
