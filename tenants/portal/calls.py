"""The list of calls, and a call as a row of any list."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Final

from django.db.models import QuerySet
from django.http import HttpResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _

from tenants.models import Call
from tenants.models.choices import CallKind, CallState
from tenants.models.settings import SETTING_NAMES
from tenants.portal import words
from tenants.portal.access import TenantRequest, tenant_page
from tenants.portal.call_filter import CallFilter
from tenants.portal.frame import render_page
from tenants.portal.timeline import element_id
from tenants.portal.words import RUNNING_STATES, Badge
from tenants.services.calls_list import BadCursor, Page, page
from tenants.services.search import Snippet, snippets
from tenants.templatetags.ui import DASH

PAGE_SIZE: Final = 50
NOT_IN_A_ROW: Final = (
    "settings_used",
    "usage",
    *(f"{of}__{name}" for of in ("agent", "revision") for name in SETTING_NAMES),
    *(f"{of}__transfer_targets" for of in ("agent", "revision")),
)
"""Of a call, its agent and its revision: long texts and documents."""


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
    snippet: Snippet | None = None
    """The words around what was searched for."""


def caller_text(call: Call) -> str:
    """Who called: the name with the number, as far as they are known."""
    if call.calling_name and call.calling:
        return f"{call.calling_name} ({call.calling})"
    return call.calling_name or call.calling or _("unknown caller")


def called_text(call: Call) -> str:
    """What was called: the number as dialled, with its label here; or how it was tried."""
    if call.kind != CallKind.PHONE:
        return call.get_kind_display()
    if call.number and call.number.label:
        return f"{call.number.label} ({call.called})"
    return call.called


def agent_text(call: Call) -> str:
    if call.revision:
        return _("%(name)s, revision %(number)d") % {
            "name": call.revision.name,
            "number": call.revision.number,
        }
    if call.agent and call.draft_version is not None:
        return _("%(name)s, draft") % {"name": call.agent.name}
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
    return calls.select_related("number", "agent", "revision").defer(*NOT_IN_A_ROW)


@tenant_page()
def calls(request: TenantRequest) -> HttpResponse:
    form = CallFilter(request.GET)
    shown = page_of(request, form)
    context = {
        "filter": form,
        "page": shown,
        "calls": found_rows(shown.rows, form.cleaned_data.get("q", ""), request.tenant.slug),
    }
    return render_page(request, "portal/calls.html", context, here="calls")


def page_of(request: TenantRequest, form: CallFilter) -> Page:
    """The page that the address names; the first one if it names none that there could be."""
    calls = with_names(Call.objects.all())
    for cursor in (request.GET.get("at", ""), ""):
        try:
            return page(
                query=form.query(cursor), tenant=request.tenant, size=PAGE_SIZE, calls=calls
            )
        except BadCursor:
            continue
    raise AssertionError("A query without a cursor has a page.")


def found_rows(found: list[Call], text: str, slug: str) -> list[CallRow]:
    """Rows, with the words around what was searched for; their links lead to where it was said."""
    said = snippets(found, text) if text else {}
    return [_found_row(call_row(call, slug), said.get(call.pk)) for call in found]


def _found_row(row: CallRow, snippet: Snippet | None) -> CallRow:
    if snippet is None:
        return row
    place = f"{row.url}#{element_id('entry', snippet.item_id)}"
    return replace(row, snippet=snippet, url=place)
