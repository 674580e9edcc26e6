"""Rights of roles, and that strangers learn nothing."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import AnonymousUser
from django.core.exceptions import PermissionDenied
from django.http import Http404

from tenants.access import get_tenant
from tenants.models import Tenant, User

ALLOWED = {
    "victor": {"view"},
    "erin": {"view", "edit"},
    "bob": {"view", "edit", "manage"},
    "alice": {"view", "edit", "manage", "own"},
}


@pytest.mark.parametrize("right", ["view", "edit", "manage", "own"])
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
    with pytest.raises(PermissionDenied):
        get_tenant(alice, "acme", right="edit")
