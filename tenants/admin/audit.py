from __future__ import annotations

from django.contrib import admin

from tenants.admin.site import Page, ReadOnly, admin_site
from tenants.models import AuditEntry


@admin.register(AuditEntry, site=admin_site)
class AuditPage(ReadOnly, Page):
    list_display = ["at", "user", "tenant", "action", "target"]
    list_select_related = ["user", "tenant"]
    list_filter = ["action", "tenant"]
    search_fields = ["target", "user__email"]
    date_hierarchy = "at"
