"""Recording and retention: what is kept for how long, who may listen, what callers are told."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import messages
from django.core.exceptions import ValidationError
from django.http import HttpResponse
from django.shortcuts import redirect
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from tenants.access import may
from tenants.models import Tenant
from tenants.portal import setting_words
from tenants.portal.access import TenantRequest, tenant_page
from tenants.portal.forms import take_errors
from tenants.portal.frame import page_url
from tenants.portal.settings_frame import render_settings
from tenants.services.company import save_company
from tenants.services.effective import effective_settings


class KeepingForm(forms.ModelForm):  # type: ignore[type-arg]
    class Meta:
        model = Tenant
        fields = ("keep_transcripts_days", "keep_recordings_days", "listen_in")
        labels = {
            "keep_transcripts_days": gettext_lazy("Delete transcripts after, days"),
            "keep_recordings_days": gettext_lazy("Delete recordings after, days"),
            "listen_in": gettext_lazy("Who may listen to running calls"),
        }
        help_texts = {
            "keep_transcripts_days": gettext_lazy(
                "Empty: never. Counted from the end of the call; words, tool calls and notes go,"
                " the numbers of the call stay."
            ),
            "keep_recordings_days": gettext_lazy("Empty: never. Counted from the end of the call."),
            "listen_in": gettext_lazy(
                "Whoever listens is named in the call's record. In many countries callers must be"
                " told; the announcement below is the place for it."
            ),
        }

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name in ("keep_transcripts_days", "keep_recordings_days"):
            self.fields[name].widget.attrs["class"] = "short"


@tenant_page(post="manage")
def keeping(request: TenantRequest) -> HttpResponse:
    form = KeepingForm(request.POST or None, instance=request.tenant)
    if request.method == "POST" and form.is_valid():
        try:
            save_company(tenant=form.instance, user=request.user)
        except ValidationError as error:
            take_errors(form, error)
        else:
            messages.success(request, _("Recording and retention are saved."))
            return redirect(page_url("keeping", request))
    context = {
        "form": form,
        "recording": _recording(request.tenant),
        "read_only": not may(request.member, "manage"),
    }
    return render_settings(request, "portal/keeping.html", context, page="keeping")


def _recording(tenant: Tenant) -> list[tuple[Any, Any, str]]:
    """What holds for agents that say nothing else, as facts."""
    effective = effective_settings(tenant=tenant)
    rows: list[tuple[Any, Any, str]] = [
        (_("Calls are recorded"), setting_words.describe("record", effective["record"].value), "")
    ]
    for code, text in sorted(effective.consents.items()):
        label = _("Announcement, %(language)s") % {"language": setting_words.language_name(code)}
        rows.append((label, text.value, ""))
    return rows
