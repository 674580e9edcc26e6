"""Publishing, and what was published."""

from __future__ import annotations

from typing import Annotated, Any
from uuid import UUID

from django.db.models import QuerySet
from django.http import Http404
from ninja import Query, Router
from pydantic import Field

from tenants.api.v1.agents import (
    FallbackAccount,
    FallbackTarget,
    TransferTarget,
    Version,
    contents,
    find_agent,
    revision_summary,
)
from tenants.api.v1.agents import RevisionSummary as Summary
from tenants.api.v1.door import ApiRequest
from tenants.api.v1.errors import within
from tenants.api.v1.pages import PageQuery, cut
from tenants.api.v1.routes import route
from tenants.api.v1.settings_document import SettingsDocument
from tenants.api.v1.types import Input, Output, example, example_input
from tenants.models import AgentRevision
from tenants.models.settings import SETTING_NAMES
from tenants.services import publishing

router = Router(tags=["revisions"])

_SUMMARY: dict[str, Any] = Summary.model_config["json_schema_extra"]["examples"][0]  # type: ignore[index,call-overload,assignment]
LARGEST_NUMBER = 2**31 - 1


class RevisionPage(Output):
    model_config = example({"items": [_SUMMARY], "next_cursor": None})
    items: list[Summary]
    next_cursor: str | None


class Revision(Summary):
    model_config = example(
        {
            **_SUMMARY,
            "settings": {"voice": "marin", "language": "de"},
            "hang_up_enabled": True,
            "transfer_targets": [],
            "fallback_account": None,
            "fallback_target": "",
        }
    )
    settings: SettingsDocument = Field(description="As published; null is inherited.")
    hang_up_enabled: bool
    transfer_targets: list[TransferTarget]
    fallback_account: FallbackAccount | None
    fallback_target: FallbackTarget


class Publication(Input):
    model_config = example_input({"note": "friendlier greeting", "draft_version": 4})
    note: str = Field("", max_length=300)
    draft_version: Version | None = Field(
        None, description="The one that you read: if the draft has another by now, it stays."
    )


class RollBack(Input):
    model_config = example_input({"note": "back to the old greeting"})
    note: str = Field("", max_length=300)


def _revisions() -> QuerySet[AgentRevision]:
    return AgentRevision.objects.select_related(
        "agent__tenant", "published_by", "provider_account", "fallback_account"
    )


def find_revision(agent_id: UUID, number: int) -> AgentRevision:
    if number > LARGEST_NUMBER:  # SQLite would fail to look for it
        raise Http404
    found = _revisions().filter(agent__public_id=agent_id, number=number).first()
    if found is None:
        raise Http404
    return found


def _document(revision: AgentRevision) -> Revision:
    return Revision(**revision_summary(revision).model_dump(), **contents(revision))


@route(
    router,
    "GET",
    "/agents/{uuid:agent_id}/revisions",
    scope="agents:read",
    response=RevisionPage,
    pages=True,
)
def list_revisions(
    request: ApiRequest, agent_id: UUID, page: Annotated[PageQuery, Query()]
) -> RevisionPage:
    """What was published of an agent, the newest first."""
    rows = _revisions().filter(agent=find_agent(agent_id))
    found, cursor = cut(rows, page, by=("-number", "-id"))
    return RevisionPage(items=[revision_summary(row) for row in found], next_cursor=cursor)


@route(
    router,
    "GET",
    "/agents/{uuid:agent_id}/revisions/{int:number}",
    scope="agents:read",
    response=Revision,
)
def get_revision(request: ApiRequest, agent_id: UUID, number: int) -> Revision:
    """A revision with its settings."""
    return _document(find_revision(agent_id, number))


@route(
    router,
    "POST",
    "/agents/{uuid:agent_id}/publish",
    scope="agents:write",
    response=Revision,
    status=201,
    creates=True,
)
def publish_agent(request: ApiRequest, agent_id: UUID, document: Publication) -> Revision:
    """Make the draft the revision that answers new calls; calls that run keep theirs."""
    with within("settings", SETTING_NAMES):
        revision = publishing.publish(
            agent=find_agent(agent_id),
            user=request.auth.user,
            note=document.note,
            expected_version=document.draft_version,
        )
    return _document(revision)


@route(
    router,
    "POST",
    "/agents/{uuid:agent_id}/revisions/{int:number}/roll-back",
    scope="agents:write",
    response=Revision,
    status=201,
    creates=True,
)
def roll_back_agent(
    request: ApiRequest, agent_id: UUID, number: int, document: RollBack
) -> Revision:
    """Publish an old revision once more, as a new number; the draft stays as it is."""
    old = find_revision(agent_id, number)
    revision = publishing.roll_back(
        agent=old.agent, revision=old, user=request.auth.user, note=document.note
    )
    return _document(revision)
