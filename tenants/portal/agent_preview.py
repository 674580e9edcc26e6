"""The prompt as a caller's agent would get it, while it is being written."""

from __future__ import annotations

from typing import Final
from uuid import UUID

from django.http import HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_POST

from tenants.portal.access import TenantRequest, tenant_page
from tenants.portal.agent import find_agent
from tenants.portal.prompt_preview import preview_of
from tenants.services.effective import effective_settings
from tenants.services.variables import sample

TEXT_LIMIT: Final = 32_000


@require_POST
@tenant_page("edit")
def agent_preview(request: TenantRequest, agent_id: UUID) -> HttpResponse:
    """A part of the editor; a prompt that is empty is inherited."""
    found = find_agent(agent_id)
    settings = effective_settings(tenant=request.tenant, source=found)
    typed = request.POST.get("instructions", "")[:TEXT_LIMIT]
    text = typed if typed.strip() else str(settings["instructions"].inherited)
    context = preview_of(text, sample(found, settings.language))
    return render(request, "components/prompt_preview.html", context)
