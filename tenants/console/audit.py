from __future__ import annotations

from django.contrib import admin

from tenants.console.site import Page, ReadOnly, console
from tenants.models import AuditEntry


@admin.register(AuditEntry, site=console)
class AuditPage(ReadOnly, Page):
    list_display = ["at", "user", "tenant", "action", "target"]
    list_select_related = ["user", "tenant"]
    list_filter = ["action", "tenant"]
    search_fields = ["target", "user__email"]
    date_hierarchy = "at"
