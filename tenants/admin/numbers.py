from __future__ import annotations

from django.contrib import admin

from tenants.admin.site import Page, admin_site
from tenants.models import Number


@admin.register(Number, site=admin_site)
class NumberPage(Page):
    list_display = ["number", "label", "tenant", "agent", "language", "is_active"]
    list_select_related = ["tenant", "agent"]
    list_filter = ["is_active", "tenant"]
    search_fields = ["number", "label", "tenant__name"]
    autocomplete_fields = ["tenant", "agent"]
    fields = [
        "public_id",
        "tenant",
        "number",
        "label",
        "agent",
        "language",
        "is_active",
        "opening_hours",
        "time_zone",
    ]
    readonly_fields = ["public_id"]
