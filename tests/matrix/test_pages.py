"""Every address has its row; what roles get of the portal: tests/portal/test_permissions.py."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.test import Client
from django.urls import reverse

from tenants.models import Member, Tenant, User
from tests.matrix import collect
from tests.matrix.expected import (
    ACCOUNT,
    CONSOLE,
    OPEN_ACCOUNT,
    OPERATIONS,
    OUTSIDE,
    STREAM,
    WORKERS,
)
from tests.portal.addresses import PAGES, url_of

Browser = Callable[[User | None], Client]
HTMX = {"HX-Request": "true"}


def test_every_address_has_a_row() -> None:
    rows = {f"portal:{page.name}" for page in PAGES} | {f"console:{name}" for name in CONSOLE}
    rows |= (
        {f"{collect.API}:{name}" for name in OPERATIONS} | set(OUTSIDE) | set(WORKERS) | {STREAM[0]}
    )
    rows |= ACCOUNT | OPEN_ACCOUNT
    there = {name for name in collect.addresses() if not name.startswith(f"{collect.ADMIN}:")}
    assert there == rows


def test_a_person_in_two_tenants_can_change_between_them(
    alice: User, acme: Tenant, birch: Tenant, browser: Browser
) -> None:
    Member.all_tenants.create(tenant=birch, user=alice, role="viewer")
    assert "Birch Legal" in browser(alice).get("/t/acme/").content.decode()
    assert browser(alice).get("/t/birch/").status_code == 200
    assert browser(alice).get("/t/birch/agents/new/").status_code == 403


def test_a_tenant_that_is_switched_off_can_be_read_and_not_changed(
    acme: Tenant, alice: User, things: dict[str, Any], browser: Browser
) -> None:
    acme.is_active = False
    acme.save()
    for page in PAGES:
        address = url_of(page, things)
        if page.get == "viewer":
            assert browser(alice).get(address, headers=HTMX).status_code == 200, page.name
        if page.post and page.post != "viewer":
            assert browser(alice).post(address).status_code == 403, page.name


def test_the_records_are_for_superusers(
    people: dict[str, User | None], olga: User, browser: Browser
) -> None:
    names = [name for name in collect.addresses() if name.startswith(f"{collect.ADMIN}:")]
    plain = [name for name in names if name.endswith(("_changelist", "_add", ":index"))]
    assert len(plain) > 5
    for name in plain:
        for who, user in people.items():
            assert browser(user).get(reverse(name)).status_code in {302, 403}, (name, who)
    assert browser(olga).get(reverse("admin:index")).status_code == 200


def test_a_persons_own_sign_in_is_for_that_person(browser: Browser) -> None:
    for name in ACCOUNT:
        arguments = {"pk": 1} if name.endswith(("_remove_webauthn", "_edit_webauthn")) else {}
        answer = browser(None).get(reverse(name, kwargs=arguments))
        assert answer.status_code in {302, 404}, name


def test_what_is_for_media_workers_only(
    things: dict[str, Any], people: dict[str, User | None], browser: Browser
) -> None:
    for name, method in WORKERS.items():
        address = reverse_with(name, things)
        for who, user in people.items():
            status = browser(user).generic(method, address).status_code
            assert status == 401, (name, who)


def reverse_with(name: str, things: dict[str, Any]) -> str:
    """The address with whatever arguments it takes."""
    from django.urls import get_resolver

    resolver = get_resolver()
    *namespaces, bare = name.split(":")
    for namespace in namespaces:
        resolver = resolver.namespace_dict[namespace][1]
    ((_route, taken),) = resolver.reverse_dict.getlist(bare)[0][0]
    return reverse(name, kwargs={argument: things[argument] for argument in taken})
