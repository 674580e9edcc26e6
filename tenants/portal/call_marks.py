"""What people add to a call: tags, notes; and deleting the call."""

from __future__ import annotations

from uuid import UUID

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.http import HttpResponse, HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from tenants.access import may
from tenants.models import Call, CallNote
from tenants.portal.access import TenantRequest, tenant_page
from tenants.portal.call import find_call
from tenants.portal.frame import page_url
from tenants.portal.marks import marks
from tenants.services import call_marks, keeping


@require_POST
@tenant_page("edit")
def call_tags(request: TenantRequest, call_id: UUID) -> HttpResponseBase:
    """Add a tag (`name`), or take one off (`remove`)."""
    call = find_call(call_id)
    name = request.POST.get("name", "")
    try:
        if removed := request.POST.get("remove", ""):
            call_marks.remove_tag(call=call, name=removed, user=request.user)
        elif name.strip():
            call_marks.add_tag(call=call, name=name, user=request.user)
    except ValidationError as error:
        return _answer(request, call, " ".join(error.messages))
    return _answer(request, call)


@require_POST
@tenant_page("edit")
def call_notes(request: TenantRequest, call_id: UUID) -> HttpResponseBase:
    """Add a note (`text`), or delete one (`delete`): one's own, or any for who manages."""
    call = find_call(call_id)
    text = request.POST.get("text", "")
    try:
        if key := request.POST.get("delete", ""):
            _delete_note(request, call, key)
        elif text.strip():
            call_marks.add_note(call=call, text=text, user=request.user)
    except ValidationError as error:
        return _answer(request, call, " ".join(error.messages), text)
    return _answer(request, call)


def _delete_note(request: TenantRequest, call: Call, key: str) -> None:
    found = CallNote.objects.filter(call=call)
    if not may(request.member, "manage"):
        found = found.filter(user=request.user)
    try:
        note = get_object_or_404(found, public_id=key)
    except ValidationError:
        return
    call_marks.delete_note(note=note, user=request.user)


def _answer(
    request: TenantRequest, call: Call, problem: str = "", typed: str = ""
) -> HttpResponseBase:
    """The card anew for htmx, so that a recording plays on; else the page."""
    if request.headers.get("HX-Request"):
        shown = marks(request, call, problem, typed)
        return render(request, "components/call_marks.html", {"marks": shown})
    if problem:
        messages.warning(request, problem)
    return redirect(page_url("call", request, call_id=call.public_id))


@require_POST
@tenant_page("manage")
def call_delete(request: TenantRequest, call_id: UUID) -> HttpResponse:
    call = find_call(call_id)
    try:
        keeping.delete_call(call=call, user=request.user)
    except keeping.CallRuns:
        messages.warning(request, _("A call that runs cannot be deleted. End it first."))
        return redirect(page_url("call", request, call_id=call.public_id))
    messages.success(request, _("The call was deleted."))
    return redirect(page_url("calls", request))
