"""What a draft would change, what its prompt says to a caller, and old revisions to go on from."""

from __future__ import annotations

from typing import Annotated, Any, Final
from uuid import UUID

from ninja import Query, Router
from pydantic import BaseModel, Field

from media_worker import contract
from tenants.api.v1.agents import AgentDetail, Version, agent_detail, find_agent
from tenants.api.v1.door import ApiRequest
from tenants.api.v1.revisions import find_revision
from tenants.api.v1.routes import route
from tenants.api.v1.settings_document import plain_value
from tenants.api.v1.types import Input, Output, example, example_input
from tenants.models import Agent, AgentRevision
from tenants.services import publishing, variables
from tenants.services.effective import EffectiveValue, effective_settings

router = Router(tags=["agents"])

DRAFT: Final = "draft"
TEXT_LIMIT: Final = 32_000
_SIDE: Final[dict[str, Any]] = {"value": "cedar", "level": "agent", "locked": False}
_DIFFERENCE: Final[dict[str, Any]] = {
    "name": "voice",
    "language": "",
    "old": {"value": "marin", "level": "tenant", "locked": False},
    "new": _SIDE,
    "felt": True,
}


class Side(Output):
    model_config = example(_SIDE)
    value: Any = Field(description="What calls get.")
    level: str = Field(description="Who set it: platform, tenant or agent.")
    locked: bool = Field(description="The operator has locked it: only the platform's counts.")


class Difference(Output):
    model_config = example(_DIFFERENCE)
    name: str = Field(description="Of a setting, or `name`, `transfer_targets` and so on.")
    language: str = Field(description="Of a text that is set language by language; else empty.")
    old: Side | None = Field(description="None: there was nothing.")
    new: Side | None
    felt: bool = Field(description="False: callers get the same, only another level sets it.")


class Differences(Output):
    model_config = example({"old": "3", "new": "draft", "items": [_DIFFERENCE]})
    old: str | None = Field(description="`draft` or a revision's number; None: nothing yet.")
    new: str
    items: list[Difference]


class DifferencesQuery(BaseModel):
    old: str = Field(
        "",
        pattern=r"^(draft|[1-9][0-9]{0,8})?$",
        max_length=9,
        description="`draft` or the number of a revision; empty: what is published.",
    )
    new: str = Field(
        DRAFT,
        pattern=r"^(draft|[1-9][0-9]{0,8})$",
        max_length=9,
        description="`draft` or the number of a revision.",
    )


class Sample(Input):
    model_config = example_input({"text": "You work for {{ tenant }}. It is {{ weekday }}."})
    text: str = Field(
        "", max_length=TEXT_LIMIT, description="Of a prompt; empty: the one that the draft has."
    )


class Preview(Output):
    model_config = example(
        {
            "text": "You work for Acme Dental. It is Monday.",
            "values": {"tenant": "Acme Dental", "weekday": "Monday"},
            "unknown": [],
        }
    )
    text: str = Field(description="As a made-up caller's agent would get it.")
    values: dict[str, str] = Field(description="Every name that a text may use, filled in.")
    unknown: list[str] = Field(description="Names in the text that nobody fills in.")


class Taken(Input):
    model_config = example_input({"draft_version": 4})
    draft_version: Version | None = Field(
        None, description="The one that you read: if the draft has another by now, it stays."
    )


def _state(agent: Agent, key: str) -> Agent | AgentRevision:
    return agent if key == DRAFT else find_revision(agent.public_id, int(key))


def _side(found: EffectiveValue | None) -> Side | None:
    if found is None:
        return None
    return Side(value=plain_value(found.value), level=found.level, locked=found.locked)


@route(
    router,
    "GET",
    "/agents/{uuid:agent_id}/differences",
    scope="agents:read",
    response=Differences,
)
def list_differences(
    request: ApiRequest, agent_id: UUID, query: Annotated[DifferencesQuery, Query()]
) -> Differences:
    """What calls get otherwise by another state of an agent: what publishing would change."""
    agent = find_agent(agent_id)
    published = str(agent.published.number) if agent.published else None
    before, after = query.old or published, query.new
    found = publishing.effects(
        old=_state(agent, before) if before else None,
        new=_state(agent, after),
        tenant=request.auth.tenant,
    )
    items = [
        Difference(
            name=one.name,
            language=one.language,
            old=_side(one.old),
            new=_side(one.new),
            felt=one.is_felt,
        )
        for one in found
    ]
    return Differences(old=before, new=after, items=items)


@route(
    router,
    "POST",
    "/agents/{uuid:agent_id}/preview",
    scope="agents:write",
    response=Preview,
)
def preview_prompt(request: ApiRequest, agent_id: UUID, document: Sample) -> Preview:
    """A prompt with its variables filled in for a made-up caller who calls now; nothing is kept."""
    agent = find_agent(agent_id)
    settings = effective_settings(tenant=request.auth.tenant, source=agent)
    text = document.text if document.text.strip() else str(settings["instructions"].value)
    values = variables.sample(agent, settings.language)
    return Preview(
        text=contract.fill(text, values), values=values, unknown=variables.unknown_in([text])
    )


@route(
    router,
    "POST",
    "/agents/{uuid:agent_id}/revisions/{int:number}/take",
    scope="agents:write",
    response=AgentDetail,
)
def take_revision(request: ApiRequest, agent_id: UUID, number: int, document: Taken) -> AgentDetail:
    """Put what a revision says into the draft, to go on from there; what the draft said is lost."""
    agent = find_agent(agent_id)
    publishing.take(
        agent=agent,
        revision=find_revision(agent_id, number),
        user=request.auth.user,
        expected_version=document.draft_version,
    )
    return agent_detail(find_agent(agent_id))
