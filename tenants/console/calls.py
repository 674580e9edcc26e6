"""Calls of all tenants, without what was said on them and without who called."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from django import forms
from django.db.models import Q, QuerySet
from django.http import HttpResponse
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.utils.html import format_html
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from tenants.console.access import ConsoleRequest, console_page
from tenants.console.frame import render_page
from tenants.models import Call, CallProblem, Tenant, Worker
from tenants.models.call import OPEN_STATES
from tenants.models.choices import CallState
from tenants.portal import words
from tenants.portal.calls import shown_duration_ms
from tenants.portal.sound import sound
from tenants.portal.words import Badge
from tenants.services import support
from tenants.services.days import FAILED
from tenants.templatetags.ui import DASH

PAGE_SIZE: Final = 50
KEY_DIGITS: Final = 19
"""Of the largest primary key."""
Fact = tuple[str, Any, str]


@dataclass(frozen=True)
class CallLine:
    """A call in the console's list."""

    public_id: str
    tenant: str
    worker: str
    badge: Badge
    duration_ms: int | None
    model: str
    started_at: Any


class ConsoleCallFilter(forms.Form):
    """What the list is narrowed to; a value that does not exist narrows nothing."""

    OUTCOMES: Final = (
        ("", gettext_lazy("Any outcome")),
        ("running", gettext_lazy("Running now")),
        ("failed", gettext_lazy("With a failure")),
        ("refused", gettext_lazy("Refused")),
    )

    q = forms.CharField(required=False, max_length=255, label=gettext_lazy("SIP Call-ID or id"))
    tenant = forms.ModelChoiceField(
        Tenant.objects.none(),
        required=False,
        to_field_name="public_id",
        empty_label=gettext_lazy("Any tenant"),
        label=gettext_lazy("Tenant"),
    )
    outcome = forms.ChoiceField(choices=OUTCOMES, required=False, label=gettext_lazy("Outcome"))

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["tenant"].queryset = Tenant.objects.order_by("name")  # type: ignore[attr-defined]
        self.fields["q"].widget.attrs["placeholder"] = _("SIP Call-ID or id")

    def narrow(self, calls: QuerySet[Call]) -> QuerySet[Call]:
        self.is_valid()
        values = self.cleaned_data
        if text := (values.get("q") or "").strip():
            calls = calls.filter(_of_id(text))
        if tenant := values.get("tenant"):
            calls = calls.filter(tenant=tenant)
        conditions = {
            "running": Q(state__in=OPEN_STATES),
            "failed": Q(end_cause__in=FAILED),
            "refused": Q(state=CallState.REFUSED),
        }
        condition = conditions.get(values.get("outcome") or "")
        return calls.filter(condition) if condition else calls


def _of_id(text: str) -> Q:
    """Exactly: part of an id would need a look at every call."""
    try:
        return Q(sip_call_id=text) | Q(public_id=UUID(text))
    except ValueError:
        return Q(sip_call_id=text)


@console_page
def calls(request: ConsoleRequest) -> HttpResponse:
    """The newest first, a page at a time by the last one's place."""
    form = ConsoleCallFilter(request.GET)
    found = form.narrow(
        Call.all_tenants.select_related("tenant", "worker").defer("settings_used", "usage")
    )
    at = request.GET.get("at", "")
    if at.isdecimal() and len(at) < KEY_DIGITS:
        found = found.filter(pk__lt=int(at))
    page = list(found.order_by("-pk")[: PAGE_SIZE + 1])
    rows, more = page[:PAGE_SIZE], len(page) > PAGE_SIZE
    context = {
        "filter": form,
        "calls": [_line(call) for call in rows],
        "older": str(rows[-1].pk) if more else "",
    }
    return render_page(request, "console/calls.html", context, here="calls")


def _line(call: Call) -> CallLine:
    return CallLine(
        public_id=str(call.public_id),
        tenant=call.tenant.name if call.tenant else _("nobody's number"),
        worker=call.worker.name if call.worker else DASH,
        badge=words.outcome_badge(call),
        duration_ms=shown_duration_ms(call),
        model=call.model or DASH,
        started_at=call.started_at,
    )


@console_page
def call(request: ConsoleRequest, call_id: UUID) -> HttpResponse:
    found = get_object_or_404(
        Call.all_tenants.select_related("tenant", "worker"), public_id=call_id
    )
    context = {
        "line": _line(found),
        "call": found,
        "outcome": words.end_sentence(found),
        "facts": _facts(found),
        "grant": support.open_grant(found.tenant) if found.tenant else None,
        "heard": {"sound": sound(found)},
        "problems": [
            (words.problem_sentence(problem.kind), problem.code)
            for problem in CallProblem.all_tenants.filter(call=found)
        ],
    }
    return render_page(request, "console/call.html", context, here="calls")


def _facts(call: Call) -> list[Fact]:
    facts: list[Fact] = [
        (_("Tenant"), _link("tenant", call.tenant), ""),
        (_("Media worker"), _link("worker", call.worker), ""),
        (_("AI provider"), call.account_name, call.model),
        (_("Codec on the line"), call.codec, ""),
        (_("Came from"), call.source, ""),
        (_("SIP Call-ID"), call.sip_call_id, ""),
        (_("SIP status"), call.sip_status or "", ""),
        (_("Provider's session"), call.session_id, ""),
    ]
    return [fact for fact in facts if fact[1]]


def _link(kind: str, found: Tenant | Worker | None) -> str:
    """To the console's page of it."""
    if found is None:
        return ""
    url = reverse(f"console:{kind}", kwargs={f"{kind}_id": found.public_id})
    return format_html('<a href="{}">{}</a>', url, found.name)
