"""What callers hear first of an agent: whether it plays at once, and its sound."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final
from uuid import UUID

from django.http import Http404, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_GET

from media_worker.contract import PromptKind
from tenants.access import may
from tenants.models import Agent, Prompt
from tenants.models.choices import PromptState
from tenants.portal import setting_words
from tenants.portal.access import TenantRequest, tenant_page
from tenants.portal.frame import page_url
from tenants.portal.words import Badge
from tenants.services import prompts

LIVE: Final = gettext_lazy(
    "It names a variable, so the provider says it anew on each call. Try the agent to hear it."
)
_BADGES: Final[dict[str, Badge]] = {
    "none": Badge(gettext_lazy("Not made yet"), "quiet", "none"),
    PromptState.READY: Badge(gettext_lazy("Plays at once"), "good", "ready"),
    PromptState.WAITING: Badge(gettext_lazy("Being made"), "quiet", "waiting"),
    PromptState.FAILED: Badge(gettext_lazy("Said live"), "warn", "failed"),
    "live": Badge(gettext_lazy("Said live"), "quiet", "live"),
}


@dataclass(frozen=True, kw_only=True)
class PromptRow:
    kind: str | Promise
    language: str
    text: str
    badge: Badge
    why: str = ""
    detail: str = ""
    url: str = ""


@dataclass(frozen=True, kw_only=True)
class FirstWords:
    """Context of components/first_words.html."""

    published: list[PromptRow]
    draft: list[PromptRow]
    """Only what calls of the published agent do not begin with."""
    url: str
    may_order: bool
    problem: str = ""

    @property
    def is_waiting(self) -> bool:
        return any(row.badge.state == "waiting" for row in self.draft)

    @property
    def is_ordered(self) -> bool:
        return all(row.badge.state != "none" for row in self.draft)


def first_words(agent: Agent, request: TenantRequest, problem: str = "") -> FirstWords:
    """What callers hear first of the published agent, and would hear of the draft."""
    published, draft = prompts.first_words(agent)
    rows = prompts.find(agent.tenant, [*published, *draft])
    shown = [
        _row(spoken, row, request.tenant.slug, "waiting" if spoken in published else "none")
        for spoken, row in zip([*published, *draft], rows, strict=True)
    ]
    return FirstWords(
        published=shown[: len(published)],
        draft=shown[len(published) :],
        url=page_url("agent_words", request, agent_id=agent.public_id),
        may_order=may(request.member, "edit"),
        problem=problem,
    )


def _row(spoken: prompts.Spoken, prompt: Prompt | None, slug: str, without: str) -> PromptRow:
    """`without` is the state of a text that has no prompt: published ones are made unasked."""
    if not spoken.is_fixed:
        without = "live"
    kinds = {PromptKind.GREETING: _("Greeting"), PromptKind.CONSENT: _("Announcement")}
    reason, _newline, detail = prompt.error.partition("\n") if prompt else ("", "", "")
    is_ready = prompt is not None and prompt.state == PromptState.READY
    place = {"slug": slug, "prompt_id": prompt.public_id} if prompt else {}
    return PromptRow(
        kind=kinds[spoken.kind],
        language=setting_words.language_name(spoken.language),
        text=spoken.text,
        badge=_BADGES[prompt.state if prompt else without],
        why=_(reason) if reason else str(LIVE) if without == "live" else "",
        detail=detail,
        url=reverse("portal:prompt", kwargs=place) if is_ready else "",
    )


@tenant_page(post="edit")
def agent_words(request: TenantRequest, agent_id: UUID) -> HttpResponse:
    """A part of the editor; posted to, what the draft says first is made into speech."""
    agents = Agent.objects.select_related("tenant", "provider_account", "published_revision")
    found, problem = get_object_or_404(agents, public_id=agent_id), ""
    if request.method == "POST":
        try:
            prompts.order(found, user=request.user)
        except prompts.OrderedEnough:
            problem = _("You have listened to many drafts within the hour; go on a little later.")
    context = {"words": first_words(found, request, problem)}
    return render(request, "components/first_words.html", context)


@require_GET
@tenant_page()
def prompt(request: TenantRequest, prompt_id: UUID) -> HttpResponse:
    """The sound of a prompt; that somebody listened is on record."""
    found = get_object_or_404(Prompt.objects, public_id=prompt_id, state=PromptState.READY)
    wav = prompts.listen(found, user=request.user)
    if wav is None:
        raise Http404
    return HttpResponse(wav, content_type="audio/wav")
