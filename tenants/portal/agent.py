"""One agent: its editor, publishing, history, rolling back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from django import forms
from django.contrib import messages
from django.core.exceptions import ValidationError
from django.core.paginator import Paginator
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_POST

from tenants.access import may
from tenants.models import Agent, AgentRevision
from tenants.portal import setting_words
from tenants.portal.access import TenantRequest, tenant_page
from tenants.portal.agent_form import AgentForm
from tenants.portal.agents import publish_badge
from tenants.portal.changes import changes, compared
from tenants.portal.forms import take_errors
from tenants.portal.frame import page_url, render_page
from tenants.portal.prompt_preview import preview_of, unknown_variables, variable_rows
from tenants.portal.prompts import first_words
from tenants.services import publishing
from tenants.services.effective import EffectiveSettings, effective_settings
from tenants.services.publishing import DraftConflict
from tenants.services.variables import sample

HISTORY_PAGE: Final = 30
EFFECTIVE_SHOWN: Final = (
    "provider_account", "model", "voice", "language", "audio_format", "vad_mode", "interrupt",
    "transcription_model",
)  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class EffectiveRow:
    label: str | Promise
    text: str
    level: str


def effective_rows(effective: EffectiveSettings) -> list[EffectiveRow]:
    """What holds for the calls of an agent, in a few lines."""
    return [
        EffectiveRow(
            label=setting_words.LABELS[name],
            text=setting_words.short(name, effective[name].value),
            level=effective[name].level,
        )
        for name in EFFECTIVE_SHOWN
    ]


def find_agent(agent_id: UUID) -> Agent:
    """An agent of the tenant in scope, else 404."""
    return get_object_or_404(
        Agent.objects.select_related(
            "provider_account",
            "fallback_account",
            "updated_by",
            "tenant",
            "published_revision__provider_account",
            "published_revision__fallback_account",
        ),
        public_id=agent_id,
    )


@tenant_page(post="edit")
def agent(request: TenantRequest, agent_id: UUID) -> HttpResponse:
    draft = find_agent(agent_id)
    effective = effective_settings(tenant=request.tenant, source=draft)
    form = AgentForm(
        request.POST or None,
        instance=draft,
        tenant=request.tenant,
        effective=effective,
        read_only=not may(request.member, "edit"),
    )
    conflict = None
    if request.method == "POST" and form.is_valid():
        try:
            publishing.save_draft(
                agent=form.instance,
                user=request.user,
                expected_version=form.cleaned_data["draft_version"],
            )
        except ValidationError as error:
            take_errors(form, error)
        except DraftConflict:
            conflict = find_agent(agent_id)
            form = _with_version(form, conflict.draft_version)
        else:
            return _saved(request, draft)
    if request.method == "POST":
        # The page's facts are those of the stored draft: a refused form has changed its instance.
        draft = find_agent(agent_id)
        effective = effective_settings(tenant=request.tenant, source=draft)
    return _editor(request, draft, effective, form, conflict)


def _with_version(form: AgentForm, version: int) -> AgentForm:
    """The same words, ready to be saved over the other person's."""
    data: Any = form.data.copy()  # type: ignore[attr-defined]
    data["draft_version"] = version
    form.data = data
    return form


def _saved(request: TenantRequest, draft: Agent) -> HttpResponse:
    if "publish" in request.POST:
        return redirect(page_url("agent_publish", request, agent_id=draft.public_id))
    messages.success(request, _("The draft is saved. Calls use it once it is published."))
    return redirect(page_url("agent", request, agent_id=draft.public_id))


def _editor(
    request: TenantRequest,
    stored: Agent,
    effective: EffectiveSettings,
    form: AgentForm,
    conflict: Agent | None,
) -> HttpResponse:
    published = stored.published
    values = sample(stored, effective.language)
    context = {
        **preview_of(_shown_prompt(form, effective), values),
        "agent": stored,
        "form": form,
        "published": published,
        "badge": publish_badge(stored),
        "changes": changes(published, stored),
        "effective": effective_rows(effective),
        "variables": variable_rows(values),
        "conflict": conflict,
        "conflict_changes": changes(stored, form.instance) if conflict else [],
        "numbers": stored.numbers.all(),
        "words": first_words(stored, request),
    }
    status = 409 if conflict else 200
    return render_page(request, "portal/agent.html", context, here="agents", status=status)


