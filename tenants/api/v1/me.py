"""Who asks."""

from __future__ import annotations

from ninja import Router
from pydantic import Field

from tenants.api.v1.door import ApiRequest
from tenants.api.v1.routes import route
from tenants.api.v1.types import Id, Instant, Output, example

router = Router(tags=["me"])


class TenantRef(Output):
    model_config = example(
        {"id": "0b6ad2f5-3d3f-4b5e-9d3b-6f5d0e7c9a11", "slug": "acme", "name": "Acme Dental"}
    )
    id: Id
    slug: str
    name: str


class TokenRef(Output):
    model_config = example(
        {
            "id": "5f2d1c3a-77b4-4a53-8a0e-0d4e8b1d2f60",
            "name": "Nightly export",
            "scopes": ["calls:read", "usage:read"],
            "expires_at": "2027-01-01T00:00:00Z",
        }
    )
    id: Id
    name: str
    scopes: list[str]
    expires_at: Instant | None


class Me(Output):
    model_config = example(
        {
            "tenant": {
                "id": "0b6ad2f5-3d3f-4b5e-9d3b-6f5d0e7c9a11",
                "slug": "acme",
                "name": "Acme Dental",
            },
            "user": "alice@acme.example",
            "role": "owner",
            "support": False,
            "token": None,
        }
    )
    tenant: TenantRef
    user: str = Field(description="E-mail address of the person, or of the token's maker.")
    role: str
    support: bool = Field(description="One of the operator's people, by the tenant's leave.")
    token: TokenRef | None = Field(description="None: a session.")


@route(router, "GET", "/me", response=Me)
def get_me(request: ApiRequest) -> Me:
    """Who asks, for which tenant, and what they may."""
    caller = request.auth
    token = caller.token
    return Me(
        tenant=TenantRef(
            id=caller.tenant.public_id, slug=caller.tenant.slug, name=caller.tenant.name
        ),
        user=caller.user.email,
        role=caller.member.role,
        support=caller.member.support is not None,
        token=TokenRef(
            id=token.public_id, name=token.name, scopes=token.scopes, expires_at=token.expires_at
        )
        if token
        else None,
    )
