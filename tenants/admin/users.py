from __future__ import annotations

from django.contrib import admin
from django.utils.translation import gettext_lazy as _

from tenants.admin.site import Page, UserAdmin, UserCreationForm, admin_site
from tenants.models import User


class NewUserForm(UserCreationForm):
    class Meta:
        model = User
        fields = ("email", "name")


@admin.register(User, site=admin_site)
class UserPage(UserAdmin, Page):
    add_form = NewUserForm
    list_display = ["email", "name", "is_staff", "is_active", "last_login"]
    list_filter = ["is_staff", "is_active"]
    search_fields = ["email", "name"]
    ordering = ["email"]
    readonly_fields = ["last_login", "date_joined"]
    filter_horizontal = []
    fieldsets = [
        (None, {"fields": ["email", "password", "name"]}),
        (_("Preferences"), {"fields": ["language", "time_zone"]}),
        (_("Rights"), {"fields": ["is_active", "is_staff", "is_superuser"]}),
        (_("Dates"), {"fields": ["last_login", "date_joined"]}),
    ]
    add_fieldsets = [(None, {"fields": ["email", "name", "password1", "password2"]})]
