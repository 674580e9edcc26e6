"""What happens now, and what is done to a running call."""

from __future__ import annotations

from django.urls import URLPattern, path

from tenants.portal import call, live, start

patterns: list[URLPattern] = [
    path("", start.start, name="start"),
    path("live/", live.live, name="live"),
    path("calls/<uuid:call_id>/hang-up/", call.call_hang_up, name="call_hang_up"),
]
