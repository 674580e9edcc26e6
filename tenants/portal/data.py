"""All the tenant's data in one file, and the end of the tenant."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django import forms
from django.contrib import messages
from django.core.exceptions import ValidationError
from django.http import Http404, HttpResponse, HttpResponseBase, StreamingHttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_POST

from tenants.models import DataExport
from tenants.models.choices import ExportState
from tenants.portal.access import TenantRequest, tenant_page
from tenants.portal.forms import take_errors
from tenants.portal.frame import page_url
from tenants.portal.settings_frame import render_settings
from tenants.portal.words import Badge
from tenants.services import audit, closing, exports


class CloseForm(forms.Form):
    name = forms.CharField(
        label=gettext_lazy("Type the company's name to say that you mean it"),
        max_length=150,
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
    )


@tenant_page("own")
def data(request: TenantRequest) -> HttpResponse:
    return _page(request, CloseForm())


@require_POST
@tenant_page("own")
def export_ask(request: TenantRequest) -> HttpResponse:
    try:
        exports.ask(tenant=request.tenant, user=request.user)
    except ValidationError as error:
        messages.error(request, " ".join(error.messages))
    else:
        messages.success(request, _("The export is being made. It shows here when it is ready."))
    return redirect(page_url("data", request))


@tenant_page("own")
def export_file(request: TenantRequest, export_id: UUID) -> HttpResponseBase:
    found = _find(export_id)
    if found.state != ExportState.READY:
        raise Http404
    audit.record("export.download", found, tenant=request.tenant, user=request.user)
    name = f"{request.tenant.slug}-{found.asked_at:%Y-%m-%d}.zip"
    answer = StreamingHttpResponse(
        exports.read(found.file.open("rb")), content_type="application/zip"
    )
    answer["Content-Length"] = str(found.size)
    answer["Content-Disposition"] = f'attachment; filename="{name}"'
    return answer


@require_POST
@tenant_page("own")
def export_delete(request: TenantRequest, export_id: UUID) -> HttpResponse:
    exports.delete(export=_find(export_id), user=request.user)
    messages.success(request, _("The export is deleted."))
    return redirect(page_url("data", request))


@require_POST
@tenant_page("own")
def close(request: TenantRequest) -> HttpResponse:
    form = CloseForm(request.POST)
    if not form.is_valid():
        return _page(request, form)
    try:
        closing.ask(tenant=request.tenant, user=request.user, name=form.cleaned_data["name"])
    except ValidationError as error:
        take_errors(form, error)
        return _page(request, form)
    messages.success(request, _("The company is to be deleted. Until then, take it back here."))
    return redirect(page_url("data", request))


@require_POST
@tenant_page("own")
def close_take_back(request: TenantRequest) -> HttpResponse:
    closing.take_back(tenant=request.tenant, user=request.user)
    messages.success(request, _("Nothing is deleted: the company stays."))
    return redirect(page_url("data", request))


def _find(export_id: UUID) -> DataExport:
    return get_object_or_404(DataExport.objects.select_related("tenant"), public_id=export_id)


def _page(request: TenantRequest, form: CloseForm) -> HttpResponse:
    tones = {
        ExportState.WAITING: "live",
        ExportState.READY: "good",
        ExportState.FAILED: "bad",
    }
    found = list(DataExport.objects.select_related("asked_by")[:20])
    rows: list[dict[str, Any]] = [
        {
            "export": row,
            "badge": Badge(row.get_state_display(), tones[ExportState(row.state)], row.state),
            "file": page_url("export_file", request, export_id=row.public_id)
            if row.state == ExportState.READY
            else "",
            "delete": page_url("export_delete", request, export_id=row.public_id)
            if row.state != ExportState.WAITING
            else "",
        }
        for row in found
    ]
    context = {
        "exports": rows,
        "is_waiting": any(row.state == ExportState.WAITING for row in found),
        "form": form,
        "grace_days": closing.GRACE.days,
    }
    return render_settings(request, "portal/data.html", context, page="data")
