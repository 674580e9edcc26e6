"""Agents: the list, and a new one."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.http import HttpResponse
from django.shortcuts import redirect
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from tenants.models import Agent, AgentRevision
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
    updated_at: datetime
    revision: AgentRevision | None
    badge: Badge


def publish_badge(agent: Agent) -> Badge:
    """Whether what is edited is what answers calls."""
    if agent.published is None:
        return Badge(gettext_lazy("Never published"), "warn", "unpublished")
    if has_unpublished_changes(agent):
        return Badge(gettext_lazy("Draft with changes"), "quiet", "changed")
    return Badge(gettext_lazy("Published"), "good", "published")


@tenant_page()
def agents(request: TenantRequest) -> HttpResponse:
    rows = [
        AgentRow(
            name=agent.name,
            url=page_url("agent", request, agent_id=agent.public_id),
            numbers=[number.number for number in agent.numbers.all()],
            updated_at=agent.updated_at,
            revision=agent.published,
            badge=publish_badge(agent),
        )
        for agent in Agent.objects.prefetch_related("numbers")
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
