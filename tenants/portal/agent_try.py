"""Trying an agent: talk to it from the browser, or write with it."""

from __future__ import annotations

from uuid import UUID

from django.http import HttpResponse, JsonResponse
from django.shortcuts import get_object_or_404
from django.utils.translation import get_language
from django.views.decorators.http import require_POST

from tenants.live.paths import socket_path
from tenants.live.talk import call_addresses
from tenants.models import Agent, Call
from tenants.models.choices import CallKind
from tenants.portal.access import TenantRequest, tenant_page
from tenants.portal.agent import find_agent
from tenants.portal.frame import render_page
from tenants.services import trial
from tenants.services.calls import CallIsOver
from tenants.services.commands import hang_up

KEYS = tuple("123456789*0#")


@tenant_page("edit")
def agent_try(request: TenantRequest, agent_id: UUID) -> HttpResponse:
    found = find_agent(agent_id)
    wanted = request.GET.get("source")
    context = {
        "agent": found,
        "published": found.published,
        "source": "published" if wanted == "published" and found.published else "draft",
        "talk": socket_path(
            "t", request.tenant.slug, "agents", found.public_id, "talk", lang=get_language() or ""
        ),
        "keys": KEYS,
        "text_limit": trial.TEXT_LIMIT,
    }
    return render_page(request, "portal/agent_try.html", context, here="agents")


@require_POST
@tenant_page("edit")
def agent_chat(request: TenantRequest, agent_id: UUID) -> JsonResponse:
    """Begin a chat, or with its `call` write `text` in it or `end` it; 409 says why not."""
    found = find_agent(agent_id)
    try:
        return JsonResponse(_chat(request, found))
    except trial.CannotTry as error:
        return JsonResponse({"error": str(error)}, status=409)


def _chat(request: TenantRequest, agent: Agent) -> dict[str, str]:
    """Raises CannotTry."""
    if not request.POST.get("call"):
        source: trial.Source = "published" if request.POST.get("source") == "published" else "draft"
        call = trial.begin_chat(agent=agent, source=source, user=request.user)
        return call_addresses(call, request.tenant.slug, get_language() or "")
    call = _own_chat(request, agent)
    if "end" in request.POST:
        try:
            hang_up(call=call, user=request.user)
        except CallIsOver:
            return {}
        return {}
    return {"item_id": trial.say_in_chat(call=call, text=request.POST.get("text", ""))}


def _own_chat(request: TenantRequest, agent: Agent) -> Call:
    """The person's own chat, else 404."""
    try:
        key = UUID(request.POST["call"])
    except ValueError:
        key = UUID(int=0)
    chats = Call.objects.select_related("tenant", "worker").filter(
        agent=agent, kind=CallKind.CHAT, placed_by=request.user
    )
    return get_object_or_404(chats, public_id=key)
