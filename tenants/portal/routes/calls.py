"""Past calls, a call's own page, its recording."""

from __future__ import annotations

from django.urls import URLPattern, path

from tenants.portal import call, calls, recording

patterns: list[URLPattern] = [
    path("calls/", calls.calls, name="calls"),
    path("calls/<uuid:call_id>/", call.call, name="call"),
    path("calls/<uuid:call_id>/recording/", recording.recording, name="recording"),
    path(
        "calls/<uuid:call_id>/recording/delete/",
        recording.recording_delete,
        name="recording_delete",
    ),
]
