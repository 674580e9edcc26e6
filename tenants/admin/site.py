"""The site of Django's admin and what its pages have in common."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import TYPE_CHECKING, Any, Final

from allauth.account.decorators import secure_admin_login
from django import forms
from django.contrib import admin
from django.contrib.auth import admin as auth_admin
from django.contrib.auth import forms as auth_forms
from django.core.exceptions import PermissionDenied
from django.db import models
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.translation import gettext_lazy as _
from django_scopes import scopes_disabled

from tenants.models import Tenant
from tenants.services import audit

if TYPE_CHECKING:  # Django's own classes take no type arguments when they run
    _Page = admin.ModelAdmin[Any]
    Rows = admin.TabularInline[Any, Any]
    ModelForm = forms.ModelForm[Any]
    UserCreationForm = auth_forms.BaseUserCreationForm[Any]
    UserAdmin = auth_admin.UserAdmin[Any]
else:
    _Page = admin.ModelAdmin
    Rows = admin.TabularInline
    ModelForm = forms.ModelForm
    UserCreationForm = auth_forms.BaseUserCreationForm
    UserAdmin = auth_admin.UserAdmin

SECTIONS: Final = (
    (_("Customers"), ("Tenant", "TenantSettings", "ProviderAccount", "User")),
    (_("Agents and numbers"), ("Agent", "AgentRevision", "Number")),
    (_("Calls"), ("Call",)),
    (_("Installation"), ("PlatformSettings", "Worker", "SetAsideRecord", "AuditEntry")),
)


class RecordsSite(admin.AdminSite):
    """Superusers only: each record as it is stored. No tenant's scope holds in its pages."""

    site_header = _("pbxai records")
    site_title = _("pbxai records")
    index_title = _("Installation")
    enable_nav_sidebar = True

    def has_permission(self, request: HttpRequest) -> bool:
        return bool(
            super().has_permission(request) and getattr(request.user, "is_superuser", False)
        )

    def login(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Who is signed in and may not come in is refused; Django's own form is never shown."""
        if request.user.is_authenticated and not self.has_permission(request):
            raise PermissionDenied
        return super().login(request, extra_context)

    def each_context(self, request: Any) -> dict[str, Any]:
        return {**super().each_context(request), "site_url": reverse("console:overview")}

    def admin_view(self, view: Callable[..., Any], cacheable: bool = False) -> Any:
        inner = super().admin_view(view, cacheable)

        @wraps(inner)
        def unscoped(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
            with scopes_disabled():
                response: HttpResponse = inner(request, *args, **kwargs)
                if isinstance(response, TemplateResponse):
                    # Rendered here, for its lists are queried while it is rendered.
                    response.render()
                return response

        return unscoped

    def get_app_list(self, request: HttpRequest, app_label: str | None = None) -> list[Any]:
        found = {
            model["object_name"]: model
            for app in super().get_app_list(request, app_label)
            for model in app["models"]
        }
        sections = [
            {
                "name": name,
                "app_label": "tenants",
                "app_url": "",
                "has_module_perms": True,
                "models": [found[model] for model in models_ if model in found],
            }
            for name, models_ in SECTIONS
        ]
        return [section for section in sections if section["models"]]


admin_site = RecordsSite(name="admin")
# Sign-in is that of the portal, which throttles.
admin_site.login = secure_admin_login(admin_site.login)  # type: ignore[method-assign]


class Page(_Page):
    """A model's pages; each change goes to the audit log."""

    list_per_page = 50
    show_full_result_count = False

    def log_addition(self, request: Any, obj: models.Model, message: Any) -> Any:
        self._audit(request, obj, "create", message)
        return super().log_addition(request, obj, message)

    def log_change(self, request: Any, obj: models.Model, message: Any) -> Any:
        self._audit(request, obj, "edit", message)
        return super().log_change(request, obj, message)

    def log_deletions(self, request: Any, queryset: Any) -> Any:
        for obj in queryset:
            self._audit(request, obj, "delete", "")
        return super().log_deletions(request, queryset)

    def _audit(self, request: Any, obj: models.Model, verb: str, message: Any) -> None:
        audit.record(
            f"admin.{obj._meta.model_name}.{verb}",
            obj,
            tenant=_tenant_of(obj, verb),
            user=request.user,
            message=message,
        )


def _tenant_of(obj: models.Model, verb: str) -> Tenant | None:
    if isinstance(obj, Tenant):
        # An entry that goes with its tenant would say nothing of its end.
        return None if verb == "delete" else obj
    tenant = getattr(obj, "tenant", None)
    return tenant if isinstance(tenant, Tenant) else None


class ReadOnly:
    """Rows that are looked at."""

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


class SettingsPage(Page):
    """Settings of a level; an empty field is inherited."""

    may_be_empty = ("transcription_model", "transcription_language", "instructions")
    """Fields in which empty is a value too; it can be given in the portal."""

    def formfield_for_dbfield(self, db_field: Any, request: Any, **kwargs: Any) -> Any:
        field = super().formfield_for_dbfield(db_field, request, **kwargs)
        if db_field.name in self.may_be_empty and field is not None:
            self.explain_empty(field)
        return field

    def explain_empty(self, field: forms.Field) -> None:
        field.help_text = _("Empty: inherited.")


SETTINGS_FIELDSETS: Final[list[Any]] = [
    (_("Provider"), {"fields": ["provider_account", "dialect", "model", "audio_format"]}),
    (_("Speech"), {"fields": ["language", "voice", "speed", "greetings", "consents", "apologies"]}),
    (_("Instructions"), {"fields": ["instructions", "temperature", "max_output_tokens"]}),
    (
        _("Turn-taking"),
        {
            "fields": [
                "vad_mode",
                ("vad_threshold", "prefix_padding_ms", "silence_duration_ms"),
                "idle_timeout_ms",
                "eagerness",
                "interrupt",
                "greeting_guard_ms",
                "noise_reduction",
                "local_vad",
                ("vad_stops_agent", "false_interruption_ms", "vad_gates_audio"),
            ],
        },
    ),
    (
        _("Transcription of the caller"),
        {"fields": ["transcription_model", "transcription_language"]},
    ),
    (_("Audio"), {"fields": ["chunk_ms", "record"]}),
    (_("Further session fields"), {"fields": ["session_extra"]}),
]
