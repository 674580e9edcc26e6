"""What callers hear first of an agent: whether it plays at once, and its sound."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from django.http import Http404, HttpResponse
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_GET

from media_worker.contract import PromptKind
from tenants.models import Agent, Prompt
from tenants.models.choices import PromptState
from tenants.portal.access import TenantRequest, tenant_page
from tenants.portal.words import Badge
from tenants.services import prompts

_BADGES = {
    PromptState.READY: Badge(gettext_lazy("Plays at once"), "good", "ready"),
    PromptState.WAITING: Badge(gettext_lazy("Being made"), "quiet", "waiting"),
    PromptState.FAILED: Badge(gettext_lazy("Said live"), "warn", "failed"),
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


def prompt_rows(agent: Agent, slug: str) -> list[PromptRow]:
    """What the published agent says first, in each language that its calls have."""
    kinds = {PromptKind.GREETING: _("Greeting"), PromptKind.CONSENT: _("Announcement")}
    rows = []
    for spoken in prompts.spoken_by(agent):
        prompt = prompts.find(agent.tenant, spoken)
        state = PromptState(prompt.state) if prompt else PromptState.WAITING
        reason, _newline, detail = prompt.error.partition("\n") if prompt else ("", "", "")
        place = {"slug": slug, "prompt_id": prompt.public_id} if prompt else {}
        rows.append(
            PromptRow(
                kind=kinds[spoken.kind],
                language=spoken.language,
                text=spoken.text,
                badge=_BADGES[state],
                why=_(reason) if reason else "",
                detail=detail,
                url=reverse("portal:prompt", kwargs=place) if state == PromptState.READY else "",
            )
        )
    return rows


@require_GET
@tenant_page()
def prompt(request: TenantRequest, prompt_id: UUID) -> HttpResponse:
    """The sound of a prompt; that somebody listened is on record."""
    found = get_object_or_404(Prompt.objects, public_id=prompt_id, state=PromptState.READY)
    wav = prompts.listen(found, user=request.user)
    if wav is None:
        raise Http404
    return HttpResponse(wav, content_type="audio/wav")
