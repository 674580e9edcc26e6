"""The audit log: who changed what, with old and new value."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django import forms
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from tenants.models import AuditEntry, Member, Tenant, User
from tenants.portal import audit_words
from tenants.portal.access import TenantRequest, tenant_page
from tenants.portal.settings_frame import render_settings
from tenants.services import audit_log


class AuditFilter(forms.Form):
    """What the log is narrowed to; a value that does not exist narrows nothing."""

    whose = forms.ModelChoiceField(
        Tenant.objects.none(),
        required=False,
        to_field_name="public_id",
        label=gettext_lazy("Tenant"),
        empty_label=gettext_lazy("Any tenant"),
    )
    what = forms.ChoiceField(required=False, label=gettext_lazy("What"))
    who = forms.ModelChoiceField(
        User.objects.none(),
        required=False,
        to_field_name="public_id",
        label=gettext_lazy("Who"),
        empty_label=gettext_lazy("Anybody"),
    )
    since = forms.DateField(
        required=False,
        label=gettext_lazy("From"),
        widget=forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d"),
    )
    until = forms.DateField(
        required=False,
        label=gettext_lazy("To"),
        widget=forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d"),
    )

    def __init__(self, *args: Any, tenant: Tenant | None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        nouns = audit_words.nouns() if tenant is None else audit_log.nouns(tenant)
        what: Any = self.fields["what"]
        what.choices = [
            ("", _("Anything")),
            *((noun, audit_words.noun(noun)) for noun in nouns),
        ]
        who: Any = self.fields["who"]
        if tenant is None:
            who.queryset = User.objects.filter(is_staff=True)
            whose: Any = self.fields["whose"]
            whose.queryset = Tenant.objects.order_by("name")
        else:
            del self.fields["whose"]
            people = Member.all_tenants.filter(tenant=tenant).values("user")
            who.queryset = User.objects.filter(pk__in=people)

    def query(self, tenant: Tenant | None, cursor: str) -> audit_log.AuditQuery:
        self.is_valid()
        values = self.cleaned_data
        until = _midnight(values.get("until"))
        return audit_log.AuditQuery(
            tenant=tenant or values.get("whose"),
            user=values.get("who"),
            noun=values.get("what") or "",
            since=_midnight(values.get("since")),
            until=until + timedelta(days=1) if until else None,
            cursor=cursor,
        )


@dataclass(frozen=True)
class AuditLine:
    """An entry as a person reads it."""

    row: AuditEntry
    words: str
    who: str
    way: str
    changes: list[tuple[str, str, str]]
    details: list[tuple[str, str]]
    url: str = ""
    """Of what it was done to; empty: it has no page."""


def line(row: AuditEntry) -> AuditLine:
    return AuditLine(
        row=row,
        words=audit_words.action(row.action),
        who=row.actor_label or (row.user.get_full_name() if row.user else _("the system")),
        way=row.get_via_display() if row.via else "",
        changes=[
            (audit_words.field(name), old, new)
            for name, pair in sorted(row.changes.items())
            if isinstance(pair, list) and len(pair) == 2
            for old, new in [[audit_words.value(side, name) for side in pair]]
            if old != new
        ],
        details=[
            (audit_words.field(name), audit_words.value(value, name))
            for name, value in sorted(row.detail.items())
            if value not in ("", None, [], {})
        ],
    )


def audit_context(
    request: HttpRequest,
    tenant: Tenant | None,
    read: Callable[[AuditEntry], AuditLine] = line,
) -> dict[str, Any]:
    """Context of components/audit_lines.html for a tenant, or for all; `read` puts into words."""
    form = AuditFilter(request.GET, tenant=tenant)
    found = audit_log.page(form.query(tenant, request.GET.get("at", "")))
    return {
        "form": form,
        "lines": [read(row) for row in found.rows],
        "older": found.older,
        "is_later": "at" in request.GET,
        "narrowed": any(request.GET.get(name) for name in form.fields),
    }


@tenant_page("manage")
def audit(request: TenantRequest) -> HttpResponse:
    context = audit_context(request, request.tenant)
    return render_settings(request, "portal/audit.html", context, page="audit")


def _midnight(day: Any) -> datetime | None:
    """The beginning of a day on the reader's clock."""
    if day is None:
        return None
    return timezone.make_aware(datetime.combine(day, datetime.min.time()))
