"""Agents: the list, and a new one."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.db.models import OuterRef, Subquery
from django.http import HttpResponse
from django.shortcuts import redirect
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from tenants.models import Agent, AgentRevision, Call, Number
from tenants.portal.access import TenantRequest, tenant_page
from tenants.portal.agent_form import NewAgentForm
from tenants.portal.forms import take_errors
from tenants.portal.frame import page_url, render_page
from tenants.portal.words import Badge
from tenants.services.publishing import has_unpublished_changes, save_draft


@dataclass(frozen=True, kw_only=True)
class AgentRow:
    name: str
    url: str
    numbers: list[str]
    revision: AgentRevision | None
    badge: Badge
    last_call: Call | None
    last_call_url: str


def publish_badge(agent: Agent) -> Badge:
    """Whether what is edited is what answers calls."""
    if agent.published is None:
        return Badge(gettext_lazy("Never published"), "warn", "unpublished")
    if has_unpublished_changes(agent):
        return Badge(gettext_lazy("Draft with changes"), "quiet", "changed")
    return Badge(gettext_lazy("Published"), "good", "published")


def numbers_of(agents: Iterable[Agent]) -> dict[int, list[str]]:
    """The numbers that lead to each agent, in one query: a scoped manager forgets a prefetch."""
    found: dict[int, list[str]] = {agent.pk: [] for agent in agents}
    for number in Number.objects.filter(agent__in=found):
        found[number.agent_id].append(number.number)
    return found


def last_calls(agents: Iterable[Agent]) -> dict[int, Call]:
    """The newest call of each agent, by the agent's key; two queries for any number of agents."""
    newest = Call.objects.filter(agent=OuterRef("pk")).order_by("-started_at", "-pk")
    keys = Agent.objects.filter(pk__in=[agent.pk for agent in agents]).annotate(
        last=Subquery(newest.values("pk")[:1])
    )
    found = Call.objects.filter(pk__in=list(keys.values_list("last", flat=True)))
    return {call.agent_id: call for call in found if call.agent_id}


@tenant_page()
def agents(request: TenantRequest) -> HttpResponse:
    found = list(Agent.objects.select_related("published_revision"))
    calls, numbers = last_calls(found), numbers_of(found)
    rows = [
        AgentRow(
            name=agent.name,
            url=page_url("agent", request, agent_id=agent.public_id),
            numbers=numbers[agent.pk],
            revision=agent.published,
            badge=publish_badge(agent),
            last_call=(last := calls.get(agent.pk)),
            last_call_url=page_url("call", request, call_id=last.public_id) if last else "",
        )
        for agent in found
    ]
    return render_page(request, "portal/agents.html", {"agents": rows}, here="agents")


@tenant_page("edit")
def agent_new(request: TenantRequest) -> HttpResponse:
    form = NewAgentForm(request.POST or None, instance=Agent(tenant=request.tenant))
    if request.method == "POST" and form.is_valid():
        try:
            agent = save_draft(agent=form.instance, user=request.user)
        except ValidationError as error:
            take_errors(form, error)
        else:
            messages.success(request, _("“%(name)s” was created.") % {"name": agent.name})
            return redirect(page_url("agent", request, agent_id=agent.public_id))
    return render_page(request, "portal/agent_new.html", {"form": form}, here="agents")
