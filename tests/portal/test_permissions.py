"""Who gets which page: the whole URLconf, each role, and another tenant's people."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import Any

import pytest
from django.core.files.base import ContentFile
from django.test import Client
from django.urls import URLPattern, URLResolver

from tenants.models import Call, Member, Number, Prompt, ProviderAccount, Tenant, User
from tenants.models.choices import PromptState
from tenants.portal import urls
from tests.portal.addresses import PAGES, RANKS, Page, url_of

GETS = [page for page in PAGES if page.get]
POSTS = [page for page in PAGES if page.post]


@pytest.fixture
def things(
    call: Call,
    number: Number,
    account: ProviderAccount,
    keep_recording: Callable[..., Any],
    settings_things: dict[str, Any],
) -> dict[str, Any]:
    """Ids of what Acme owns, by the name of the URL's argument."""
    keep_recording(call)
    prompt = Prompt(tenant=call.tenant, account=account, text="Hello.", digest="0" * 64)
    prompt.state = PromptState.READY
    prompt.file.save("", ContentFile(b"RIFF"))
    return {
        "call_id": call.public_id,
        "agent_id": call.agent.public_id,
        "number": 1,
        "number_id": number.public_id,
        "account_id": account.public_id,
        "prompt_id": prompt.public_id,
        **settings_things,
    }


@pytest.fixture
def people(alice: User, bob: User, erin: User, victor: User) -> dict[str, User]:
    return {"owner": alice, "admin": bob, "editor": erin, "viewer": victor}


def patterns(found: list[Any]) -> set[str]:
    """Names of all addresses below /t/<slug>/."""
    names = set()
    for pattern in found:
        if isinstance(pattern, URLResolver):
            names |= patterns(pattern.url_patterns)
        elif isinstance(pattern, URLPattern):
            names.add(str(pattern.name))
    return names


def test_every_address_of_a_tenant_is_in_the_table() -> None:
    below_tenant = [entry for entry in urls.urlpatterns if isinstance(entry, URLResolver)]
    assert patterns(below_tenant) == {page.name for page in PAGES}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_a_stranger_is_sent_to_sign_in(page: Page, things: dict[str, Any]) -> None:
    method = Client().get if page.get else Client().post
    answer = method(url_of(page, things))
    assert answer.status_code == 302
    assert answer["Location"].startswith("/accounts/login/")


@pytest.mark.parametrize("page", GETS, ids=lambda page: page.name)
def test_each_role_gets_what_it_may(
    page: Page, things: dict[str, Any], people: dict[str, User], browse: Callable[[User], Client]
) -> None:
    for role, user in people.items():
        answer = browse(user).get(url_of(page, things), headers={"HX-Request": "true"})
        may = RANKS.index(role) >= RANKS.index(str(page.get))
        assert answer.status_code == (200 if may else 403), role


@pytest.mark.parametrize("page", POSTS, ids=lambda page: page.name)
def test_a_role_below_may_not_post(
    page: Page, things: dict[str, Any], people: dict[str, User], browse: Callable[[User], Client]
) -> None:
    for role, user in people.items():
        if RANKS.index(role) < RANKS.index(str(page.post)):
            assert browse(user).post(url_of(page, things)).status_code == 403, role
    assert Call.all_tenants.filter(public_id=things["call_id"]).exists()
    assert Number.all_tenants.filter(public_id=things["number_id"]).exists()
    assert ProviderAccount.all_tenants.filter(public_id=things["account_id"]).exists()


@pytest.mark.parametrize("page", POSTS, ids=lambda page: page.name)
def test_the_least_role_may_post(
    page: Page, things: dict[str, Any], people: dict[str, User], browse: Callable[[User], Client]
) -> None:
    answer = browse(people[str(page.post)]).post(url_of(page, things))
    # 409: without a worker nobody can be spoken with.
    assert answer.status_code in {200, 302, 409}


@pytest.mark.parametrize("page", [page for page in PAGES if not page.get], ids=lambda p: p.name)
def test_what_changes_something_cannot_be_opened(
    page: Page, things: dict[str, Any], alice: User, browse: Callable[[User], Client]
) -> None:
    assert browse(alice).get(url_of(page, things)).status_code == 405


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_another_tenants_owner_finds_nothing(
    page: Page, things: dict[str, Any], charlie: User, browse: Callable[[User], Client]
) -> None:
    browser = browse(charlie)
    method = browser.get if page.get else browser.post
    assert method(url_of(page, things)).status_code == 404
    if page.post:
        assert browser.post(url_of(page, things)).status_code == 404


@pytest.mark.parametrize("page", [page for page in PAGES if page.takes], ids=lambda p: p.name)
def test_another_tenants_things_are_not_found_below_ones_own_address(
    page: Page, things: dict[str, Any], charlie: User, browse: Callable[[User], Client]
) -> None:
    browser = browse(charlie)
    method = browser.get if page.get else browser.post
    answer = method(url_of(page, things, slug="birch"))
    assert answer.status_code == 404
    if page.post:
        assert browser.post(url_of(page, things, slug="birch")).status_code == 404


@pytest.mark.parametrize("page", [page for page in PAGES if page.takes], ids=lambda p: p.name)
def test_what_does_not_exist_is_not_found(
    page: Page, things: dict[str, Any], alice: User, browse: Callable[[User], Client]
) -> None:
    nothing = {name: 99 if name == "number" else uuid.uuid4() for name in things}
    browser = browse(alice)
    method = browser.get if page.get else browser.post
    assert method(url_of(page, nothing)).status_code == 404


def test_no_page_shows_anothers_names(
    things: dict[str, Any],
    birch: Tenant,
    charlie: User,
    browse: Callable[[User], Client],
) -> None:
    browser = browse(charlie)
    for page in GETS:
        if not page.takes:
            shown = browser.get(url_of(page, {}, slug="birch")).getvalue().decode()
            for secret in ("Maria Huber", "Acme", "Front desk"):
                assert secret not in shown, page.name


def test_a_person_in_two_tenants_can_change_between_them(
    alice: User, birch: Tenant, browse: Callable[[User], Client]
) -> None:
    Member.all_tenants.create(tenant=birch, user=alice, role="viewer")
    shown = browse(alice).get("/t/acme/").content.decode()
    assert "Birch Legal" in shown
    assert browse(alice).get("/t/birch/").status_code == 200
    assert browse(alice).get("/t/birch/agents/new/").status_code == 403


def test_a_tenant_that_is_switched_off_can_be_read_and_not_changed(
    acme: Tenant, alice: User, things: dict[str, Any], browse: Callable[[User], Client]
) -> None:
    acme.is_active = False
    acme.save()
    assert browse(alice).get("/t/acme/").status_code == 200
    assert browse(alice).get("/t/acme/agents/new/").status_code == 403
