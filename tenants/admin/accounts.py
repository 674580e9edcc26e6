from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import ValidationError
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from tenants.admin.site import ModelForm, Page, admin_site
from tenants.models import ProviderAccount
from tenants.services import accounts


class AccountForm(ModelForm):
    """The key goes in and never comes out."""

    key = forms.CharField(
        label=_("Key"),
        required=False,
        strip=True,
        widget=forms.PasswordInput(attrs={"autocomplete": "off"}),
        help_text=_("Leave empty to keep the key that is stored."),
    )

    class Meta:
        model = ProviderAccount
        fields = ["tenant", "name", "url", "auth"]

    def _post_clean(self) -> None:
        super()._post_clean()  # type: ignore[misc]
        try:
            accounts.validate_change(self.instance, self.cleaned_data.get("key"))
        except ValidationError as error:
            for name, messages in error.message_dict.items():
                self.add_error("key" if name == "secret" else name, messages)


@admin.register(ProviderAccount, site=admin_site)
class AccountPage(Page):
    form = AccountForm
    list_display = ["name", "tenant", "url", "secret_hint", "check_state", "last_problem_kind"]
    list_select_related = ["tenant"]
    list_filter = ["check_state", "tenant"]
    search_fields = ["name", "tenant__name"]
    actions = ["check_keys"]
    shown = [
        "secret_hint",
        "secret_fingerprint",
        "check_state",
        "check_kind",
        "check_message",
        "checked_at",
        "last_problem_kind",
        "last_problem_message",
        "last_problem_at",
    ]
    fieldsets = [
        (None, {"fields": ["tenant", "name", "url", "auth", "key"]}),
        (_("Stored key"), {"fields": [*shown[:2]]}),
        (_("Check"), {"fields": [*shown[2:6]]}),
        (_("Last problem"), {"fields": [*shown[6:]]}),
    ]

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> list[str]:
        # The key is sealed for its tenant and cannot move.
        return [*self.shown, "tenant"] if obj else self.shown

    def save_model(self, request: Any, obj: Any, form: Any, change: bool) -> None:
        accounts.save_account(account=obj, user=request.user, secret=form.cleaned_data["key"])

    @admin.action(description=_("Check the keys of the selected accounts"))
    def check_keys(self, request: Any, queryset: QuerySet[ProviderAccount]) -> None:
        for account in queryset:
            accounts.request_check(account, user=request.user)
        self.message_user(
            request, _("Checks were asked for; reload to see what came back."), messages.INFO
        )
