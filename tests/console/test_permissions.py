"""Who gets which page of the console: the whole URLconf, the operator's people and all others."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client
from django.urls import URLPattern

from tenants.console import urls
from tenants.models import Member, Tenant, User
from tests.console.addresses import PAGES, RANKS, Page, url_of

GETS = [page for page in PAGES if page.get]
POSTS = [page for page in PAGES if page.post]


def test_every_address_is_in_the_table() -> None:
    names = [str(entry.name) for entry in urls.urlpatterns if isinstance(entry, URLPattern)]
    assert len(names) == len(urls.urlpatterns)
    assert set(names) == {page.name for page in PAGES}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_a_stranger_is_sent_to_sign_in(page: Page, things: dict[str, Any]) -> None:
    method = Client().get if page.get else Client().post
    answer = method(url_of(page, things))
    assert answer.status_code == 302
    assert answer["Location"].startswith("/accounts/login/")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_an_owner_of_a_tenant_may_not(
    page: Page, things: dict[str, Any], alice: User, browse: Callable[[User], Client]
) -> None:
    browser = browse(alice)
    assert browser.get(url_of(page, things)).status_code == 403
    assert browser.post(url_of(page, things)).status_code == 403


@pytest.mark.parametrize("page", GETS, ids=lambda page: page.name)
def test_the_operators_people_get_what_they_may(
    page: Page, things: dict[str, Any], sam: User, olga: User, browse: Callable[[User], Client]
) -> None:
    for rank, user in zip(RANKS, (sam, olga), strict=True):
        may = RANKS.index(rank) >= RANKS.index(str(page.get))
        answer = browse(user).get(url_of(page, things), headers={"HX-Request": "true"})
        assert answer.status_code == (200 if may else 403), rank


def test_who_is_below_may_not_post(
    things: dict[str, Any], sam: User, olga: User, browse: Callable[[User], Client]
) -> None:
    for page in POSTS:
        for rank, user in zip(RANKS, (sam, olga), strict=True):
            may = RANKS.index(rank) >= RANKS.index(str(page.post))
            answer = browse(user).post(url_of(page, things))
            assert answer.status_code in ({200, 302} if may else {403}), (page.name, rank)


def test_what_changes_something_cannot_be_opened(
    things: dict[str, Any], olga: User, browse: Callable[[User], Client]
) -> None:
    for page in PAGES:
        if not page.get:
            assert browse(olga).get(url_of(page, things)).status_code == 405, page.name


def test_all_records_are_for_superusers_alone(
    sam: User, olga: User, browse: Callable[[User], Client]
) -> None:
    assert browse(sam).get("/admin/", follow=True).status_code == 403
    assert browse(olga).get("/admin/").status_code == 200
    assert "/admin/" not in browse(sam).get("/console/").content.decode()
    assert 'href="/admin/"' in browse(olga).get("/console/").content.decode()


def test_both_doors_lead_to_each_other(
    acme: Tenant, sam: User, browse: Callable[[User], Client]
) -> None:
    assert browse(sam).get("/")["Location"] == "/console/"
    Member.all_tenants.create(tenant=acme, user=sam, role="viewer")
    assert 'href="/"' in browse(sam).get("/console/").content.decode()
    assert 'href="/console/"' in browse(sam).get("/t/acme/").content.decode()
