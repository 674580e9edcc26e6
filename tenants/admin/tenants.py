from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db.models import Count, Q, QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from tenants.admin.site import SETTINGS_FIELDSETS, Page, Rows, SettingsPage, admin_site
from tenants.models import Member, Tenant, TenantSettings
from tenants.models.call import OPEN_STATES


class Members(Rows):
    model = Member
    extra = 0
    autocomplete_fields = ["user"]


@admin.register(Tenant, site=admin_site)
class TenantPage(Page):
    list_display = ["name", "slug", "is_active", "max_concurrent_calls", "open_calls", "created_at"]
    list_filter = ["is_active"]
    search_fields = ["name", "slug"]
    # Retention comes with the pages that act on it.
    fields = [
        "slug",
        "name",
        "is_active",
        "max_concurrent_calls",
        "max_calls_a_minute",
        "max_numbers",
        "budget_month",
        "budget_currency",
        "time_zone",
        "public_id",
        "created_at",
    ]
    readonly_fields = ["public_id", "created_at"]
    prepopulated_fields = {"slug": ["name"]}
    inlines = [Members]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        open_calls = Count("calls", filter=Q(calls__state__in=OPEN_STATES))
        rows: QuerySet[Any] = super().get_queryset(request).annotate(open_calls=open_calls)
        return rows

    @admin.display(description=_("calls now"), ordering="open_calls")
    def open_calls(self, tenant: Any) -> int:
        return int(tenant.open_calls)


@admin.register(TenantSettings, site=admin_site)
class TenantSettingsPage(SettingsPage):
    list_display = ["tenant", "provider_account", "model", "voice"]
    list_select_related = ["tenant", "provider_account"]
    search_fields = ["tenant__name"]
    fieldsets = [(None, {"fields": ["tenant"]}), *SETTINGS_FIELDSETS]

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> list[str]:
        return ["tenant"] if obj else []
