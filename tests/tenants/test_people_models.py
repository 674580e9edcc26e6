"""What the models of people, rights and secrets promise."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction

from pbxai.crypto import SecretError
from tenants.models import (
    ApiToken,
    DataExport,
    IdempotencyKey,
    IdentityProvider,
    Invitation,
    ProviderAccount,
    SupportGrant,
    Tenant,
    User,
)
from tenants.models.token import validate_scopes
from tenants.models.validators import validate_currency, validate_domains, validate_languages
from tenants.services import secrets

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
LATER = NOW + timedelta(days=7)


def refused(make: Any, match: str | None = None) -> None:
    with pytest.raises(IntegrityError, match=match), transaction.atomic():
        make()


# --- people and rights ---------------------------------------------------------------------------


def test_a_person_is_invited_once_until_it_is_over(acme: Tenant, birch: Tenant):
    def invite(tenant: Tenant = acme, **fields: Any) -> Invitation:
        return Invitation.all_tenants.create(
            **{
                "tenant": tenant,
                "email": "new@acme.example",
                "digest": uuid.uuid4().hex,
                "expires_at": LATER,
                **fields,
            }
        )

    first = invite()
    refused(lambda: invite(email="NEW@acme.example"), "(?i)unique")
    invite(birch)
    first.revoked_at = NOW
    first.save()
    invite()
    first.accepted_at = NOW
    refused(first.save, "invitation_one_end")
    refused(lambda: invite(email="x@acme.example", role="king"), "invitation_role")


@pytest.mark.parametrize("scopes", [["calls:read"], ["live:act", "agents:write"]])
def test_rights_of_a_token_are_accepted(scopes: list[str]):
    validate_scopes(scopes)


@pytest.mark.parametrize(
    "scopes", [[], "calls:read", ["calls"], ["calls:own"], ["usage:write"], [1], ["calls:read"] * 2]
)
def test_rights_that_are_none_are_refused(scopes: Any):
    with pytest.raises(ValidationError):
        validate_scopes(scopes)


def test_tokens_go_with_the_person_who_made_them(acme: Tenant, alice: User):
    ApiToken.all_tenants.create(
        tenant=acme, name="CRM", digest="d", hint="abcd", scopes=["calls:read"], created_by=alice
    )
    alice.delete()
    assert not ApiToken.all_tenants.exists()


def test_support_is_granted_for_a_time(acme: Tenant, alice: User):
    now = datetime.now(UTC)
    grant = SupportGrant.all_tenants.create(
        tenant=acme, granted_by=alice, expires_at=now + timedelta(hours=1)
    )
    assert grant.holds_at(now)
    assert not grant.holds_at(now + timedelta(hours=1))
    grant.revoked_at = now
    assert not grant.holds_at(now)
    refused(lambda: SupportGrant.all_tenants.create(tenant=acme, expires_at=NOW), "support_for")
    refused(
        lambda: SupportGrant.all_tenants.create(tenant=acme, expires_at=LATER, role="owner"),
        "support_",
    )


def test_a_key_of_the_api_is_once_an_actor(acme: Tenant, birch: Tenant):
    fields = {"actor": "token:1", "key": "k", "route": "POST /x", "body_digest": "d"}
    IdempotencyKey.all_tenants.create(tenant=acme, **fields)
    IdempotencyKey.all_tenants.create(tenant=birch, **fields)
    IdempotencyKey.all_tenants.create(tenant=acme, **fields | {"actor": "token:2"})
    refused(lambda: IdempotencyKey.all_tenants.create(tenant=acme, **fields), "(?i)unique")


def test_an_export_that_is_ready_was_made(acme: Tenant):
    export = DataExport.all_tenants.create(tenant=acme)
    export.state = "ready"
    refused(export.save, "export_ready")


@pytest.mark.parametrize("domains", [["acme.example"], ["a-b.example.com", "x.org"], []])
def test_domains_are_accepted(domains: list[str]):
    validate_domains(domains)


@pytest.mark.parametrize("domains", ["acme.example", ["acme"], ["Acme.example"], ["@a.de"], [1]])
def test_domains_that_are_none_are_refused(domains: Any):
    with pytest.raises(ValidationError):
        validate_domains(domains)


@pytest.mark.parametrize("value", ["usd", "EURO", "€", ""])
def test_currencies_that_are_none_are_refused(value: str):
    with pytest.raises(ValidationError):
        validate_currency(value)


def test_languages_are_accepted():
    validate_languages(["de", "en-GB"])


# --- secrets -------------------------------------------------------------------------------------


def test_the_next_key_is_sealed_apart_and_rotated_with_the_ring(acme: Tenant, make_account):
    account: ProviderAccount = make_account(acme, key="key-in-use-0001")
    account.next_secret = "key-to-come-0002"
    account.save()
    stored = ProviderAccount.all_tenants.get(pk=account.pk)
    assert stored.next_secret.reveal() == "key-to-come-0002"
    assert stored.secret.reveal() == "key-in-use-0001"
    assert b"key-to-come" not in stored.next_secret.raw
    # Bound to its own column: the ciphertext cannot be moved into the other one.
    stored.secret = stored.next_secret
    with pytest.raises(SecretError, match="belongs elsewhere"):
        stored.secret.reveal()
    names = {f"{field.model.__name__}.{field.name}" for field in secrets.encrypted_fields()}
    assert names >= {"ProviderAccount.next_secret", "IdentityProvider.secret"}


def test_an_identity_providers_secret_is_its_tenants(acme: Tenant, birch: Tenant):
    provider = IdentityProvider(tenant=acme, name="Entra", issuer="https://login.example/acme")
    provider.secret = "client-secret-1"
    provider.save()
    stored = IdentityProvider.all_tenants.get()
    assert stored.secret.reveal() == "client-secret-1"
    stored.tenant = birch
    with pytest.raises(SecretError, match="belongs elsewhere"):
        stored.secret.reveal()
