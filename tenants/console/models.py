"""Models and prices: the catalogue, a model, a price from a day on."""

from __future__ import annotations

from datetime import date
from typing import Any

from django import forms
from django.contrib import messages
from django.core.exceptions import ValidationError
from django.db.models import Q
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_POST

from tenants.console.access import ConsoleRequest, console_page
from tenants.console.frame import render_page
from tenants.models import Price, ProviderModel
from tenants.models.choices import AudioFormat
from tenants.portal.forms import take_errors
from tenants.services import catalogue
from tenants.services.prices import AMOUNTS, add_price

SHOWN_USES = 100


class ModelForm(forms.ModelForm):  # type: ignore[type-arg]
    formats = forms.MultipleChoiceField(
        required=False,
        choices=AudioFormat.choices,
        label=gettext_lazy("Sound formats"),
        help_text=gettext_lazy("None: not known."),
        widget=forms.CheckboxSelectMultiple,
    )
    voices = forms.CharField(
        required=False,
        label=gettext_lazy("Voices"),
        help_text=gettext_lazy("As the provider names them, apart by commas."),
    )
    shutdown_on = forms.DateField(
        required=False,
        label=gettext_lazy("Shut down on"),
        widget=forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d"),
        help_text=gettext_lazy("From half a year before, every agent that uses it is named."),
    )

    class Meta:
        model = ProviderModel
        fields = (
            "provider",
            "name",
            "kind",
            "formats",
            "voices",
            "context_tokens",
            "shutdown_on",
            "replacement",
            "is_offered",
            "note",
        )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.initial["voices"] = ", ".join(self.instance.voices)

    def clean_voices(self) -> list[str]:
        return [name for part in self.cleaned_data["voices"].split(",") if (name := part.strip())]


class PriceForm(forms.ModelForm):  # type: ignore[type-arg]
    valid_from = forms.DateField(
        label=gettext_lazy("From"),
        widget=forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d"),
        help_text=gettext_lazy("Calls that began on this day or later are counted with it."),
    )

    class Meta:
        model = Price
        fields = ("valid_from", "currency", *AMOUNTS, "source")

    def amounts(self) -> list[forms.BoundField]:
        return [self[name] for name in AMOUNTS]


@console_page
def models(request: ConsoleRequest) -> HttpResponse:
    found = list(ProviderModel.objects.all())
    prices = _prices_now()
    used: dict[int, int] = {}
    uses = catalogue.uses(found)
    for use in uses:
        used[use.model.pk] = used.get(use.model.pk, 0) + 1
    context = {
        "rows": [
            {
                "model": model,
                "price": prices.get(model.pk),
                "used": used.get(model.pk, 0),
                "is_over": model.shutdown_on and model.shutdown_on <= timezone.now().date(),
            }
            for model in found
        ],
        "uses": catalogue.ending(uses)[:SHOWN_USES],
    }
    return render_page(request, "console/models.html", context, here="models")


def _prices_now() -> dict[int, Price]:
    today = timezone.now().date()
    found = Price.objects.filter(
        Q(valid_to=None) | Q(valid_to__gte=today), valid_from__lte=today
    ).order_by("valid_from")
    return {price.model_id: price for price in found}


@console_page
def model_new(request: ConsoleRequest) -> HttpResponse:
    return _save(request, ModelForm(request.POST or None, instance=ProviderModel()), None)


@console_page
def model(request: ConsoleRequest, model_id: int) -> HttpResponse:
    found = get_object_or_404(ProviderModel, pk=model_id)
    return _save(request, ModelForm(request.POST or None, instance=found), found)


def _save(request: ConsoleRequest, form: ModelForm, found: ProviderModel | None) -> HttpResponse:
    if request.method == "POST" and form.is_valid():
        try:
            saved = catalogue.save_model(model=form.instance, user=request.user)
        except ValidationError as error:
            take_errors(form, error)
        else:
            messages.success(request, _("%(model)s is saved.") % {"model": saved.name})
            return redirect("console:model", model_id=saved.pk)
    return _model_page(request, found, form, PriceForm(initial=_next_price()))


def _next_price() -> dict[str, Any]:
    return {"valid_from": timezone.now().date(), "currency": "USD"}


def _model_page(
    request: ConsoleRequest, found: ProviderModel | None, form: ModelForm, price: PriceForm
) -> HttpResponse:
    # A form that was refused has changed its row: what stands above it is what is stored.
    stored = get_object_or_404(ProviderModel, pk=found.pk) if found else None
    context = {
        "model": stored,
        "form": form,
        "price_form": price,
        "prices": list(stored.prices.all()) if stored else [],
        "uses": catalogue.uses([stored])[:SHOWN_USES] if stored else [],
        "today": timezone.now().date(),
    }
    return render_page(request, "console/model.html", context, here="models")


@console_page
@require_POST
def price_new(request: ConsoleRequest, model_id: int) -> HttpResponse:
    found = get_object_or_404(ProviderModel, pk=model_id)
    form = PriceForm(request.POST, instance=Price(model=found))
    if form.is_valid():
        try:
            saved = add_price(price=form.instance, user=request.user)
        except ValidationError as error:
            take_errors(form, error)
        else:
            messages.success(request, _price_words(saved.valid_from))
            return redirect("console:model", model_id=found.pk)
    return _model_page(request, found, ModelForm(instance=found), form)


def _price_words(valid_from: date) -> str:
    if valid_from <= timezone.now().date():
        return _("The price holds. Calls since its first day are counted anew in a moment.")
    return _("The price is in the book and holds from its first day on.")
