"""What people may ask of a call that runs: say, mute, transfer, listen in, end.

The forms are sent by actions.js, which shows the answer beside them; without scripts the answer
comes as a message on the call's page. What became of it stands in the call's log.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final
from uuid import UUID

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.http import HttpResponse, JsonResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from tenants.models import Call
from tenants.portal.access import TenantRequest, tenant_page
from tenants.portal.actions import actions
from tenants.portal.call import call_view, find_call
from tenants.portal.frame import feed_address, page_url
from tenants.portal.timeline import timeline
from tenants.services import commands
from tenants.services.calls import CallIsOver

REFUSED: Final = 422


@tenant_page("edit")
def call_actions(request: TenantRequest, call_id: UUID) -> HttpResponse:
    """The drawer of the wall: what is said now, and what may be asked of the call."""
    call = find_call(call_id)
    context = {
        "call": call_view(call, request.tenant.slug),
        "actions": actions(request, call),
        "timeline": timeline(call),
        "slug": request.tenant.slug,
        "url": page_url("call", request, call_id=call.public_id),
        "feed": feed_address(request, call=call),
    }
    return render(request, "components/call_drawer.html", context)


@require_POST
@tenant_page("edit")
def call_say(request: TenantRequest, call_id: UUID) -> HttpResponse:
    text = request.POST.get("text", "")
    return _answer(
        request,
        find_call(call_id),
        lambda call: commands.say(call=call, user=request.user, text=text),
        _("The agent says it as soon as it has finished what it is saying."),
    )


@require_POST
@tenant_page("edit")
def call_mute(request: TenantRequest, call_id: UUID) -> HttpResponse:
    muted = request.POST.get("muted") == "1"
    return _answer(
        request,
        find_call(call_id),
        lambda call: commands.mute(call=call, user=request.user, muted=muted),
        _("The agent is being muted.") if muted else _("The agent is let speak again."),
    )


@require_POST
@tenant_page("edit")
def call_transfer(request: TenantRequest, call_id: UUID) -> HttpResponse:
    """To one of the agent's own targets by its name, or to an address."""
    call = find_call(call_id)
    name = request.POST.get("target", "")
    known = {one.name: one.uri for one in getattr(actions(request, call), "targets", [])}
    uri = known.get(name) or request.POST.get("uri", "")
    label = name if name in known else ""
    return _answer(
        request,
        call,
        lambda call: commands.transfer(call=call, user=request.user, uri=uri, name=label),
        _("The caller is being connected."),
    )


@require_POST
@tenant_page("edit")
def call_hang_up(request: TenantRequest, call_id: UUID) -> HttpResponse:
    """Ask the media worker to end the call; the page shows it when it has happened."""
    return _answer(
        request,
        find_call(call_id),
        lambda call: commands.hang_up(call=call, user=request.user),
        _("The call is being ended."),
    )


def _answer(
    request: TenantRequest, call: Call, ask: Callable[[Call], Any], good: str
) -> HttpResponse:
    try:
        ask(call)
    except CallIsOver:
        problem = _("The call is over already, or its media worker is not connected.")
    except commands.WorkerTooOld:
        problem = _("The call's media worker is too old for this; your operator has to update it.")
    except ValidationError as error:
        problem = " ".join(error.messages)
    else:
        problem = ""
    if request.headers.get("Accept") == "application/json":
        answer = {"message": problem or good, "done": not problem}
        return JsonResponse(answer, status=REFUSED if problem else 200)
    if problem:
        messages.warning(request, problem)
    else:
        messages.success(request, good)
    return redirect(page_url("call", request, call_id=call.public_id))
