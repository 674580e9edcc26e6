"""What callers hear first of an agent: greeting and announcement, made into speech beforehand."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any, Final, Literal
from uuid import UUID

from django.http import Http404, HttpResponse
from django.shortcuts import get_object_or_404
from ninja import Router
from pydantic import Field

from tenants.api.v1.agents import find_agent
from tenants.api.v1.door import ApiRequest
from tenants.api.v1.errors import Trouble
from tenants.api.v1.routes import route
from tenants.api.v1.types import Id, Output, example
from tenants.models import Agent, Prompt
from tenants.models.choices import PromptState
from tenants.services import prompts

router = Router(tags=["agents"])

_SENTENCE: Final[dict[str, Any]] = {
    "kind": "greeting",
    "language": "de",
    "text": "Zahnarztpraxis Acme, guten Tag!",
    "state": "ready",
    "why": "",
    "prompt": "8d3b7a50-2f0c-4d4b-9c39-8b1c6f1e0a52",
}
_WAV: Final[dict[str, Any]] = {
    "description": "WAV: PCM, 16 bits, one channel.",
    "content": {"audio/wav": {"schema": {"type": "string", "format": "binary"}}},
}


class Sentence(Output):
    model_config = example(_SENTENCE)
    kind: Literal["greeting", "consent"]
    language: str
    text: str
    state: Literal["none", "waiting", "ready", "failed", "live"] = Field(
        description="Whether its sound is made; what failed, and what names a variable (live), is"
        " said by the provider on each call."
    )
    why: str = Field(description="It failed.")
    prompt: Id | None = Field(description="Names its sound, once that is ready.")


class FirstWords(Output):
    model_config = example({"published": [_SENTENCE], "draft": []})
    published: list[Sentence]
    draft: list[Sentence] = Field(
        description="Only what calls of the published agent do not begin with, in each language"
        " that the tenant has written."
    )


def _state(spoken: prompts.Spoken, row: Prompt | None, without: str) -> Any:
    """A word of Sentence.state; PromptState's are among them."""
    if row is not None:
        return row.state
    return without if spoken.is_fixed else "live"


def _sentences(
    agent: Agent, spoken: list[prompts.Spoken], without: Literal["none", "waiting"]
) -> list[Sentence]:
    """`without` is the state of a text that has no sound: published ones are made unasked."""
    return [
        Sentence(
            kind=one.kind.value,
            language=one.language,
            text=one.text,
            state=_state(one, row, without),
            why=row.error.partition("\n")[0] if row else "",
            prompt=row.public_id if row and row.state == PromptState.READY else None,
        )
        for one, row in zip(spoken, prompts.find(agent.tenant, spoken), strict=True)
    ]


def _document(agent: Agent) -> FirstWords:
    published, draft = prompts.first_words(agent)
    return FirstWords(
        published=_sentences(agent, published, "waiting"), draft=_sentences(agent, draft, "none")
    )


@route(
    router, "GET", "/agents/{uuid:agent_id}/first-words", scope="agents:read", response=FirstWords
)
def get_first_words(request: ApiRequest, agent_id: UUID) -> FirstWords:
    """What callers hear first of the published agent, and would hear of the draft."""
    return _document(find_agent(agent_id))


@route(
    router,
    "POST",
    "/agents/{uuid:agent_id}/first-words",
    scope="agents:write",
    response=FirstWords,
    status=202,
    creates=True,
)
def order_first_words(request: ApiRequest, agent_id: UUID) -> FirstWords:
    """Have what the draft says first made into speech, to hear it before callers do."""
    agent = find_agent(agent_id)
    try:
        prompts.order(agent, user=request.auth.user)
    except prompts.OrderedEnough:
        raise Trouble(
            HTTPStatus.TOO_MANY_REQUESTS,
            f"More than {prompts.ORDERS} texts of drafts within the hour.",
            code="rate",
            headers={"Retry-After": str(prompts.ORDER_SECONDS)},
        ) from None
    return _document(agent)


@route(
    router,
    "GET",
    "/prompts/{uuid:prompt_id}/sound",
    scope="agents:read",
    response=None,
    answers={200: _WAV},
)
def get_prompt_sound(request: ApiRequest, prompt_id: UUID) -> HttpResponse:
    """The sound of a greeting or an announcement; who listened is in the audit log."""
    rows = Prompt.objects.select_related("tenant")
    row = get_object_or_404(rows, public_id=prompt_id, state=PromptState.READY)
    wav = prompts.listen(row, user=request.auth.user)
    if wav is None:
        raise Http404
    return HttpResponse(wav, content_type="audio/wav")
