"""Agents: their drafts, and the revisions that answer calls."""

from __future__ import annotations

from typing import Annotated, Any, Final
from uuid import UUID

from django.db.models import QuerySet
from django.shortcuts import get_object_or_404
from ninja import Query, Router
from pydantic import Field

from tenants.api.v1.door import ApiRequest
from tenants.api.v1.errors import within
from tenants.api.v1.pages import PageQuery, cut
from tenants.api.v1.routes import route
from tenants.api.v1.settings_document import (
    NOT_BLANK,
    Effective,
    SettingsDocument,
    SettingsInput,
    effective_document,
    offered_account,
    settings_document,
    take_settings,
)
from tenants.api.v1.types import Id, Input, Instant, Output, example, example_input
from tenants.models import Agent, AgentRevision
from tenants.models.settings import SETTING_NAMES
from tenants.models.validators import (
    DESCRIPTION_LIMIT,
    NAME_LIMIT,
    TARGET_LIMIT,
    TARGET_NAME,
    URI_LIMIT,
)
from tenants.services.effective import effective_settings
from tenants.services.publishing import has_unpublished_changes, save_draft

router = Router(tags=["agents"])

_VISIBLE: Final = "[!#-;=?-~]"
_NO_AT: Final = "[!#-;=?A-~]"
URI_PATTERN: Final = (
    f"^(sips?:({_NO_AT}*@[A-Za-z0-9\\[]{_VISIBLE}*|[A-Za-z0-9\\[]{_NO_AT}*)"
    rf"|tel:\+?[0-9*#().-]+(;{_VISIBLE}+)?)$"
)
"""What tenants.models.validators.validate_transfer_uri takes; a test compares them."""
AgentName = Annotated[str, Field(max_length=100, pattern=NOT_BLANK)]
Version = Annotated[int, Field(ge=1, le=2**31 - 1)]
FallbackAccount = Annotated[
    Id, Field(description="Of /accounts; spoken with where the agent's own account fails.")
]
FallbackTarget = Annotated[
    str,
    Field(
        pattern=f"^({TARGET_NAME.pattern})?$",
        max_length=NAME_LIMIT,
        description="Name of the transfer target that gets the caller where no account works; "
        "empty: none.",
    ),
]

_REVISION: dict[str, Any] = {
    "number": 3,
    "name": "Reception",
    "note": "friendlier greeting",
    "published_at": "2026-11-22T10:00:00Z",
    "published_by": "alice@acme.example",
}
_AGENT: dict[str, Any] = {
    "id": "3c1f6b0a-9a4e-4f0e-8d21-7a4b6a1c2d90",
    "name": "Reception",
    "draft_version": 4,
    "published": _REVISION,
    "has_unpublished_changes": False,
    "updated_at": "2026-11-22T10:00:00Z",
}
_TARGET: dict[str, Any] = {
    "name": "sales",
    "uri": "sip:sales@pbx.example.com",
    "description": "The sales team",
}
_FALLBACK: dict[str, Any] = {
    "fallback_account": "e2b7a0d4-5c1b-4a7b-b7f8-2f6f6f6b9c11",
    "fallback_target": "sales",
}


class RevisionSummary(Output):
    model_config = example(_REVISION)
    number: int
    name: str
    note: str
    published_at: Instant
    published_by: str | None = Field(description="E-mail address; None: the person is gone.")


class AgentSummary(Output):
    model_config = example(_AGENT)
    id: Id
    name: str
    draft_version: int = Field(description="Grows with each change of the draft.")
    published: RevisionSummary | None = Field(description="What answers calls now.")
    has_unpublished_changes: bool
    updated_at: Instant


class AgentPage(Output):
    model_config = example({"items": [_AGENT], "next_cursor": None})
    items: list[AgentSummary]
    next_cursor: str | None


class TransferTarget(Output):
    model_config = example(_TARGET)
    name: str
    uri: str
    description: str = ""


class TransferTargetInput(Input):
    model_config = example_input(_TARGET)
    name: str = Field(pattern=f"^{TARGET_NAME.pattern}$", max_length=NAME_LIMIT)
    uri: str = Field(pattern=URI_PATTERN, max_length=URI_LIMIT)
    description: str = Field("", max_length=DESCRIPTION_LIMIT)


class AgentDetail(AgentSummary):
    model_config = example(
        {
            **_AGENT,
            "settings": {"voice": "marin", "language": "de"},
            "hang_up_enabled": True,
            "transfer_targets": [_TARGET],
            **_FALLBACK,
        }
    )
    settings: SettingsDocument = Field(description="Of the draft; null is inherited.")
    hang_up_enabled: bool
    transfer_targets: list[TransferTarget]
    fallback_account: FallbackAccount | None
    fallback_target: FallbackTarget


class AgentChange(Input):
    model_config = example_input(
        {"draft_version": 4, "settings": {"voice": "cedar", "greetings": None}}
    )
    name: AgentName | None = None
    settings: SettingsInput | None = Field(
        None, description="Only the settings to change; null for one: inherited from now on."
    )
    hang_up_enabled: bool | None = None
    transfer_targets: list[TransferTargetInput] | None = Field(None, max_length=TARGET_LIMIT)
    fallback_account: FallbackAccount | None = Field(
        None, description="Null: none; left out: it stays."
    )
    fallback_target: FallbackTarget | None = None
    draft_version: Version | None = Field(
        None, description="The one that you read: if the draft has another by now, it stays."
    )


