"""The audit log of all tenants and of the installation itself.

Of a tenant's entries it shows who did what and when, but nothing of what its agents are told, of
its callers and of what was said: that is the tenant's own.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from django.http import HttpResponse
from django.urls import reverse
from django.utils.translation import gettext as _

from tenants.console.access import ConsoleRequest, console_page
from tenants.console.frame import render_page
from tenants.models import AuditEntry
from tenants.models.settings import SETTING_NAMES
from tenants.portal import audit_words
from tenants.portal.audit import AuditLine, audit_context, line
from tenants.services import tenants, tokens

OWN_WORDS: Final = frozenset(
    {"instructions", "greetings", "consents", "apologies", "session_extra"}
)
"""Settings in a tenant's own words."""
SHOWN: Final = (
    frozenset(SETTING_NAMES) - OWN_WORDS
    | {*tenants.AUDITED, *tokens.AUDITED}
    | {
        *("email", "role", "reason", "closing_at", "languages", "listen_in"),
        *("keep_transcripts_days", "keep_recordings_days", "transcripts", "recordings"),
        *("url", "auth", "secret", "issuer", "client_id", "domains", "identity"),
        *("entity_id", "sso_url", "certificates"),
        *("number", "label", "agent", "opening_hours", "size", "message", "way"),
        *("revision", "draft_version", "source", "kind", "format", "texts", "muted"),
        *("call", "began", "duration_ms", "cost", "currency"),
    }
)
"""Fields whose values the operator sees; of all others only that they changed."""
OF_CALLS: Final = frozenset({"call", "recording", "callnote", "prompt"})
"""Rows that call themselves by a caller's number, or by what is said or written there."""


@console_page
def audit(request: ConsoleRequest) -> HttpResponse:
    context = {**audit_context(request, None, operators_line), "with_tenant": True}
    return render_page(request, "console/audit.html", context, here="audit")


def operators_line(row: AuditEntry) -> AuditLine:
    """An entry as the operator reads it."""
    if row.tenant_id is None:
        return line(row)
    is_of_call = row.target_kind in OF_CALLS
    # The name in a call's entry is of somebody to whom it was transferred.
    may = SHOWN - {"name"} if is_of_call else SHOWN
    hidden = {name for name in (*row.changes, *row.detail) if name not in may}
    row.changes = {name: pair for name, pair in row.changes.items() if name in may}
    row.detail = {name: value for name, value in row.detail.items() if name in may}
    if is_of_call:
        row.target = "" if row.target_kind == "prompt" else _("call")
    shown = line(row)
    kept = [(audit_words.field(name), _("not shown")) for name in sorted(hidden)]
    is_call = row.target_kind == "call"
    url = reverse("console:call", args=[row.target_id]) if is_call else ""
    return replace(shown, details=[*shown.details, *kept], url=url)