def _shown_prompt(form: AgentForm, effective: EffectiveSettings) -> str:
    """The prompt that stands in the form, saved or not; the inherited one while that is empty."""
    holds = effective["instructions"]
    typed = "" if holds.locked else str(form["instructions"].value() or "").strip()
    return typed or str(holds.inherited if form.is_bound else holds.value)


class PublishForm(forms.Form):
    note = forms.CharField(
        required=False,
        max_length=300,
        label=gettext_lazy("Note"),
        help_text=gettext_lazy("What is new, for the history: “friendlier greeting”."),
    )
    draft_version = forms.IntegerField(widget=forms.HiddenInput)


@tenant_page("edit")
def agent_publish(request: TenantRequest, agent_id: UUID) -> HttpResponse:
    draft = find_agent(agent_id)
    form = PublishForm(request.POST or None, initial={"draft_version": draft.draft_version})
    status = 200
    if request.method == "POST" and form.is_valid():
        try:
            revision = publishing.publish(
                agent=draft,
                user=request.user,
                note=form.cleaned_data["note"],
                expected_version=form.cleaned_data["draft_version"],
            )
        except ValidationError as error:
            take_errors(form, error)
        except DraftConflict:
            form = PublishForm(initial={"draft_version": draft.draft_version})
            form.conflict = True  # type: ignore[attr-defined]
            status = 409
        else:
            text = _("Revision %(number)d of “%(name)s” answers new calls from now on.")
            messages.success(request, text % {"number": revision.number, "name": revision.name})
            return redirect(page_url("agent", request, agent_id=draft.public_id))
    published = draft.published
    effective = effective_settings(tenant=request.tenant, source=draft)
    account = effective.provider_account
    context = {
        "agent": draft,
        "form": form,
        "is_mute": account is None or not account.secret,
        "published": published,
        "next_number": published.number + 1 if published else 1,
        "changes": compared(published, draft, request.tenant) if published else (),
        "first": changes(None, draft) if published is None else (),
        "effective": effective_rows(effective),
        "unknown": unknown_variables(effective),
    }
    return render_page(request, "portal/agent_publish.html", context, here="agents", status=status)


@tenant_page()
def agent_history(request: TenantRequest, agent_id: UUID) -> HttpResponse:
    found = find_agent(agent_id)
    revisions = AgentRevision.objects.filter(agent=found).select_related("published_by")
    page = Paginator(revisions, HISTORY_PAGE).get_page(request.GET.get("page"))
    context = {"agent": found, "page": page, "published": found.published}
    return render_page(request, "portal/agent_history.html", context, here="agents")


def find_revision(agent: Agent, number: int) -> AgentRevision:
    return get_object_or_404(
        AgentRevision.objects.select_related("published_by", "provider_account"),
        agent=agent,
        number=number,
    )


@tenant_page()
def agent_revision(request: TenantRequest, agent_id: UUID, number: int) -> HttpResponse:
    found = find_agent(agent_id)
    revision = find_revision(found, number)
    before = AgentRevision.objects.filter(agent=found, number=number - 1).first()
    context = {
        "agent": found,
        "revision": revision,
        "before": before,
        "changes": changes(before, revision),
        "is_current": found.published == revision,
    }
    return render_page(request, "portal/agent_revision.html", context, here="agents")


@require_POST
@tenant_page("edit")
def agent_roll_back(request: TenantRequest, agent_id: UUID, number: int) -> HttpResponse:
    """Let an old revision answer again, as a new number; the draft stays as it is."""
    found = find_agent(agent_id)
    revision = publishing.roll_back(
        agent=found, revision=find_revision(found, number), user=request.user
    )
    text = _("What revision %(old)d says answers new calls again, as revision %(new)d.")
    messages.success(request, text % {"old": number, "new": revision.number})
    return redirect(page_url("agent", request, agent_id=found.public_id))


@require_POST
@tenant_page("edit")
def agent_take(request: TenantRequest, agent_id: UUID, number: int) -> HttpResponse:
    """Put a revision's content into the draft; what the draft held is lost."""
    draft = find_agent(agent_id)
    revision = find_revision(draft, number)
    publishing.take(agent=draft, revision=revision, user=request.user)
    text = _("The draft now says what revision %(number)d says.")
    messages.success(request, text % {"number": number})
    return redirect(page_url("agent", request, agent_id=draft.public_id))
