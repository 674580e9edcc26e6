"""The tenant itself: its name, its clock, its languages, how long what is kept."""

from __future__ import annotations

from typing import Annotated, Any, Final

from ninja import Router
from pydantic import Field

from tenants.api.v1.door import ApiRequest
from tenants.api.v1.routes import route
from tenants.api.v1.settings_document import LANGUAGE_LIMIT, LANGUAGE_PATTERN, NOT_BLANK
from tenants.api.v1.types import Id, Input, Instant, Output, example, example_input
from tenants.api.v1.words import ListenWord
from tenants.models import Tenant
from tenants.models.tenant import LONGEST_KEPT_DAYS
from tenants.models.validators import LANGUAGES_LIMIT
from tenants.services import closing
from tenants.services.company import save_company

router = Router(tags=["company"])

_COMPANY: dict[str, Any] = {
    "id": "5b0f3c1e-8e1d-4a53-9b1c-1d2f8a7e6c40",
    "slug": "acme",
    "name": "Acme Dental",
    "time_zone": "Europe/Berlin",
    "languages": ["de", "en"],
    "keep_transcripts_days": 90,
    "keep_recordings_days": 30,
    "listen_in": "nobody",
    "max_concurrent_calls": 10,
    "max_calls_a_minute": 60,
    "max_numbers": None,
    "budget_month": "200.00",
    "budget_currency": "USD",
    "closing_at": None,
}
NULLABLE: Final = {"keep_transcripts_days", "keep_recordings_days"}
Name = Annotated[str, Field(max_length=150, pattern=NOT_BLANK)]
Zone = Annotated[str, Field(max_length=64, description="By it days and months are counted.")]
Language = Annotated[str, Field(pattern=LANGUAGE_PATTERN, max_length=LANGUAGE_LIMIT)]
Languages = Annotated[
    list[Language],
    Field(
        min_length=1,
        max_length=LANGUAGES_LIMIT,
        json_schema_extra={"uniqueItems": True},
        description="That callers are spoken to in; the first one is offered first.",
    ),
]
Days = Annotated[int, Field(ge=1, le=LONGEST_KEPT_DAYS)]


class Company(Output):
    model_config = example(_COMPANY)
    id: Id
    slug: str
    name: str
    time_zone: str
    languages: list[str]
    keep_transcripts_days: int | None = Field(description="None: for ever.")
    keep_recordings_days: int | None = Field(description="None: for ever.")
    listen_in: ListenWord = Field(description="Who may listen to calls that run.")
    max_concurrent_calls: int = Field(description="This and the next four: the operator's.")
    max_calls_a_minute: int | None
    max_numbers: int | None
    budget_month: str | None = Field(description="Decimal; None: no budget.")
    budget_currency: str
    closing_at: Instant | None = Field(description="An owner had it deleted from then on.")


class CompanyChange(Input):
    model_config = example_input({"keep_transcripts_days": 90, "listen_in": "admins"})
    name: Name | None = None
    time_zone: Zone | None = None
    languages: Languages | None = None
    keep_transcripts_days: Days | None = Field(
        None, description="Null: for ever; left out: it stays."
    )
    keep_recordings_days: Days | None = Field(
        None, description="Null: for ever; left out: it stays."
    )
    listen_in: ListenWord | None = None


class Closing(Input):
    model_config = example_input({"name": _COMPANY["name"]})
    name: str = Field(max_length=150, description="The company's, to say that it is meant.")


def _document(row: Tenant) -> Company:
    same = [name for name in Company.model_fields if name not in {"id", "budget_month"}]
    budget = None if row.budget_month is None else str(row.budget_month)
    values = {name: getattr(row, name) for name in same}
    return Company(id=row.public_id, budget_month=budget, **values)


@route(router, "GET", "/company", scope="settings:read", response=Company)
def get_company(request: ApiRequest) -> Company:
    """The tenant, and what holds for all its calls."""
    return _document(request.auth.tenant)


@route(router, "PATCH", "/company", scope="settings:write", response=Company)
def change_company(request: ApiRequest, document: CompanyChange) -> Company:
    """Change it; fields that are left out stay. A shorter time deletes what is older that night."""
    row = Tenant.objects.get(pk=request.auth.tenant.pk)
    for name in document.model_fields_set:
        value = getattr(document, name)
        if value is not None or name in NULLABLE:
            setattr(row, name, value)
    return _document(save_company(tenant=row, user=request.auth.user))


@route(router, "POST", "/company/close", scope="settings:write", right="own", response=Company)
def close_company(request: ApiRequest, document: Closing) -> Company:
    """Have the company and all that it owns deleted in a week; its owners get a letter."""
    tenant, user = request.auth.tenant, request.auth.user
    return _document(closing.ask(tenant=tenant, user=user, name=document.name))


@route(router, "POST", "/company/keep", scope="settings:write", right="own", response=Company)
def keep_company(request: ApiRequest) -> Company:
    """Take the end back that an owner asked for."""
    return _document(closing.take_back(tenant=request.auth.tenant, user=request.auth.user))
