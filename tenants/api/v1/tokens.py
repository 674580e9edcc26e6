"""Tokens of this API."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Annotated, Any, Literal
from uuid import UUID

from django.shortcuts import get_object_or_404
from ninja import Query, Router
from pydantic import Field

from tenants.access import token_may
from tenants.api.v1.door import ApiRequest
from tenants.api.v1.errors import Trouble
from tenants.api.v1.pages import PageQuery, cut
from tenants.api.v1.routes import route
from tenants.api.v1.settings_document import NOT_BLANK
from tenants.api.v1.types import Id, Input, Instant, Output, example, example_input
from tenants.models import ApiToken
from tenants.models.token import SCOPES
from tenants.services import tokens

router = Router(tags=["tokens"])

if TYPE_CHECKING:
    ScopeWord = str
else:
    ScopeWord = Literal[SCOPES]

_TOKEN: dict[str, Any] = {
    "id": "5f2d1c3a-77b4-4a53-8a0e-0d4e8b1d2f60",
    "name": "Nightly export",
    "scopes": ["calls:read", "usage:read"],
    "ends_in": "x3Zk",
    "made_by": "alice@acme.example",
    "created_at": "2026-11-22T10:00:00Z",
    "expires_at": "2027-01-01T00:00:00Z",
    "last_used_at": None,
    "revoked_at": None,
}


class Token(Output):
    model_config = example(_TOKEN)
    id: Id
    name: str
    scopes: list[str]
    ends_in: str
    made_by: str
    created_at: Instant
    expires_at: Instant | None
    last_used_at: Instant | None
    revoked_at: Instant | None


class MadeToken(Token):
    model_config = example({**_TOKEN, "token": "pbxt_5f2d1c3a77b44a538a0e0d4e8b1d2f60_..."})
    token: str | None = Field(
        description="Shown this once; None: the same request with the same key has shown it before."
    )


class TokenPage(Output):
    model_config = example({"items": [_TOKEN], "next_cursor": None})
    items: list[Token]
    next_cursor: str | None


class NewToken(Input):
    model_config = example_input(
        {"name": "Nightly export", "scopes": ["calls:read"], "expires_at": "2099-01-01T00:00:00Z"}
    )
    name: str = Field(max_length=100, pattern=NOT_BLANK)
    scopes: list[ScopeWord] = Field(
        min_length=1, max_length=len(SCOPES), json_schema_extra={"uniqueItems": True}
    )
    expires_at: Instant | None = Field(None, description="None: until somebody withdraws it.")


def _values(row: ApiToken) -> dict[str, Any]:
    same = ("name", "scopes", "created_at", "expires_at", "last_used_at", "revoked_at")
    return {
        **{name: getattr(row, name) for name in same},
        "id": row.public_id,
        "ends_in": row.hint,
        "made_by": row.created_by.email,
    }


@route(
    router,
    "GET",
    "/tokens",
    scope="settings:read",
    right="manage",
    response=TokenPage,
    pages=True,
)
def list_tokens(request: ApiRequest, page: Annotated[PageQuery, Query()]) -> TokenPage:
    """The tenant's tokens, the newest first."""
    rows = ApiToken.objects.select_related("created_by")
    found, cursor = cut(rows, page, by=("-created_at", "-id"))
    return TokenPage(items=[Token(**_values(row)) for row in found], next_cursor=cursor)


@route(
    router,
    "POST",
    "/tokens",
    scope="settings:write",
    response=MadeToken,
    status=201,
    creates=True,
    hides=("token",),
)
def create_token(request: ApiRequest, document: NewToken) -> MadeToken:
    """A new token, never for more than its maker may; a token makes none that may more than it."""
    caller = request.auth
    beyond = [
        name for name in document.scopes if caller.token and not token_may(caller.token, name)
    ]
    if beyond:
        detail = f"The token that asks is not good for: {', '.join(beyond)}."
        raise Trouble(HTTPStatus.FORBIDDEN, detail, code="scope")
    row, text = tokens.create_token(
        tenant=caller.tenant,
        user=caller.user,
        name=document.name,
        scopes=document.scopes,
        expires_at=document.expires_at,
    )
    return MadeToken(**_values(row), token=text)


@route(
    router,
    "DELETE",
    "/tokens/{uuid:token_id}",
    scope="settings:write",
    response=None,
    status=204,
)
def revoke_token(request: ApiRequest, token_id: UUID) -> None:
    """Withdraw a token: it is refused from now on. It stays in the list."""
    row = get_object_or_404(ApiToken.objects.select_related("tenant"), public_id=token_id)
    tokens.revoke_token(token=row, user=request.auth.user)