class NewAgent(Input):
    model_config = example_input(
        {"name": "Reception", "settings": {"language": "de"}, "transfer_targets": [_TARGET]}
    )
    name: AgentName
    settings: SettingsInput | None = None
    hang_up_enabled: bool = True
    transfer_targets: list[TransferTargetInput] = Field([], max_length=TARGET_LIMIT)
    fallback_account: FallbackAccount | None = None
    fallback_target: FallbackTarget = ""


def find_agents() -> QuerySet[Agent]:
    """Agents of the tenant in scope, with what their documents need."""
    return Agent.objects.select_related(
        "tenant",
        "provider_account",
        "fallback_account",
        "published_revision__published_by",
        "published_revision__provider_account",
        "published_revision__fallback_account",
    )


def find_agent(agent_id: UUID) -> Agent:
    return get_object_or_404(find_agents(), public_id=agent_id)


def revision_summary(revision: AgentRevision) -> RevisionSummary:
    return RevisionSummary(
        number=revision.number,
        name=revision.name,
        note=revision.note,
        published_at=revision.published_at,
        published_by=revision.published_by.email if revision.published_by else None,
    )


def _summary(agent: Agent) -> dict[str, Any]:
    return {
        "id": agent.public_id,
        "name": agent.name,
        "draft_version": agent.draft_version,
        "published": revision_summary(agent.published) if agent.published else None,
        "has_unpublished_changes": has_unpublished_changes(agent),
        "updated_at": agent.updated_at,
    }


def contents(source: Agent | AgentRevision) -> dict[str, Any]:
    """What a revision takes over from a draft, apart from the name."""
    return {
        "settings": settings_document(source),
        "hang_up_enabled": source.hang_up_enabled,
        "transfer_targets": [TransferTarget(**target) for target in source.transfer_targets],
        "fallback_account": source.fallback_account.public_id if source.fallback_account else None,
        "fallback_target": source.fallback_target,
    }


def agent_detail(agent: Agent) -> AgentDetail:
    return AgentDetail(**_summary(agent), **contents(agent))


@route(router, "GET", "/agents", scope="agents:read", response=AgentPage, pages=True)
def list_agents(request: ApiRequest, page: Annotated[PageQuery, Query()]) -> AgentPage:
    """Agents, by name."""
    rows, cursor = cut(find_agents(), page, by=("name", "id"))
    return AgentPage(items=[AgentSummary(**_summary(row)) for row in rows], next_cursor=cursor)


@route(router, "GET", "/agents/{uuid:agent_id}", scope="agents:read", response=AgentDetail)
def get_agent(request: ApiRequest, agent_id: UUID) -> AgentDetail:
    """An agent with its draft."""
    return agent_detail(find_agent(agent_id))


@route(
    router,
    "POST",
    "/agents",
    scope="agents:write",
    response=AgentDetail,
    status=201,
    creates=True,
)
def create_agent(request: ApiRequest, document: NewAgent) -> AgentDetail:
    """A new agent. It answers calls once it is published and a number leads to it."""
    agent = Agent(tenant=request.auth.tenant)
    _save(request, agent, document)
    return agent_detail(find_agent(agent.public_id))


@route(router, "PATCH", "/agents/{uuid:agent_id}", scope="agents:write", response=AgentDetail)
def change_agent(request: ApiRequest, agent_id: UUID, document: AgentChange) -> AgentDetail:
    """Change the draft. Fields that are left out stay; calls get it once it is published."""
    _save(request, find_agent(agent_id), document, document.draft_version)
    return agent_detail(find_agent(agent_id))


def _save(
    request: ApiRequest, agent: Agent, document: NewAgent | AgentChange, version: int | None = None
) -> None:
    tenant = request.auth.tenant
    for name in ("name", "hang_up_enabled", "fallback_target"):
        if getattr(document, name) is not None:
            setattr(agent, name, getattr(document, name))
    if "fallback_account" in document.model_fields_set:
        chosen, place = document.fallback_account, "#/fallback_account"
        agent.fallback_account = offered_account(tenant, chosen, place) if chosen else None
    if document.transfer_targets is not None:
        agent.transfer_targets = [one.model_dump() for one in document.transfer_targets]
    if document.settings is not None:
        take_settings(agent, document.settings, tenant, "#/settings")
    with within("settings", SETTING_NAMES):
        save_draft(agent=agent, user=request.auth.user, expected_version=version)


@route(router, "GET", "/agents/{uuid:agent_id}/effective", scope="agents:read", response=Effective)
def get_effective_settings(request: ApiRequest, agent_id: UUID) -> Effective:
    """What holds for the draft, and which level each value comes from."""
    agent = find_agent(agent_id)
    return effective_document(effective_settings(tenant=request.auth.tenant, source=agent))
