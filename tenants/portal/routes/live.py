"""What happens now, and what is done to a running call."""

from __future__ import annotations

from django.urls import URLPattern, path

from tenants.portal import call_actions, live, start

patterns: list[URLPattern] = [
    path("", start.start, name="start"),
    path("live/", live.live, name="live"),
    path("calls/<uuid:call_id>/actions/", call_actions.call_actions, name="call_actions"),
    path("calls/<uuid:call_id>/say/", call_actions.call_say, name="call_say"),
    path("calls/<uuid:call_id>/mute/", call_actions.call_mute, name="call_mute"),
    path("calls/<uuid:call_id>/transfer/", call_actions.call_transfer, name="call_transfer"),
    path("calls/<uuid:call_id>/hang-up/", call_actions.call_hang_up, name="call_hang_up"),
]
