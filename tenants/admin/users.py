from __future__ import annotations

from typing import Any

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from pbxai.accounts import forget_ways
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
    actions = ["forget_second_step"]
    fieldsets = [
        (None, {"fields": ["email", "password", "name"]}),
        (_("Preferences"), {"fields": ["language", "time_zone"]}),
        (_("Rights"), {"fields": ["is_active", "is_staff", "is_superuser"]}),
        (_("Dates"), {"fields": ["last_login", "date_joined"]}),
    ]
    add_fieldsets = [(None, {"fields": ["email", "name", "password1", "password2"]})]

    @admin.action(description=_("Remove second step, passkeys and recovery codes"))
    def forget_second_step(self, request: Any, queryset: QuerySet[User]) -> None:
        """For people who lost telephone and codes; their password is enough again."""
        gone = sum(forget_ways(person, by=request.user) for person in queryset)
        text = ngettext("%(count)d way removed.", "%(count)d ways removed.", gone)
        self.message_user(request, text % {"count": gone}, messages.SUCCESS)
