"""Forms of the operator's defaults."""

from __future__ import annotations

from typing import Any, Final

from django import forms
from django.db import models
from django.utils.translation import gettext_lazy

from tenants.models import PlatformSettings, ProviderAccount
from tenants.models.settings import SETTING_NAMES
from tenants.portal import setting_words
from tenants.portal.settings_form import SettingsForm
from tenants.services.effective import VALUE_NAMES
from tenants.templatetags.ui import DASH

UNASKED: Final = ""
EXPLORED: Final = tuple(name for name in VALUE_NAMES if name != "session_extra")
"""Settings with one value that a form can ask for."""
LOCKED, FREE = "locked", "free"
YES_NO: Final = [("", DASH), ("True", gettext_lazy("Yes")), ("False", gettext_lazy("No"))]


class PlatformSettingsForm(SettingsForm):
    """What holds for everybody; a field that is left empty has the product's own value."""

    level = "platform"

    class Meta:
        model = PlatformSettings
        fields = SETTING_NAMES


class LockForm(forms.Form):
    """Which settings nobody below may override."""

    locked = forms.MultipleChoiceField(
        required=False,
        label=gettext_lazy("Locked settings"),
        choices=[(name, setting_words.LABELS[name]) for name in SETTING_NAMES],
        widget=forms.CheckboxSelectMultiple,
    )


class PlatformValueForm(forms.Form):
    """The question of the explorer: if the default were this, and if it were locked."""

    name = forms.ChoiceField(
        label=gettext_lazy("Setting"),
        choices=[(name, setting_words.LABELS[name]) for name in EXPLORED],
    )
    value = forms.CharField(
        required=False,
        label=gettext_lazy("If the default were"),
        help_text=gettext_lazy("Empty: as it is."),
    )
    lock = forms.ChoiceField(
        required=False,
        label=gettext_lazy("And it were"),
        choices=[
            (UNASKED, gettext_lazy("locked or free as it is")),
            (LOCKED, gettext_lazy("locked")),
            (FREE, gettext_lazy("free to override")),
        ],
    )

    def __init__(self, *args: Any, setting: str, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.setting = setting
        self.initial["name"] = setting
        self.field: Any = PlatformSettings._meta.get_field(setting)
        self.fields["value"] = self._value_field(self.fields["value"])

    def _value_field(self, plain: forms.Field) -> forms.Field:
        """The field in which a value of the setting is chosen, or written as `plain`."""
        more: dict[str, Any] = {
            "required": False,
            "label": plain.label,
            "help_text": plain.help_text,
        }
        if self.setting == "provider_account":
            mine = ProviderAccount.all_tenants.filter(tenant=None)
            return forms.ModelChoiceField(mine, **more)
        if isinstance(self.field, models.BooleanField):
            return forms.ChoiceField(choices=YES_NO, **more)
        if self.field.choices:
            return forms.ChoiceField(choices=[("", DASH), *self.field.flatchoices], **more)
        return plain

    def clean_value(self) -> Any:
        """The value as the setting keeps it; None: not asked."""
        value = self.cleaned_data["value"]
        if value in (None, ""):
            return None
        return value.pk if isinstance(value, ProviderAccount) else self.field.clean(value, None)

    def asked(self) -> dict[str, Any]:
        """Arguments of explorer.affected_by; empty: nothing is asked."""
        value, lock = self.cleaned_data["value"], self.cleaned_data["lock"]
        return {
            **({"value": value} if value is not None else {}),
            **({"locked": lock == LOCKED} if lock else {}),
        }
