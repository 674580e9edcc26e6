from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from tenants.admin.site import SETTINGS_FIELDSETS, Page, ReadOnly, SettingsPage, admin_site
from tenants.models import Agent, AgentRevision
from tenants.services.publishing import save_draft


@admin.register(Agent, site=admin_site)
class AgentPage(SettingsPage):
    """An agent's draft; it is published in the portal."""

    list_display = ["name", "tenant", "draft_version", "updated_at", "updated_by"]
    list_select_related = ["tenant", "updated_by"]
    list_filter = ["tenant"]
    search_fields = ["name", "tenant__name"]
    fieldsets = [
        (None, {"fields": ["tenant", "name", "hang_up_enabled", "transfer_targets"]}),
        *SETTINGS_FIELDSETS,
    ]

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> list[str]:
        return ["tenant"] if obj else []

    def save_model(self, request: Any, obj: Any, form: Any, change: bool) -> None:
        save_draft(agent=obj, user=request.user)


@admin.register(AgentRevision, site=admin_site)
class RevisionPage(ReadOnly, Page):
    list_display = ["name", "number", "tenant", "published_at", "published_by", "note"]
    list_select_related = ["tenant", "published_by"]
    list_filter = ["tenant"]
    search_fields = ["name", "tenant__name"]
    fieldsets = [
        (
            None,
            {
                "fields": [
                    "tenant",
                    "agent",
                    ("name", "number"),
                    ("published_at", "published_by"),
                    "note",
                ]
            },
        ),
        (_("Actions"), {"fields": ["hang_up_enabled", "transfer_targets"]}),
        *SETTINGS_FIELDSETS,
    ]
