"""The form of an agent's draft."""

from __future__ import annotations

from typing import Any

from django import forms
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from tenants.models import Agent, ProviderAccount
from tenants.models.settings import SETTING_NAMES
from tenants.models.validators import validate_transfer_targets
from tenants.portal.presets import PresetCard, preset_cards
from tenants.portal.settings_form import SettingsForm
from tenants.portal.text_fields import TargetsField


class AgentForm(SettingsForm):
    """The settings, and what only an agent has."""

    level = "agent"

    hang_up_enabled = forms.BooleanField(
        required=False, label=gettext_lazy("The agent may end the call when everything is said")
    )
    transfer_targets = TargetsField(required=False, validators=[validate_transfer_targets])
    fallback_account = forms.ModelChoiceField(
        ProviderAccount.all_tenants.none(),
        required=False,
        to_field_name="public_id",
        empty_label=gettext_lazy("None"),
        label=gettext_lazy("Second provider account"),
        help_text=gettext_lazy(
            "Tried when the provider fails and a new session with it does not help. It has to know"
            " the same model and voice."
        ),
    )
    fallback_target = forms.ChoiceField(
        required=False,
        label=gettext_lazy("When no provider works, transfer to"),
        help_text=gettext_lazy(
            "One of the transfer targets. The caller hears the apology first. Nobody: the call"
            " ends after the apology."
        ),
    )
    draft_version = forms.IntegerField(widget=forms.HiddenInput)

    class Meta:
        model = Agent
        fields = (
            *SETTING_NAMES,
            "name",
            "hang_up_enabled",
            "transfer_targets",
            "fallback_account",
            "fallback_target",
        )
        labels = {"name": gettext_lazy("Name of the agent")}

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.initial["draft_version"] = self.instance.draft_version
        self._offer_fallbacks()

    def _offer_fallbacks(self) -> None:
        accounts: Any = self.fields["fallback_account"]
        offered: Any = self.fields["provider_account"]
        accounts.queryset = offered.queryset
        if self.instance.fallback_account:
            self.initial["fallback_account"] = self.instance.fallback_account.public_id
        targets: Any = self.fields["fallback_target"]
        names = [target["name"] for target in self.target_rows]
        targets.choices = [("", _("Nobody")), *((name, name) for name in names)]

    @property
    def presets(self) -> list[PresetCard]:
        return preset_cards(self.effective)

    @property
    def target_rows(self) -> list[dict[str, str]]:
        return self["transfer_targets"].value() or []

    @property
    def tabs(self) -> list[dict[str, Any]]:
        """The sections of the editor; a section with a refused field says so."""
        tabs = [
            ("prompt", _("Prompt"), ("name", "instructions")),
            ("voice", _("Voice and model"), ()),
            ("turns", _("Turn-taking"), ()),
            ("words", _("Greetings"), ()),
            ("tools", _("Tools"), ("hang_up_enabled", "transfer_targets")),
            ("fallback", _("Fallback"), ("fallback_account", "fallback_target")),
            ("advanced", _("Advanced"), ()),
        ]
        return [
            {
                "id": key,
                "label": label,
                "problem": self.is_bound
                and (self.has_problem_in(key) or any(name in self.errors for name in more)),
            }
            for key, label, more in tabs
        ]


class NewAgentForm(forms.ModelForm):  # type: ignore[type-arg]
    """Enough to begin with; everything else is inherited until it is changed."""

    class Meta:
        model = Agent
        fields = ("name", "instructions")
        labels = {"name": gettext_lazy("Name"), "instructions": gettext_lazy("Prompt")}
        help_texts = {
            "name": gettext_lazy("For you and your colleagues; callers do not hear it."),
            "instructions": gettext_lazy(
                "What the agent is, what it knows, what it does and does not do. You can leave it"
                " empty and write it later."
            ),
        }
        widgets = {"instructions": forms.Textarea(attrs={"rows": 10, "class": "prompt"})}
