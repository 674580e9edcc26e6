"""The company's own page: its name, its clock, its languages."""

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
from tenants.models.validators import time_zones
from tenants.portal import setting_words
from tenants.portal.access import TenantRequest, tenant_page
from tenants.portal.forms import take_errors
from tenants.portal.frame import page_url
from tenants.portal.settings_frame import render_settings
from tenants.services.company import save_company


class CompanyForm(forms.ModelForm):  # type: ignore[type-arg]
    first = forms.ChoiceField(
        label=gettext_lazy("First language"),
        help_text=gettext_lazy("Offered first for a new agent or number."),
    )
    others = forms.MultipleChoiceField(
        required=False,
        label=gettext_lazy("Further languages"),
        widget=forms.CheckboxSelectMultiple,
    )

    class Meta:
        model = Tenant
        fields = ("name", "time_zone")
        labels = {"name": gettext_lazy("Name"), "time_zone": gettext_lazy("Time zone")}
        help_texts = {
            "name": gettext_lazy("As people see it in the portal and in invitations."),
            "time_zone": gettext_lazy("By it days and months are counted in usage and budget."),
        }

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        zone: Any = self.fields["time_zone"]
        zone.widget = forms.Select(choices=[(name, name) for name in sorted(time_zones())])
        offered = setting_words.language_choices()
        for name in ("first", "others"):
            field: Any = self.fields[name]
            field.choices = offered
        languages = self.instance.languages
        self.initial.setdefault("first", languages[0] if languages else "")
        self.initial.setdefault("others", languages[1:])

    def save_to(self, tenant: Tenant) -> Tenant:
        first, others = self.cleaned_data["first"], self.cleaned_data["others"]
        tenant.languages = [first, *(code for code in others if code != first)]
        return tenant


@tenant_page(post="manage")
def company(request: TenantRequest) -> HttpResponse:
    form = CompanyForm(request.POST or None, instance=request.tenant)
    if request.method == "POST" and form.is_valid():
        try:
            save_company(tenant=form.save_to(form.instance), user=request.user)
        except ValidationError as error:
            take_errors(form, error)
        else:
            messages.success(request, _("The company's settings are saved."))
            return redirect(page_url("company", request))
    chosen = form["others"].value() or []
    context = {
        "form": form,
        "languages": [
            (code, label, code in chosen) for code, label in setting_words.language_choices()
        ],
        "read_only": not may(request.member, "manage"),
    }
    return render_settings(request, "portal/company.html", context, page="company")
