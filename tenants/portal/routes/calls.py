"""Past calls and the search in them, a call's own page, its recording."""

from __future__ import annotations

from django.urls import URLPattern, path

from tenants.portal import call, call_files, call_marks, calls, recording, search

patterns: list[URLPattern] = [
    path("search/", search.search, name="search"),
    path("calls/", calls.calls, name="calls"),
    path("calls/export/", call_files.calls_export, name="calls_export"),
    path("calls/<uuid:call_id>/", call.call, name="call"),
    path("calls/<uuid:call_id>/transcript/", call_files.call_download, name="call_download"),
    path("calls/<uuid:call_id>/delete/", call_marks.call_delete, name="call_delete"),
    path("calls/<uuid:call_id>/tags/", call_marks.call_tags, name="call_tags"),
    path("calls/<uuid:call_id>/notes/", call_marks.call_notes, name="call_notes"),
    path("calls/<uuid:call_id>/peaks/", recording.call_peaks, name="call_peaks"),
    path("calls/<uuid:call_id>/recording/", recording.recording, name="recording"),
    path(
        "calls/<uuid:call_id>/recording/delete/",
        recording.recording_delete,
        name="recording_delete",
    ),
]
