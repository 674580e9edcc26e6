"""The form of an agent's draft."""

from __future__ import annotations

from typing import Any

from django import forms
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from tenants.models import Agent
from tenants.models.settings import SETTING_NAMES
from tenants.models.validators import validate_transfer_targets
from tenants.portal.settings_form import SettingsForm
from tenants.portal.text_fields import TargetsField


class AgentForm(SettingsForm):
    """The settings, and what only an agent has."""

    level = "agent"

    hang_up_enabled = forms.BooleanField(
        required=False, label=gettext_lazy("The agent may end the call when everything is said")
    )
    transfer_targets = TargetsField(required=False, validators=[validate_transfer_targets])
    draft_version = forms.IntegerField(widget=forms.HiddenInput)

    class Meta:
        model = Agent
        fields = (*SETTING_NAMES, "name", "hang_up_enabled", "transfer_targets")
        labels = {"name": gettext_lazy("Name of the agent")}

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.initial["draft_version"] = self.instance.draft_version

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
