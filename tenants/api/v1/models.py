"""Providers' models, as the operator's catalogue has them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from datetime import date
from typing import Annotated, Any, Final
from uuid import UUID

from ninja import Query, Router
from pydantic import Field

from tenants.api.v1.door import ApiRequest
from tenants.api.v1.pages import PageQuery, cut
from tenants.api.v1.routes import route
from tenants.api.v1.types import Id, Output, example
from tenants.models import ProviderModel, Tenant
from tenants.services import catalogue

router = Router(tags=["models"])

_MODEL: Final[dict[str, Any]] = {
    "provider": "openai",
    "name": "gpt-realtime-2.1",
    "kind": "realtime",
    "formats": ["pcmu", "pcm24k"],
    "voices": ["marin", "cedar"],
    "context_tokens": 128_000,
    "is_offered": True,
    "shutdown_on": None,
    "replacement": "",
    "used_by": ["3c1f6b0a-9a4e-4f0e-8d21-7a4b6a1c2d90"],
}


class Model(Output):
    model_config = example(_MODEL)
    provider: str
    name: str = Field(description="What the settings `model` or `transcription_model` take.")
    kind: str = Field(description="realtime: it speaks; transcription: it writes down.")
    formats: list[str] = Field(description="Values of the setting `audio_format`; empty: unknown.")
    voices: list[str]
    context_tokens: int | None
    is_offered: bool = Field(description="Suggested where a model is chosen.")
    shutdown_on: date | None = Field(description="The provider ends it on this day.")
    replacement: str = Field(description="What the provider names to go on with.")
    used_by: list[Id] = Field(description="Agents whose calls use it.")


class ModelPage(Output):
    model_config = example({"items": [_MODEL], "next_cursor": None})
    items: list[Model]
    next_cursor: str | None


def _users(models: Sequence[ProviderModel], tenant: Tenant) -> dict[int, list[UUID]]:
    """Agents of the tenant by the model's key, each once."""
    found: dict[int, dict[UUID, None]] = defaultdict(dict)
    for use in catalogue.uses(models, tenant=tenant):
        found[use.model.pk][use.holder.agent_id] = None
    return {key: list(agents) for key, agents in found.items()}


@route(router, "GET", "/models", scope="agents:read", response=ModelPage, pages=True)
def list_models(request: ApiRequest, page: Annotated[PageQuery, Query()]) -> ModelPage:
    """Models by name, when they are shut down, and the agents that this concerns."""
    rows, cursor = cut(ProviderModel.objects.all(), page, by=("name", "id"))
    used = _users(rows, request.auth.tenant)
    same = [name for name in Model.model_fields if name != "used_by"]
    items = [
        Model(**{name: getattr(row, name) for name in same}, used_by=used.get(row.pk, []))
        for row in rows
    ]
    return ModelPage(items=items, next_cursor=cursor)
