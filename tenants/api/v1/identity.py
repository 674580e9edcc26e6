"""The tenant's own sign-in: the identity providers that vouch for its people."""

from __future__ import annotations

from typing import Annotated, Any, Final
from uuid import UUID

from django.core.exceptions import ValidationError
from django.db.models import QuerySet
from django.shortcuts import get_object_or_404
from django.urls import reverse
from ninja import Query, Router
from pydantic import Field

from tenants.api.v1.door import ApiRequest
from tenants.api.v1.pages import PageQuery, cut
from tenants.api.v1.routes import route
from tenants.api.v1.settings_document import NOT_BLANK
from tenants.api.v1.types import Id, Input, Output, example, example_input
from tenants.api.v1.words import IdentityWord
from tenants.models import IdentityProvider
from tenants.models.choices import IdentityKind
from tenants.models.validators import DOMAINS_LIMIT
from tenants.services import identity
from tenants.services.mail import absolute

router = Router(tags=["identity providers"])

_PROVIDER: Final[dict[str, Any]] = {
    "id": "6e5a8f0c-1b7e-4f0d-8f1b-0c5d7e2a9b33",
    "kind": "oidc",
    "name": "Acme account",
    "issuer": "https://login.example.com/realms/acme",
    "client_id": "pbxai",
    "has_secret": True,
    "secret_ends_in": "9f3c",
    "domains": ["acme.example"],
    "is_active": True,
    "redirect_uri": "https://pbxai.example.com/accounts/oidc/identity-6e5a/login/callback/",
}
Name = Annotated[str, Field(max_length=100, pattern=NOT_BLANK, description="On the button.")]
Issuer = Annotated[
    str,
    Field(
        max_length=500,
        pattern=r"^https?://[A-Za-z0-9][A-Za-z0-9.-]*(:[0-9]{1,5})?(/[A-Za-z0-9._~/-]*)?$",
        description="Its description, below /.well-known/, is read before this is kept.",
    ),
]
Domain = Annotated[str, Field(max_length=253)]
Domains = Annotated[
    list[Domain],
    Field(
        max_length=DOMAINS_LIMIT,
        description="Who has an address there comes in as a viewer, without an invitation.",
    ),
]
Secret = Annotated[str, Field(min_length=1, max_length=4096, pattern=NOT_BLANK)]


class Provider(Output):
    model_config = example(_PROVIDER)
    id: Id
    kind: IdentityWord
    name: str
    issuer: str
    client_id: str
    has_secret: bool
    secret_ends_in: str
    domains: list[str]
    is_active: bool
    redirect_uri: str = Field(description="To be allowed at an OpenID provider; else empty.")


class ProviderPage(Output):
    model_config = example({"items": [_PROVIDER], "next_cursor": None})
    items: list[Provider]
    next_cursor: str | None


class NewProvider(Input):
    model_config = example_input(
        {
            "name": "Acme account",
            "issuer": _PROVIDER["issuer"],
            "client_id": "pbxai",
            "secret": "example-secret-9f3c",
            "domains": ["acme.example"],
        }
    )
    name: Name
    issuer: Issuer
    client_id: str = Field(max_length=255, pattern=NOT_BLANK)
    secret: Secret
    domains: Domains = []
    is_active: bool = True


class ProviderChange(Input):
    model_config = example_input({"domains": ["acme.example", "acme.test"]})
    name: Name | None = None
    issuer: Issuer | None = Field(
        None, description="OpenID Connect only, as `client_id` and `secret`; needs the secret anew."
    )
    client_id: str | None = Field(None, max_length=255, pattern=NOT_BLANK)
    secret: Secret | None = None
    domains: Domains | None = None
    is_active: bool | None = None


def _rows() -> QuerySet[IdentityProvider]:
    return IdentityProvider.objects.filter(kind__in=identity.kinds())


def _find(provider_id: UUID) -> IdentityProvider:
    return get_object_or_404(_rows().select_related("tenant"), public_id=provider_id)


def _document(row: IdentityProvider) -> Provider:
    same = ("kind", "name", "issuer", "client_id", "domains", "is_active")
    is_oidc = row.kind == IdentityKind.OIDC
    address = reverse("openid_connect_callback", kwargs={"provider_id": identity.key_of(row)})
    return Provider(
        id=row.public_id,
        has_secret=bool(row.secret),
        secret_ends_in=row.secret_hint,
        redirect_uri=absolute(address) if is_oidc else "",
        **{name: getattr(row, name) for name in same},
    )


def _save(
    request: ApiRequest, row: IdentityProvider, document: NewProvider | ProviderChange
) -> Provider:
    for name in ("issuer", "client_id", "secret"):
        if row.kind == IdentityKind.SAML and getattr(document, name) is not None:
            raise ValidationError({name: ["SAML is set up in the portal."]})
    for name in ("name", "issuer", "client_id", "is_active"):
        if getattr(document, name) is not None:
            setattr(row, name, getattr(document, name))
    if document.domains is not None:
        row.domains = [domain.lower() for domain in document.domains]
    user, secret = request.auth.user, document.secret or ""
    return _document(identity.save_provider(provider=row, user=user, secret=secret))


@route(
    router,
    "GET",
    "/identity-providers",
    scope="settings:read",
    right="own",
    response=ProviderPage,
    pages=True,
)
def list_identity_providers(
    request: ApiRequest, page: Annotated[PageQuery, Query()]
) -> ProviderPage:
    """Whoever vouches for the tenant's people, by name."""
    rows, cursor = cut(_rows(), page, by=("name", "id"))
    return ProviderPage(items=[_document(row) for row in rows], next_cursor=cursor)


@route(
    router,
    "POST",
    "/identity-providers",
    scope="settings:write",
    right="own",
    response=Provider,
    status=201,
    creates=True,
)
def create_identity_provider(request: ApiRequest, document: NewProvider) -> Provider:
    """An OpenID provider by which people sign in from now on; SAML is set up in the portal."""
    return _save(request, IdentityProvider(tenant=request.auth.tenant), document)


@route(
    router,
    "GET",
    "/identity-providers/{uuid:provider_id}",
    scope="settings:read",
    right="own",
    response=Provider,
)
def get_identity_provider(request: ApiRequest, provider_id: UUID) -> Provider:
    """An identity provider; its secret is never shown."""
    return _document(_find(provider_id))


@route(
    router,
    "PATCH",
    "/identity-providers/{uuid:provider_id}",
    scope="settings:write",
    right="own",
    response=Provider,
)
def change_identity_provider(
    request: ApiRequest, provider_id: UUID, document: ProviderChange
) -> Provider:
    """Change one; fields that are left out stay."""
    return _save(request, _find(provider_id), document)


@route(
    router,
    "DELETE",
    "/identity-providers/{uuid:provider_id}",
    scope="settings:write",
    right="own",
    response=None,
    status=204,
)
def delete_identity_provider(request: ApiRequest, provider_id: UUID) -> None:
    """Nobody signs in by it any more; people stay members."""
    identity.delete_provider(provider=_find(provider_id), user=request.auth.user)
