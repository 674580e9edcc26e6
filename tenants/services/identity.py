"""A tenant's own sign-in: kept, tried, and what it may vouch for.

OpenID Connect, and SAML where it is installed (settings.SAML).

It vouches in its own tenant only: the session says which (tenants.access.IDENTITY_KEY). The
operator's people never come in by one, nor does anybody whom another tenant made.
"""

from __future__ import annotations

import re
from typing import Final

import requests
from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils.translation import gettext as _
from django_scopes import scope

from tenants.models import IdentityProvider, Member, User
from tenants.models.account import HINT_FROM_LENGTH
from tenants.models.choices import IdentityKind, Role
from tenants.services import audit, outside

KEY_PREFIX: Final = "identity-"
WELL_KNOWN: Final = "/.well-known/openid-configuration"
AUDITED: Final = (
    "name",
    "issuer",
    "client_id",
    "secret",
    "entity_id",
    "sso_url",
    "certificates",
    "domains",
    "is_active",
)


class NotVouched(Exception):  # noqa: N818 - says what is the matter
    """The provider's word is not enough for this person; the message is for them."""


def kinds() -> list[str]:
    """What is spoken here: SAML is installed or not (requirements/saml.in)."""
    return [IdentityKind.OIDC, *([IdentityKind.SAML] if settings.SAML else [])]


def key_of(provider: IdentityProvider) -> str:
    """What addresses and links of people call the provider."""
    return f"{KEY_PREFIX}{provider.public_id.hex}"


def is_key(text: str) -> bool:
    """Whether it is of the form that `key_of` gives; the provider need not be there."""
    return re.fullmatch(rf"{KEY_PREFIX}[0-9a-f]{{32}}", text) is not None


def find(key: str) -> IdentityProvider | None:
    """An active provider of an active tenant."""
    if not is_key(key):
        return None
    return (
        IdentityProvider.all_tenants.select_related("tenant")
        .filter(
            public_id=key.removeprefix(KEY_PREFIX),
            kind__in=kinds(),
            is_active=True,
            tenant__is_active=True,
        )
        .first()
    )


def save_provider(
    *, provider: IdentityProvider, user: User | None, secret: str = "", metadata: str = ""
) -> IdentityProvider:
    """Check, try and save. Raises ValidationError.

    OpenID Connect: an empty `secret` keeps the one that is stored. SAML: `metadata` is what
    somebody pasted; else it is read at `issuer`, and without that the one that is stored stays.
    """
    with scope(tenant=provider.tenant):
        stored = IdentityProvider.all_tenants.filter(pk=provider.pk).first()
        if provider.kind == IdentityKind.SAML:
            provider.full_clean()
            _describe(provider, metadata)
            provider.full_clean()
        else:
            _take_secret(provider, stored, secret)
            provider.full_clean()
            _try(provider.issuer)
        with transaction.atomic():
            provider.save()
            audit.record(
                "identity.edit" if stored else "identity.create",
                provider,
                tenant=provider.tenant,
                user=user,
                changes=audit.diff(stored, provider, AUDITED),
            )
    return provider


def _take_secret(provider: IdentityProvider, stored: IdentityProvider | None, secret: str) -> None:
    if secret:
        provider.secret = secret
        provider.secret_hint = secret[-4:] if len(secret) >= HINT_FROM_LENGTH else ""
    elif stored and stored.issuer != provider.issuer:
        raise ValidationError({"secret": [_("The address has changed; give the secret anew.")]})


def delete_provider(*, provider: IdentityProvider, user: User | None) -> None:
    with scope(tenant=provider.tenant), transaction.atomic():
        audit.record("identity.delete", provider, tenant=provider.tenant, user=user)
        provider.delete()


