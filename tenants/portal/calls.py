"""The list of calls, and a call as a row of any list."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from django import forms
from django.core.paginator import Paginator
from django.db.models import Q, QuerySet
from django.http import HttpResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from tenants.models import Agent, Call
from tenants.models.choices import CallState, EndCause
from tenants.portal import words
from tenants.portal.access import TenantRequest, tenant_page
from tenants.portal.frame import render_page
from tenants.portal.words import RUNNING_STATES, Badge
from tenants.templatetags.ui import DASH

PAGE_SIZE: Final = 50
FAILED_CAUSES: Final = (
    EndCause.PROVIDER_FAILED,
    EndCause.INTERRUPTED,
    EndCause.MEDIA_LOST,
    EndCause.INTERNAL_ERROR,
)


@dataclass(frozen=True, kw_only=True)
class CallRow:
    """A call in a list; what the templates call_row.html and call_table.html show."""

    element_id: str
    public_id: str
    position: int
    url: str
    from_text: str
    to_text: str
    agent_text: str
    badge: Badge
    since: str
    duration_ms: int | None
    started_at: Any


def caller_text(call: Call) -> str:
    """Who called: the name with the number, as far as they are known."""
    if call.calling_name and call.calling:
        return f"{call.calling_name} ({call.calling})"
    return call.calling_name or call.calling or _("unknown caller")


def called_text(call: Call) -> str:
    """What was called: the number as dialled, with the label that it has here."""
    if call.number and call.number.label:
        return f"{call.number.label} ({call.called})"
    return call.called


def agent_text(call: Call) -> str:
    if call.revision:
        return _("%(name)s, revision %(number)d") % {
            "name": call.revision.name,
            "number": call.revision.number,
        }
    return call.agent.name if call.agent else DASH


def shown_duration_ms(call: Call) -> int | None:
    """How long it lasts or lasted; None when it was never answered."""
    if call.answered_at is None:
        return None
    if call.state in RUNNING_STATES:
        return int((timezone.now() - call.answered_at).total_seconds() * 1000)
    return call.duration_ms


def call_row(call: Call, slug: str) -> CallRow:
    since = call.answered_at if call.state == CallState.RUNNING else None
    return CallRow(
        element_id=f"call-{call.public_id}",
        public_id=str(call.public_id),
        position=-int(call.started_at.timestamp() * 1000),
        url=reverse("portal:call", kwargs={"slug": slug, "call_id": call.public_id}),
        from_text=caller_text(call),
        to_text=called_text(call),
        agent_text=agent_text(call),
        badge=words.outcome_badge(call),
        since=since.isoformat() if since else "",
        duration_ms=shown_duration_ms(call),
        started_at=call.started_at,
    )


def with_names(calls: QuerySet[Call]) -> QuerySet[Call]:
    """Load what a row says about a call in the same query."""
    return calls.select_related("number", "agent", "revision")


class CallFilter(forms.Form):
    """What the list is narrowed to; a value that does not exist narrows nothing."""

    OUTCOMES: Final = (
        ("", gettext_lazy("Any outcome")),
        ("running", gettext_lazy("Running now")),
        ("transferred", gettext_lazy("Transferred")),
        ("failed", gettext_lazy("With a failure")),
        ("refused", gettext_lazy("Refused")),
    )

    q = forms.CharField(required=False, max_length=100, label=gettext_lazy("Search"))
    agent = forms.ModelChoiceField(
        Agent.all_tenants.none(),
        required=False,
        to_field_name="public_id",
        empty_label=gettext_lazy("Any agent"),
        label=gettext_lazy("Agent"),
    )
    outcome = forms.ChoiceField(choices=OUTCOMES, required=False, label=gettext_lazy("Outcome"))

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["agent"].queryset = Agent.objects.all()  # type: ignore[attr-defined]
        self.fields["q"].widget.attrs.update(
            {"type": "search", "placeholder": _("Number or name"), "class": "filter-search"}
        )

    @property
    def is_narrowing(self) -> bool:
        self.is_valid()
        return any(self.cleaned_data.values())

    def narrow(self, calls: QuerySet[Call]) -> QuerySet[Call]:
        self.is_valid()
        values = self.cleaned_data
        if text := values.get("q"):
            calls = calls.filter(
                Q(calling__icontains=text)
                | Q(calling_name__icontains=text)
                | Q(called__icontains=text)
                | Q(number__label__icontains=text)
            )
        if agent := values.get("agent"):
            calls = calls.filter(agent=agent)
        conditions = {
            "running": Q(state__in=RUNNING_STATES),
            "transferred": Q(end_cause=EndCause.TRANSFERRED),
            "failed": Q(end_cause__in=FAILED_CAUSES),
            "refused": Q(state=CallState.REFUSED),
        }
        if condition := conditions.get(values.get("outcome", "")):
            calls = calls.filter(condition)
        return calls


@tenant_page()
def calls(request: TenantRequest) -> HttpResponse:
    form = CallFilter(request.GET)
    found = form.narrow(with_names(Call.objects.all()))
    page = Paginator(found, PAGE_SIZE).get_page(request.GET.get("page"))
    context = {
        "filter": form,
        "page": page,
        "calls": [call_row(call, request.tenant.slug) for call in page],
    }
    return render_page(request, "portal/calls.html", context, here="calls")
