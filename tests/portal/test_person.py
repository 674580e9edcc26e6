"""Sign-in, the way in, language, light and dark, and what is said to somebody who is nowhere."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.core.cache import cache
from django.test import Client

from tenants.models import User
from tests.conftest import PASSWORD


def sign_in(client: Client, email: str, password: str) -> object:
    return client.post("/accounts/login/", {"login": email, "password": password})


def test_signing_in_leads_to_the_persons_tenant(alice: User) -> None:
    client = Client()
    assert "Sign in" in client.get("/accounts/login/").content.decode()
    answer = client.post(
        "/accounts/login/", {"login": alice.email, "password": PASSWORD}, follow=True
    )
    assert answer.redirect_chain[-1][0] == "/t/acme/"


def test_a_wrong_password_is_said_in_words(alice: User) -> None:
    page = Client().post("/accounts/login/", {"login": alice.email, "password": "no"})
    assert "not correct" in page.content.decode()
    assert page.status_code == 200


def test_too_many_wrong_passwords_are_held_up(alice: User) -> None:
    cache.clear()
    client = Client()
    pages = [
        client.post("/accounts/login/", {"login": alice.email, "password": "no"}).content.decode()
        for _ in range(7)
    ]
    assert "Too many failed login attempts" in pages[-1]
    answer = client.post("/accounts/login/", {"login": alice.email, "password": PASSWORD})
    assert "_auth_user_id" not in client.session, answer.status_code
    cache.clear()


def test_signing_out(alice: User, browse: Callable[[User], Client]) -> None:
    browser = browse(alice)
    assert browser.post("/accounts/logout/")["Location"] == "/accounts/login/"
    assert browser.get("/t/acme/").status_code == 302


def test_somebody_without_a_tenant_is_told_so(db: None, browse: Callable[[User], Client]) -> None:
    lonely = User.objects.create_user("lonely@example.com", PASSWORD)
    answer = browse(lonely).get("/")
    assert answer.status_code == 404
    assert "You belong to no account yet" in answer.content.decode()


def test_the_operator_is_led_to_the_console(olga: User, browse: Callable[[User], Client]) -> None:
    assert browse(olga).get("/")["Location"] == "/console/"


def test_a_persons_language_stays_with_the_person(
    alice: User, browse: Callable[[User], Client]
) -> None:
    browser = browse(alice)
    answer = browser.post("/preferences/", {"language": "de", "next": "/t/acme/calls/"})
    assert answer["Location"] == "/t/acme/calls/"
    page = browse(alice).get("/t/acme/calls/").content.decode()
    assert '<html lang="de"' in page
    assert "Anrufe" in page


def test_light_and_dark_are_in_the_first_byte(
    alice: User, browse: Callable[[User], Client]
) -> None:
    browser = browse(alice)
    assert "data-bs-theme" not in browser.get("/t/acme/").content.decode()[:400]
    browser.post("/preferences/", {"theme": "dark", "next": "/"})
    assert '<html lang="en" data-bs-theme="dark">' in browser.get("/t/acme/").content.decode()
    browser.post("/preferences/", {"theme": "", "next": "/"})
    assert "data-bs-theme" not in browser.get("/t/acme/").content.decode()[:400]
    browser.post("/preferences/", {"theme": '"><script>', "next": "/"})
    assert "data-bs-theme" not in browser.get("/t/acme/").content.decode()[:400]


@pytest.mark.parametrize("elsewhere", ["https://evil.example/", "//evil.example", "javascript:x"])
def test_a_preference_leads_back_to_our_own_pages_only(
    elsewhere: str, alice: User, browse: Callable[[User], Client]
) -> None:
    answer = browse(alice).post("/preferences/", {"theme": "dark", "next": elsewhere})
    assert answer["Location"] == "/"


def test_the_sign_in_page_speaks_the_browsers_language() -> None:
    page = Client().get("/accounts/login/", headers={"Accept-Language": "de-DE,de"})
    assert "Anmelden" in page.content.decode()
    client = Client(headers={"Accept-Language": "de-DE"})
    client.post("/language/", {"language": "en", "next": "/accounts/login/"})
    assert "Sign in" in client.get("/accounts/login/").content.decode()


def test_pages_that_are_not_there_are_ours(alice: User, browse: Callable[[User], Client]) -> None:
    page = browse(alice).get("/t/nowhere/")
    assert page.status_code == 404
    assert "There is nothing here" in page.content.decode()


def test_the_password_can_be_changed(alice: User, browse: Callable[[User], Client]) -> None:
    browser = browse(alice)
    assert "Change password" in browser.get("/accounts/password/change/").content.decode()
    new = "another long passphrase 7"
    data = {"oldpassword": PASSWORD, "password1": new, "password2": new}
    assert browser.post("/accounts/password/change/", data).status_code == 302
    alice.refresh_from_db()
    assert alice.check_password(new)
