from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin
from django.db import transaction
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse

from tenants.admin.site import SETTINGS_FIELDSETS, SettingsPage, admin_site
from tenants.models import PlatformSettings, ProviderAccount
from tenants.services.effective import platform_settings
from tenants.tasks import prepare_prompts


@admin.register(PlatformSettings, site=admin_site)
class PlatformSettingsPage(SettingsPage):
    """The one row; a choice that is left empty has the product's own value."""

    fieldsets = SETTINGS_FIELDSETS

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        row = platform_settings()
        return HttpResponseRedirect(reverse("admin:tenants_platformsettings_change", args=[row.pk]))

    def formfield_for_foreignkey(self, db_field: Any, request: Any, **kwargs: Any) -> Any:
        if db_field.name == "provider_account":
            kwargs["queryset"] = ProviderAccount.all_tenants.filter(tenant=None)
        return super().formfield_for_foreignkey(db_field, request, **kwargs)

    def explain_empty(self, field: forms.Field) -> None:
        # Nothing is inherited here, so empty can mean empty.
        if isinstance(field, forms.CharField):
            field.empty_value = ""

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        super().save_model(request, obj, form, change)
        # Robust: without a broker the hourly job does it, and calls order what they miss.
        transaction.on_commit(prepare_prompts.delay, robust=True)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False
