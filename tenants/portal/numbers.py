"""Numbers: which number is answered by which agent."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django import forms
from django.contrib import messages
from django.core.exceptions import ValidationError
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_POST

from tenants.models import Agent, Number, Worker
from tenants.portal import setting_words
from tenants.portal.access import TenantRequest, tenant_page
from tenants.portal.forms import take_errors
from tenants.portal.frame import page_url, render_page
from tenants.portal.opening_fields import OpeningHoursForm
from tenants.services.numbers import delete_number, save_number


class NumberForm(OpeningHoursForm, forms.ModelForm):  # type: ignore[type-arg]
    agent = forms.ModelChoiceField(
        Agent.all_tenants.none(),
        to_field_name="public_id",
        empty_label=gettext_lazy("Choose an agent"),
        label=gettext_lazy("Answered by"),
    )
    language = forms.ChoiceField(
        required=False,
        label=gettext_lazy("Language"),
        help_text=gettext_lazy("The language that calls to this number begin in."),
    )

    class Meta:
        model = Number
        fields = ("number", "label", "agent", "language", "is_active", "time_zone")
        labels = {
            "number": gettext_lazy("Number"),
            "label": gettext_lazy("Label"),
            "is_active": gettext_lazy("Answer calls to this number"),
        }
        help_texts = {
            "number": gettext_lazy(
                "As it is dialled: an extension such as 100, a number such as +4930123456, or a"
                " name."
            ),
            "label": gettext_lazy("What it is for: “Reception”, “Orders”."),
            "is_active": gettext_lazy("Otherwise callers hear that the number is not in use."),
        }

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        agent: Any = self.fields["agent"]
        agent.queryset = Agent.objects.all()
        if self.instance.agent_id:
            self.initial["agent"] = self.instance.agent.public_id
        stored = self.instance.language
        offered = setting_words.language_choices()
        if stored and stored not in dict(offered):
            offered = [(stored, setting_words.language_name(stored)), *offered]
        self.offer_hours(self.instance)
        language: Any = self.fields["language"]
        language.choices = [("", _("The agent's own")), *offered]


def dial_addresses(number: str) -> list[str]:
    """Where a telephone can dial the number: the SIP addresses of the connected media workers."""
    addresses = []
    for worker in Worker.objects.filter(connected=True):
        for address in worker.addresses:
            scheme, _colon, host = address.partition(":")
            if host and "@" not in host:
                addresses.append(f"{scheme}:{number}@{host}")
    return addresses


def find_number(number_id: UUID) -> Number:
    """A number of the tenant in scope, else 404."""
    return get_object_or_404(Number.objects.select_related("agent", "tenant"), public_id=number_id)


@tenant_page()
def numbers(request: TenantRequest) -> HttpResponse:
    found = list(Number.objects.select_related("agent", "tenant"))
    rows = [
        {
            "number": number,
            "url": page_url("number", request, number_id=number.public_id),
            "language": setting_words.language_name(number.language) if number.language else "",
            "is_silent": number.agent.published is None,
            "is_closed": not number.is_open_at(timezone.now()),
        }
        for number in found
    ]
    return render_page(request, "portal/numbers.html", {"numbers": rows}, here="numbers")


@tenant_page("edit")
def number_new(request: TenantRequest) -> HttpResponse:
    instance = Number(tenant=request.tenant)
    form = NumberForm(
        request.POST or None, instance=instance, initial={"agent": request.GET.get("agent")}
    )
    return _form_page(request, form)


@tenant_page(post="edit")
def number(request: TenantRequest, number_id: UUID) -> HttpResponse:
    found = find_number(number_id)
    return _form_page(request, NumberForm(request.POST or None, instance=found), found)


def _form_page(
    request: TenantRequest, form: NumberForm, found: Number | None = None
) -> HttpResponse:
    if request.method == "POST" and form.is_valid():
        try:
            saved = save_number(number=form.instance, user=request.user)
        except ValidationError as error:
            take_errors(form, error)
        else:
            messages.success(request, _saved_sentence(saved))
            if found:
                return redirect(page_url("numbers", request))
            # The page of a number says how to dial it.
            return redirect(page_url("number", request, number_id=saved.public_id))
    stored = find_number(found.public_id) if found else None
    context = {
        "form": form,
        "number": stored,
        "addresses": dial_addresses(stored.number) if stored else [],
        "no_agents": not Agent.objects.exists(),
    }
    return render_page(request, "portal/number.html", context, here="numbers")


def _saved_sentence(number: Number) -> str:
    if not number.is_active:
        text = _("%(number)s is switched off.")
    elif number.agent.published is None:
        text = _("%(number)s leads to “%(agent)s”; calls are refused until that is published.")
    else:
        text = _("%(number)s is answered by “%(agent)s”.")
    return text % {"number": number.number, "agent": number.agent.name}


@require_POST
@tenant_page("edit")
def number_delete(request: TenantRequest, number_id: UUID) -> HttpResponse:
    found = find_number(number_id)
    delete_number(number=found, user=request.user)
    messages.success(request, _("%(number)s was removed.") % {"number": found.number})
    return redirect(page_url("numbers", request))
