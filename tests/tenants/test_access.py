"""Rights of roles, and that strangers learn nothing."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import AnonymousUser
from django.core.exceptions import PermissionDenied
from django.http import Http404
from django.test import Client
from django.utils import timezone

from tenants.access import IDENTITY_KEY, SCOPE_RIGHTS, get_tenant, token_may
from tenants.actor import Actor, acting, current
from tenants.models import ApiToken, AuditEntry, Member, SupportGrant, Tenant, User
from tenants.models.choices import Via
from tenants.models.token import SCOPES

ALLOWED = {
    "victor": {"view"},
    "erin": {"view", "edit"},
    "bob": {"view", "edit", "manage"},
    "alice": {"view", "edit", "manage", "recall", "own"},
}


@pytest.mark.parametrize("right", ["view", "edit", "manage", "recall", "own"])
@pytest.mark.parametrize("name", ALLOWED)
def test_each_role_has_its_rights(name: str, right, acme: Tenant, request: pytest.FixtureRequest):
    user = request.getfixturevalue(name)
    if right in ALLOWED[name]:
        tenant, member = get_tenant(user, "acme", right=right)
        assert (tenant, member.user) == (acme, user)
    else:
        with pytest.raises(PermissionDenied):
            get_tenant(user, "acme", right=right)


def test_a_stranger_cannot_tell_a_tenant_from_none(acme: Tenant, charlie: User, olga: User):
    for user in (charlie, olga, AnonymousUser()):
        for slug in ("acme", "nobody"):
            with pytest.raises(Http404):
                get_tenant(user, slug)


def test_a_tenant_that_is_off_can_only_be_read(acme: Tenant, alice: User):
    Tenant.objects.update(is_active=False)
    assert get_tenant(alice, "acme")[0] == acme
    for right in ("edit", "manage", "own"):
        with pytest.raises(PermissionDenied):
            get_tenant(alice, "acme", right=right)


def test_support_can_be_sent_out_of_a_tenant_that_is_off(
    acme: Tenant, alice: User, bob: User, client: Client
):
    given = grant(acme)
    Tenant.objects.update(is_active=False)
    client.force_login(bob)
    assert client.get("/t/acme/settings/support/").status_code == 403
    client.force_login(alice)
    shown = client.get("/t/acme/settings/support/").content.decode()
    assert "End now" in shown
    assert 'name="hours"' not in shown
    assert client.post("/t/acme/settings/support/", {"hours": "1"}).status_code == 403
    client.post(f"/t/acme/settings/support/{given.public_id}/revoke/")
    assert not SupportGrant.all_tenants.filter(revoked_at=None).exists()


# --- an identity provider vouches in its own tenant only -----------------------------------------


def test_who_was_vouched_for_elsewhere_is_a_stranger_here(acme: Tenant, birch: Tenant, alice: User):
    Member.all_tenants.create(tenant=birch, user=alice, role="owner")
    vouched = str(birch.public_id)
    assert get_tenant(alice, "birch", only=vouched)[0] == birch
    with pytest.raises(Http404):
        get_tenant(alice, "acme", only=vouched)
    assert get_tenant(alice, "acme", only=None)[0] == acme


def test_a_page_looks_at_who_vouched(acme: Tenant, birch: Tenant, alice: User, client: Client):
    client.force_login(alice)
    assert client.get("/t/acme/").status_code == 200
    session = client.session
    session[IDENTITY_KEY] = str(birch.public_id)
    session.save()
    assert client.get("/t/acme/").status_code == 404


# --- support -------------------------------------------------------------------------------------


def grant(tenant: Tenant, hours: float = 1, **fields: Any) -> SupportGrant:
    row = SupportGrant.all_tenants.create(
        tenant=tenant, expires_at=timezone.now() + timedelta(days=1), **fields
    )
    # Made some time ago, so that it can be over already.
    now = timezone.now()
    SupportGrant.all_tenants.filter(pk=row.pk).update(
        created_at=now - timedelta(days=1), expires_at=now + timedelta(hours=hours)
    )
    return row


def test_the_operator_is_a_stranger_without_a_grant(acme: Tenant, birch: Tenant, olga: User):
    grant(birch)
    with pytest.raises(Http404):
        get_tenant(olga, "acme")


def test_a_grant_lets_the_operator_in_with_its_role(acme: Tenant, olga: User):
    given = grant(acme)
    tenant, member = get_tenant(olga, "acme")
    assert (tenant, member.user, member.role, member.support) == (acme, olga, "viewer", given)
    with pytest.raises(PermissionDenied):
        get_tenant(olga, "acme", right="edit")
    strong = grant(acme, role="admin")
    assert get_tenant(olga, "acme", right="manage")[1].support == strong
    with pytest.raises(PermissionDenied):
        get_tenant(olga, "acme", right="own")


def test_a_grant_ends_with_its_time_and_when_it_is_withdrawn(acme: Tenant, olga: User):
    grant(acme, hours=-1)
    with pytest.raises(Http404):
        get_tenant(olga, "acme")
    given = grant(acme)
    get_tenant(olga, "acme")
    given.refresh_from_db()
    given.revoked_at = timezone.now()
    given.save()
    with pytest.raises(Http404):
        get_tenant(olga, "acme")


def test_a_grant_lets_nobody_in_but_the_operators_people(acme: Tenant, charlie: User, olga: User):
    grant(acme)
    with pytest.raises(Http404):
        get_tenant(charlie, "acme")
    User.objects.filter(pk=olga.pk).update(is_active=False)
    olga.refresh_from_db()
    with pytest.raises(Http404):
        get_tenant(olga, "acme")


def test_a_membership_goes_before_a_grant(acme: Tenant, olga: User):
    Member.all_tenants.create(tenant=acme, user=olga, role="owner")
    grant(acme)
    member = get_tenant(olga, "acme", right="own")[1]
    assert member.support is None
    assert not AuditEntry.all_tenants.filter(action="support.enter").exists()


def test_the_log_says_once_an_hour_that_support_came_in(acme: Tenant, olga: User):
    given = grant(acme)
    with acting(Actor(via=Via.PORTAL, user=olga)):
        get_tenant(olga, "acme")
        get_tenant(olga, "acme")
        assert current().support == given
    written = AuditEntry.all_tenants.get(action="support.enter")
    assert (written.tenant, written.user, written.support) == (acme, olga, given)


def test_a_grant_is_never_saved_as_a_membership(acme: Tenant, olga: User):
    grant(acme)
    member = get_tenant(olga, "acme")[1]
    with pytest.raises(ValueError, match="no membership"):
        member.save()
    assert not Member.all_tenants.filter(user=olga).exists()


# --- tokens --------------------------------------------------------------------------------------


def token(tenant: Tenant, user: User, *scopes: str, **fields: Any) -> ApiToken:
    return ApiToken.all_tenants.create(
        tenant=tenant, name="CRM", hint="abcd", scopes=list(scopes), created_by=user, **fields
    )


def test_every_scope_of_a_token_has_the_right_that_it_needs():
    assert set(SCOPE_RIGHTS) == set(SCOPES)


def test_a_token_may_what_it_says_and_write_and_act_include_read(acme: Tenant, alice: User):
    made = token(acme, alice, "agents:write", "live:act", "usage:read")
    may = {scope for scope in SCOPES if token_may(made, scope)}
    assert may == {"agents:write", "agents:read", "live:act", "live:read", "usage:read"}
    with pytest.raises(KeyError):
        token_may(made, "agents:own")


@pytest.mark.parametrize("name", ALLOWED)
def test_a_token_never_may_more_than_its_maker(
    name: str, acme: Tenant, request: pytest.FixtureRequest
):
    made = token(acme, request.getfixturevalue(name), *SCOPES)
    for scope, right in SCOPE_RIGHTS.items():
        assert token_may(made, scope) == (right in ALLOWED[name]), scope


def test_a_token_falls_with_its_makers_role_and_membership(acme: Tenant, alice: User):
    made = token(acme, alice, "agents:write")
    Member.all_tenants.filter(user=alice).update(role="viewer")
    assert not token_may(made, "agents:write")
    assert token_may(made, "agents:read")
    User.objects.filter(pk=alice.pk).update(is_active=False)
    assert not token_may(made, "agents:read")
    User.objects.filter(pk=alice.pk).update(is_active=True)
    Member.all_tenants.filter(user=alice).delete()
    assert not token_may(made, "agents:read")


def test_a_token_ends(acme: Tenant, alice: User):
    now = timezone.now()
    assert not token_may(token(acme, alice, "calls:read", expires_at=now), "calls:read")
    assert not token_may(token(acme, alice, "calls:read", revoked_at=now), "calls:read")
    later = now + timedelta(hours=1)
    assert token_may(token(acme, alice, "calls:read", expires_at=later), "calls:read")


def test_a_token_of_a_tenant_that_is_off_only_reads(acme: Tenant, alice: User):
    made = token(acme, alice, "agents:write")
    Tenant.objects.update(is_active=False)
    assert token_may(made, "agents:read")
    assert not token_may(made, "agents:write")