def vouch(
    *,
    provider: IdentityProvider,
    email: str,
    name: str,
    is_verified: bool | None,
    linked: User | None,
) -> User:
    """Who it is that the provider lets in: a member, or somebody new of a domain that it has.

    `is_verified`: what the provider says of the address; None: nothing. `linked`: whom it let in
    before. Raises NotVouched.
    """
    tenant = provider.tenant
    address = email.strip().lower()
    if not address or is_verified is False:
        raise NotVouched(_("Your organisation did not confirm an e-mail address."))
    user = linked or User.objects.filter(email__iexact=address).first()
    if user is None:
        return _new_person(provider, address, name)
    if user.is_staff or not user.is_active:
        raise NotVouched(_("This person cannot sign in by an organisation."))
    if not Member.all_tenants.filter(tenant=tenant, user=user).exists():
        raise NotVouched(
            _("You are no member of %(tenant)s. Ask its owner for an invitation.")
            % {"tenant": tenant.name}
        )
    return user


def _new_person(provider: IdentityProvider, address: str, name: str) -> User:
    """A viewer: what more they may is for an owner to say."""
    tenant = provider.tenant
    if address.rpartition("@")[2] not in provider.domains:
        raise NotVouched(
            _("%(email)s is not known to %(tenant)s. Ask its owner for an invitation.")
            % {"email": address, "tenant": tenant.name}
        )
    with scope(tenant=tenant), transaction.atomic():
        user = User(email=address, name=name[:150], time_zone=tenant.time_zone)
        user.set_unusable_password()
        user.full_clean(exclude=["password"])
        user.save()
        member = Member.all_tenants.create(tenant=tenant, user=user, role=Role.VIEWER)
        audit.record(
            "member.join",
            member,
            tenant=tenant,
            user=user,
            changes=audit.diff(None, member, ["role"]),
            identity=provider.name,
        )
    return user


def _try(issuer: str) -> None:
    """Read the provider's own description. Raises ValidationError of the field `issuer`."""
    address = issuer if WELL_KNOWN in issuer else issuer.rstrip("/") + WELL_KNOWN
    try:
        with outside.session() as session:
            answer = session.get(address, headers={"Accept": "application/json"})
        answer.raise_for_status()
        found = answer.json()
        missing = {"authorization_endpoint", "token_endpoint", "issuer"} - set(found)
    except outside.NotAllowed as error:
        raise ValidationError({"issuer": [str(error)]}) from None
    except (requests.RequestException, ValueError, TypeError) as error:
        words = _("Nothing that describes an OpenID provider is at %(url)s: %(why)s")
        why = str(error)[:200]
        raise ValidationError({"issuer": [words % {"url": address, "why": why}]}) from None
    if missing:
        words = _("The description at %(url)s names no %(what)s.")
        what = ", ".join(sorted(missing))
        raise ValidationError({"issuer": [words % {"url": address, "what": what}]})


def _describe(provider: IdentityProvider, metadata: str) -> None:
    """Take over what the metadata says. Raises ValidationError of the field that it came by."""
    from tenants.services import saml

    field = "metadata" if metadata or not provider.issuer else "issuer"
    if field == "issuer":
        text = _read(provider.issuer)
    elif metadata:
        text = metadata.encode()
    elif provider.entity_id:
        return
    else:
        raise ValidationError({"issuer": [_("Give the address of the metadata, or paste it.")]})
    try:
        found = saml.read_metadata(text)
    except saml.Refused as error:
        raise ValidationError({field: [str(error)]}) from None
    provider.entity_id, provider.sso_url = found.entity_id, found.sso_url
    provider.certificates = "\n".join(found.certificates)


def _read(address: str) -> bytes:
    """The provider's SAML metadata. Raises ValidationError of the field `issuer`."""
    try:
        with outside.session() as session:
            answer = session.get(address)
        answer.raise_for_status()
    except outside.NotAllowed as error:
        raise ValidationError({"issuer": [str(error)]}) from None
    except requests.RequestException as error:
        words = _("Nothing is to be read at %(url)s: %(why)s")
        why = str(error)[:200]
        raise ValidationError({"issuer": [words % {"url": address, "why": why}]}) from None
    return answer.content
