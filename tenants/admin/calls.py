from __future__ import annotations

import json
from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _

from tenants.admin.site import Page, ReadOnly, Rows, admin_site
from tenants.models import Call, CallProblem, ToolCall, Turn


class Problems(ReadOnly, Rows):
    model = CallProblem
    fields = ["offset_ms", "kind", "code", "message", "fatal"]


class Tools(ReadOnly, Rows):
    model = ToolCall
    fields = ["offset_ms", "name", "arguments", "state", "result", "duration_ms"]


class Turns(ReadOnly, Rows):
    model = Turn
    fields = [
        "number",
        "caller_stopped_ms",
        "end_known_ms",
        "first_audio_ms",
        "first_packet_ms",
        "playout_ended_ms",
        "interrupted",
    ]


@admin.register(Call, site=admin_site)
class CallPage(ReadOnly, Page):
    """What happened on a call. What was said belongs to the customer and is not shown here."""

    list_display = [
        "started_at",
        "tenant",
        "calling",
        "called",
        "state",
        "refusal_reason",
        "end_cause",
        "duration_ms",
        "worker",
    ]
    list_select_related = ["tenant", "worker"]
    list_filter = ["state", "end_cause", "refusal_reason", "tenant", "worker"]
    search_fields = ["public_id", "sip_call_id", "called", "calling"]
    date_hierarchy = "started_at"
    inlines = [Problems, Tools, Turns]
    fieldsets = [
        (
            None,
            {
                "fields": [
                    ("state", "refusal_reason", "end_cause"),
                    "end_detail",
                    ("tenant", "number", "agent", "revision"),
                    ("calling", "calling_name", "called", "language"),
                    ("started_at", "answered_at", "ended_at", "duration_ms"),
                ]
            },
        ),
        (
            _("SIP"),
            {"fields": ["public_id", "sip_call_id", "source", "sip_status", "codec", "worker"]},
        ),
        (
            _("Provider"),
            {
                "fields": [
                    ("account_name", "model"),
                    "session_id",
                    ("input_format", "output_format", "session_took_ms"),
                    "tokens",
                    "settings_in_force",
                ]
            },
        ),
    ]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        return super().get_queryset(request).select_related("number", "agent", "revision")

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> list[str]:
        return ["tokens", "settings_in_force"]

    @admin.display(description=_("usage"))
    def tokens(self, call: Call) -> SafeString:
        return _as_json(call.usage)

    @admin.display(description=_("settings"))
    def settings_in_force(self, call: Call) -> SafeString:
        return _as_json(call.settings_used)


def _as_json(value: Any) -> SafeString:
    text = json.dumps(value, indent=2, ensure_ascii=False, sort_keys=True)
    return format_html("<pre>{}</pre>", text)
