"""Every address, for everybody."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterable
from typing import Any, Final

from django.test import Client
from django.urls import get_resolver, reverse

from tenants.models import Member, Tenant, User
from tests.console import addresses as console
from tests.matrix import collect
from tests.matrix.conftest import (
    NOBODY,
    SIGN_IN,
    STAFF,
    SUPPORT_ADMIN,
    SUPPORT_VIEWER,
    status_of,
)
from tests.matrix.expected import (
    ACCOUNT,
    OPEN_ACCOUNT,
    OPERATIONS,
    OUTSIDE,
    STREAM,
    WHEN_OFF,
    WORKERS,
)
from tests.portal.addresses import PAGES, RANKS, Page, url_of

Browser = Callable[[User | None], Client]
HTMX: Final = {"HX-Request": "true"}
DONE: Final = {"GET": {200}, "POST": {200, 302, 409}}
"""Of somebody who may. 409: without a media worker nobody can be spoken with."""
ROLES: Final = {SUPPORT_VIEWER: "viewer", SUPPORT_ADMIN: "admin"} | {role: role for role in RANKS}


def test_every_address_has_a_row() -> None:
    rows = {f"portal:{page.name}" for page in PAGES}
    rows |= {f"console:{page.name}" for page in console.PAGES}
    rows |= {f"{collect.API}:{name}" for name in OPERATIONS}
    rows |= set(OUTSIDE) | set(WORKERS) | {STREAM[0]} | ACCOUNT | OPEN_ACCOUNT
    there = {name for name in collect.addresses() if not name.startswith(f"{collect.ADMIN}:")}
    assert there == rows


def of_portal(who: str, page: Page, method: str) -> set[int]:
    """What is right there; a method that an address does not take may be told before who may."""
    least = page.get if method == "GET" else page.post
    if who == NOBODY:
        return {SIGN_IN} if least else {SIGN_IN, 405}
    if who not in ROLES:
        return {404} if least else {404, 405}
    rank = RANKS.index(ROLES[who])
    if least is None:
        other = RANKS.index(str(page.get or page.post))
        return {405} if rank >= other else {403, 405}
    return DONE[method] if rank >= RANKS.index(least) else {403}


def of_console(who: str, page: console.Page, method: str) -> set[int]:
    if who == NOBODY:
        return {SIGN_IN}
    if who != STAFF:
        return {403}
    least = page.get if method == "GET" else page.post
    return {405} if least is None else DONE[method] if least == console.STAFF else {403}


def wrong(
    who: str,
    client: Client,
    address: str,
    right: Callable[[str, Any, str], set[int]],
    page: Any,
) -> Iterable[str]:
    """What is not as the table has it."""
    for method in DONE:
        if method == "POST" and page.post is None and right(who, page, "GET") == DONE["GET"]:
            continue  # what is sent to a page that takes nothing is not looked at
        status = status_of(client, method, address, headers=HTMX if method == "GET" else {})
        due = right(who, page, method)
        if status not in due:
            yield f"{method} {page.name} as {who}: {status}, not {due}"


def test_every_page_of_the_portal(
    things: dict[str, Any], people: dict[str, User | None], browser: Browser
) -> None:
    found = [
        line
        for who, user in people.items()
        for page in PAGES
        for line in wrong(who, browser(user), url_of(page, things), of_portal, page)
    ]
    assert found == []


def test_the_operators_people_get_what_a_grant_says(
    things: dict[str, Any], sam: User, browser: Browser, grant: Callable[[str], None]
) -> None:
    found = []
    for who in (SUPPORT_VIEWER, SUPPORT_ADMIN):
        grant(ROLES[who])
        for page in PAGES:
            found += wrong(who, browser(sam), url_of(page, things), of_portal, page)
    assert found == []


def test_every_page_of_the_console(
    things: dict[str, Any], people: dict[str, User | None], browser: Browser
) -> None:
    found = [
        line
        for who, user in people.items()
        for page in console.PAGES
        for line in wrong(who, browser(user), console.url_of(page, things), of_console, page)
    ]
    assert found == []


def test_what_is_another_tenants_or_nobodys_is_not_there(
    things: dict[str, Any], alice: User, charlie: User, browser: Browser
) -> None:
    nothing = {name: 99 if name == "number" else uuid.uuid4() for name in things}
    for page in PAGES:
        if page.takes:
            for method in [*(["GET"] if page.get else []), *(["POST"] if page.post else [])]:
                address = url_of(page, things, slug="birch")
                assert status_of(browser(charlie), method, address) == 404, page.name
                address = url_of(page, nothing)
                assert status_of(browser(alice), method, address) == 404, page.name


def test_no_page_shows_anothers_names(
    things: dict[str, Any], charlie: User, browser: Browser
) -> None:
    for page in PAGES:
        if page.get and not page.takes:
            answer = browser(charlie).get(url_of(page, {}, slug="birch"))
            assert answer.status_code == 200, page.name
            if answer.streaming:
                continue  # a file of calls; there are none
            shown = answer.content.decode()
            for secret in ("Maria Huber", "Acme Dental", "@acme.example", "Front desk"):
                assert secret not in shown, page.name


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
            refused = status_of(browser(alice), "POST", address) == 403
            assert refused == (page.name not in WHEN_OFF), page.name


def test_the_records_are_for_superusers(
    people: dict[str, User | None], olga: User, browser: Browser
) -> None:
    names = [name for name in collect.addresses() if name.startswith(f"{collect.ADMIN}:")]
    plain = [name for name in names if name.endswith(("_changelist", "_add", ":index"))]
    assert len(plain) > 5
    for name in plain:
        for user in people.values():
            assert status_of(browser(user), "GET", reverse(name)) in {302, 403, SIGN_IN}, name
    assert browser(olga).get(reverse("admin:index")).status_code == 200


def test_what_is_outside_of_a_tenant(
    things: dict[str, Any], victor: User, browser: Browser
) -> None:
    for name, (nobody, somebody) in OUTSIDE.items():
        address = f"/{name}" if name in {"healthz", "readyz"} else reverse_with(name, things)
        assert browser(None).get(address).status_code == nobody, name
        assert browser(victor).get(address).status_code == somebody, name


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
            assert browser(user).generic(method, address).status_code == 401, (name, who)


def reverse_with(name: str, things: dict[str, Any]) -> str:
    """The address with whatever arguments it takes."""
    resolver = get_resolver()
    *namespaces, bare = name.split(":")
    for namespace in namespaces:
        resolver = resolver.namespace_dict[namespace][1]
    ((_route, taken),) = resolver.reverse_dict.getlist(bare)[0][0]
    return reverse(name, kwargs={argument: things[argument] for argument in taken})
