"""Two states of an agent side by side: any two revisions, or one and the draft."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final
from uuid import UUID

from django.http import Http404, HttpResponse
from django.utils.translation import gettext as _

from tenants.models import Agent, AgentRevision
from tenants.portal.access import TenantRequest, tenant_page
from tenants.portal.agent import find_agent
from tenants.portal.changes import compared
from tenants.portal.frame import render_page

DRAFT: Final = "draft"
OFFERED: Final = 200
"""Revisions in the two lists; older ones have an address all the same."""


@dataclass(frozen=True, kw_only=True)
class State:
    """A state that can be compared: `draft`, or the number of a revision."""

    key: str
    label: str


def states(agent: Agent) -> list[State]:
    """The draft, then the revisions, the newest first."""
    revisions = AgentRevision.objects.filter(agent=agent).only("number", "note")[:OFFERED]
    return [
        State(key=DRAFT, label=_("Draft")),
        *(State(key=str(one.number), label=_label(one)) for one in revisions),
    ]


def _label(revision: AgentRevision) -> str:
    text = _("Revision %(number)d") % {"number": revision.number}
    return f"{text}: {revision.note}" if revision.note else text


def _state(agent: Agent, key: str) -> Agent | AgentRevision:
    if key == DRAFT:
        return agent
    if not key.isdecimal() or len(key) > 9:
        raise Http404
    revisions = AgentRevision.objects.select_related("provider_account", "fallback_account")
    found = revisions.filter(agent=agent, number=int(key)).first()
    if found is None:
        raise Http404
    return found


def _name(state: Agent | AgentRevision) -> str:
    if isinstance(state, Agent):
        return _("the draft")
    return _("revision %(number)d") % {"number": state.number}


@tenant_page()
def agent_compare(request: TenantRequest, agent_id: UUID) -> HttpResponse:
    """`?a=3&b=draft`: what changes from a to b; else from what is published to the draft."""
    found = find_agent(agent_id)
    published = str(found.published.number) if found.published else DRAFT
    a, b = request.GET.get("a", published), request.GET.get("b", DRAFT)
    old, new = _state(found, a), _state(found, b)
    context = {
        "agent": found,
        "states": states(found),
        "a": a,
        "b": b,
        "old_name": _name(old),
        "new_name": _name(new),
        "rows": compared(old, new, request.tenant),
    }
    return render_page(request, "portal/agent_compare.html", context, here="agents")
