"""Keys to the REST API: made, shown once, withdrawn."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from django import forms
from django.contrib import messages
from django.core.exceptions import ValidationError
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, pgettext_lazy
from django.views.decorators.http import require_POST

from tenants.models import ApiToken
from tenants.models.token import SCOPES
from tenants.portal.access import TenantRequest, tenant_page
from tenants.portal.forms import take_errors
from tenants.portal.frame import page_url
from tenants.portal.settings_frame import render_settings
from tenants.portal.words import Badge
from tenants.services import tokens as service

AREAS: Final = {
    "calls": gettext_lazy("Calls, transcripts, recordings"),
    "live": gettext_lazy("Running calls"),
    "agents": gettext_lazy("Agents"),
    "numbers": gettext_lazy("Numbers"),
    "settings": gettext_lazy("Settings"),
    "accounts": gettext_lazy("Provider accounts"),
    "members": gettext_lazy("Members"),
    "usage": gettext_lazy("Usage"),
    "audit": gettext_lazy("Audit log"),
    "stream": gettext_lazy("Event stream"),
}
LEVELS: Final = {
    "read": pgettext_lazy("right of a token", "Read"),
    "write": pgettext_lazy("right of a token", "Change"),
    "act": pgettext_lazy("right of a token", "Step in"),
}
LIFETIMES: Final = (
    ("30", gettext_lazy("30 days")),
    ("90", gettext_lazy("90 days")),
    ("365", gettext_lazy("1 year")),
    ("", gettext_lazy("until it is withdrawn")),
)


class TokenForm(forms.Form):
    name = forms.CharField(
        label=gettext_lazy("Name"),
        max_length=100,
        help_text=gettext_lazy("What will use it: “CRM”, “Nightly export”."),
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
    )
    days = forms.ChoiceField(
        label=gettext_lazy("Holds"), choices=LIFETIMES, required=False, initial="90"
    )
    scopes = forms.MultipleChoiceField(required=False, choices=[(scope, scope) for scope in SCOPES])

    def expires_at(self) -> datetime | None:
        days = self.cleaned_data["days"]
        return timezone.now() + timedelta(days=int(days)) if days else None


def scope_words(scope: str) -> str:
    """`calls:read` as a person says it."""
    area, _colon, level = scope.partition(":")
    return f"{AREAS[area]}: {LEVELS[level]}"


@tenant_page("manage")
def tokens(request: TenantRequest) -> HttpResponse:
    now = timezone.now()
    rows = [
        {
            "token": token,
            "badge": _badge(token, now),
            "holds": token.holds_at(now),
            "scopes": [scope_words(scope) for scope in token.scopes],
            "revoke": page_url("token_revoke", request, token_id=token.public_id),
        }
        for token in ApiToken.objects.select_related("created_by")[:200]
    ]
    rows.sort(key=lambda row: not row["holds"])
    return render_settings(request, "portal/tokens.html", {"tokens": rows}, page="tokens")


@tenant_page("manage")
def token_new(request: TenantRequest) -> HttpResponse:
    """The form; after it the token, this once, for nothing of it is kept that could show it."""
    form = TokenForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            token, text = service.create_token(
                tenant=request.tenant,
                user=request.user,
                name=form.cleaned_data["name"],
                scopes=form.cleaned_data["scopes"],
                expires_at=form.expires_at(),
            )
        except ValidationError as error:
            take_errors(form, error)
        else:
            shown = {"token": token, "text": text}
            return render_settings(request, "portal/token_made.html", shown, page="tokens")
    context = {"form": form, "areas": _areas(request, form)}
    return render_settings(request, "portal/token_new.html", context, page="tokens")


@require_POST
@tenant_page("manage")
def token_revoke(request: TenantRequest, token_id: UUID) -> HttpResponse:
    found = get_object_or_404(ApiToken.objects.select_related("tenant"), public_id=token_id)
    service.revoke_token(token=found, user=request.user)
    messages.success(
        request, _("“%(name)s” is withdrawn and refused from now on.") % {"name": found.name}
    )
    return redirect(page_url("tokens", request))


def _badge(token: ApiToken, now: datetime) -> Badge:
    if token.revoked_at:
        return Badge(_("withdrawn"), "quiet", "revoked")
    if not token.holds_at(now):
        return Badge(_("run out"), "quiet", "expired")
    return Badge(_("valid"), "good", "valid")


def _areas(request: TenantRequest, form: TokenForm) -> list[dict[str, Any]]:
    """Rows of the table of rights; what the person may not do themselves cannot be chosen."""
    allowed = service.grantable(request.member)
    chosen = form["scopes"].value() or []
    return [
        {
            "label": label,
            "boxes": [
                {
                    "scope": f"{area}:{level}",
                    "label": words,
                    "checked": f"{area}:{level}" in chosen,
                    "off": f"{area}:{level}" not in allowed,
                }
                for level, words in LEVELS.items()
                if f"{area}:{level}" in SCOPES
            ],
        }
        for area, label in AREAS.items()
    ]
