"""Tenants, their limits, what they inherit, models and prices."""

from __future__ import annotations

from django.urls import URLPattern

patterns: list[URLPattern] = []
