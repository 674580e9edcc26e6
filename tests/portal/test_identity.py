"""Sign-in by a tenant's own identity provider: for that tenant, and nowhere else."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from ipaddress import ip_network
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import requests
from django.core.exceptions import ValidationError
from django.test import Client

from tenants.models import AuditEntry, IdentityProvider, Member, Tenant, User
from tenants.services import identity, outside
from tests.conftest import PASSWORD
from tests.portal.conftest import address
from tests.support import openid


@pytest.fixture
def idp(settings: Any) -> Iterator[openid.OpenIdProvider]:
    settings.ALLOWED_NETWORKS = [ip_network("127.0.0.0/8")]
    with openid.running() as server:
        yield server


@pytest.fixture
def provider(acme: Tenant, idp: openid.OpenIdProvider) -> IdentityProvider:
    row = IdentityProvider(tenant=acme, name="Acme account", issuer=idp.issuer)
    row.client_id, row.domains = openid.CLIENT_ID, ["acme.example"]
    return identity.save_provider(provider=row, user=None, secret=openid.CLIENT_SECRET)


def come_in(provider: IdentityProvider, idp: openid.OpenIdProvider, **claims: Any) -> Any:
    """A fresh browser that goes the whole way; gives it and the last answer."""
    idp.claims = {"sub": claims.get("email", "nobody"), **claims}
    browser = Client()
    key = identity.key_of(provider)
    away = browser.post(f"/accounts/oidc/{key}/login/")
    assert away["Location"].startswith(f"{idp.issuer}/authorize?"), away
    back = idp.authorize(away["Location"])
    return browser, browser.get(back.partition("127.0.0.1:8000")[2] or back, follow=True)


def is_in(browser: Client) -> bool:
    return "_auth_user_id" in browser.session


def test_a_member_comes_in_and_stays_a_stranger_elsewhere(
    provider: IdentityProvider, idp: openid.OpenIdProvider, alice: User, birch: Tenant
) -> None:
    Member.all_tenants.create(tenant=birch, user=alice, role="owner")
    browser, answer = come_in(provider, idp, email=alice.email, email_verified=True)
    assert answer.redirect_chain[-1][0] == "/t/acme/"
    assert browser.get("/t/acme/").status_code == 200
    assert browser.get("/t/birch/").status_code == 404
    assert "Birch" not in browser.get("/t/acme/").content.decode()
    again, _answer = come_in(provider, idp, email=alice.email)
    assert is_in(again)


def test_who_is_vouched_for_gives_themselves_no_second_way_in(
    provider: IdentityProvider, idp: openid.OpenIdProvider, alice: User
) -> None:
    browser, _answer = come_in(provider, idp, email=alice.email)
    assert "/accounts/2fa/" not in browser.get("/t/acme/").content.decode()
    for path in ("/accounts/2fa/", "/accounts/password/change/", "/accounts/sessions/"):
        assert browser.get(path).status_code == 403, path
    browser.post("/accounts/logout/")
    browser.post("/accounts/login/", {"login": alice.email, "password": PASSWORD})
    assert browser.get("/accounts/2fa/").status_code == 200
    assert "/accounts/2fa/" in browser.get("/t/acme/").content.decode()


def test_somebody_new_of_a_vouched_domain_becomes_a_viewer(
    provider: IdentityProvider, idp: openid.OpenIdProvider
) -> None:
    browser, answer = come_in(provider, idp, email="Nina@Acme.example", name="Nina New")
    assert answer.status_code == 200
    member = Member.all_tenants.get(tenant=provider.tenant)
    assert (member.role, member.user.email, member.user.name) == (
        "viewer",
        "nina@acme.example",
        "Nina New",
    )
    assert not member.user.has_usable_password()
    assert browser.get(address("agent_new")).status_code == 403
    assert AuditEntry.all_tenants.get(action="member.join").detail == {"identity": "Acme account"}


@pytest.mark.parametrize(
    ("who", "claims"),
    [
        ("a stranger of another domain", {"email": "eve@evil.example"}),
        ("another tenant's owner", {"email": "charlie@birch.example"}),
        ("the operator", {"email": "olga@operator.example"}),
        ("nobody", {}),
        ("unconfirmed", {"email": "nina@acme.example", "email_verified": False}),
    ],
)
def test_others_are_refused(
    who: str,
    claims: dict[str, Any],
    provider: IdentityProvider,
    idp: openid.OpenIdProvider,
    charlie: User,
    olga: User,
) -> None:
    before = User.objects.count()
    browser, answer = come_in(provider, idp, **claims)
    assert answer.status_code == 403, who
    assert "You could not be signed in" in answer.content.decode()
    assert not is_in(browser)
    assert User.objects.count() == before


def test_who_was_removed_does_not_come_in_any_more(
    provider: IdentityProvider, idp: openid.OpenIdProvider, alice: User, victor: User
) -> None:
    come_in(provider, idp, email=victor.email)
    Member.all_tenants.filter(user=victor).delete()
    browser, answer = come_in(provider, idp, email=victor.email)
    assert (answer.status_code, is_in(browser)) == (403, False)


def test_a_provider_that_is_off_or_gone_is_no_way_in(
    provider: IdentityProvider, idp: openid.OpenIdProvider, alice: User
) -> None:
    path = f"/accounts/oidc/{identity.key_of(provider)}/login/"
    IdentityProvider.all_tenants.update(is_active=False)
    assert Client().post(path).status_code == 404
    assert Client().post("/accounts/oidc/identity-x/login/").status_code == 404
    assert Client().get("/sign-in/acme/")["Location"].startswith("/accounts/login/")
    IdentityProvider.all_tenants.update(is_active=True, issuer="http://127.0.0.1:1")
    assert Client().post(path).status_code == 502


def test_the_button_may_lead_to_the_provider(provider: IdentityProvider) -> None:
    """Chromium holds what a form's answer redirects to against form-action as well."""
    for path in ("/sign-in/acme/", f"/accounts/oidc/{identity.key_of(provider)}/login/"):
        policy = Client().get(path)["Content-Security-Policy"]
        assert "form-action 'self' https: http:" in policy
    assert "https:" not in Client().get("/accounts/login/")["Content-Security-Policy"]


def test_who_thinks_better_of_it_at_the_provider_is_told(provider: IdentityProvider) -> None:
    browser, path = Client(), f"/accounts/oidc/{identity.key_of(provider)}/login/"
    state = parse_qs(urlsplit(browser.post(path)["Location"]).query)["state"][0]
    back = browser.get(f"{path}callback/", {"error": "access_denied", "state": state})
    assert back.status_code == 403
    assert "You broke off" in back.content.decode()


def test_a_provider_is_never_joined_to_who_is_signed_in(
    provider: IdentityProvider,
    idp: openid.OpenIdProvider,
    alice: User,
    victor: User,
    browse: Callable[[User], Client],
) -> None:
    browser = browse(alice)
    idp.claims = {"sub": "victor", "email": victor.email}
    path = f"/accounts/oidc/{identity.key_of(provider)}/login/?process=connect"
    back = idp.authorize(browser.post(path)["Location"])
    assert browser.get(back.partition("127.0.0.1:8000")[2] or back, follow=True).status_code == 200
    assert browser.session["_auth_user_id"] == str(victor.pk)


def test_people_find_the_button(provider: IdentityProvider) -> None:
    assert "Sign in with Acme account" in Client().get("/sign-in/acme/").content.decode()
    unknown, none = Client().get("/sign-in/nobody/"), Client().get("/sign-in/nobody/")
    assert unknown.status_code == none.status_code == 302


def test_an_owner_sets_it_up_and_the_secret_stays_hidden(
    acme: Tenant, alice: User, idp: openid.OpenIdProvider, browse: Callable[[User], Client]
) -> None:
    browser = browse(alice)
    form = browser.get(address("identity_new")).content.decode()
    promised = re.search(r'name="promised" value="([^"]+)"', form)
    assert promised is not None
    data = {
        "promised": promised[1],
        "name": "Acme account",
        "issuer": idp.issuer,
        "client_id": openid.CLIENT_ID,
        "plain_secret": openid.CLIENT_SECRET,
        "domain_list": "@Acme.example, other.example",
        "is_active": "on",
    }
    assert browser.post(address("identity_new"), data).status_code == 302
    row = IdentityProvider.all_tenants.get()
    assert row.domains == ["acme.example", "other.example"]
    assert row.secret.reveal() == openid.CLIENT_SECRET
    page = browser.get(address("identity_edit", provider_id=row.public_id)).content.decode()
    assert openid.CLIENT_SECRET not in page
    for shown in (form, page):
        assert f"/accounts/oidc/{identity.key_of(row)}/login/callback/" in shown
    other = {"name": "Another", "issuer": f"{idp.issuer}/nothing", "promised": "mine"}
    wrong = browser.post(address("identity_new"), data | other)
    assert "Nothing that describes an OpenID provider" in wrong.content.decode()
    assert openid.CLIENT_SECRET not in str(list(AuditEntry.all_tenants.values()))


# --- addresses that tenants type -----------------------------------------------------------------


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "localhost", "10.0.0.1", "169.254.169.254", "::1", "::ffff:10.0.0.1"]
)
def test_addresses_of_our_own_network_are_not_opened(host: str, settings: Any) -> None:
    settings.ALLOWED_NETWORKS = []
    with pytest.raises(outside.NotAllowed):
        outside.resolve(host, 80)


def test_what_is_resolved_is_what_is_connected_to(
    idp: openid.OpenIdProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A name that answers anew each time is asked once, and TLS and Host still see the name."""
    asked: list[str] = []

    def once(host: str, port: int) -> str:
        asked.append(host)
        return "127.0.0.1"

    monkeypatch.setattr(outside, "resolve", once)
    url = f"http://idp.example:{idp.server_port}/.well-known/openid-configuration"
    with outside.session() as session:
        assert session.get(url).json()["issuer"] == idp.issuer
    assert asked == ["idp.example"]
    assert idp.hosts == [f"idp.example:{idp.server_port}"]


def test_a_provider_inside_of_our_network_is_refused_when_it_is_set_up(
    acme: Tenant, idp: openid.OpenIdProvider, settings: Any
) -> None:
    settings.ALLOWED_NETWORKS = []
    row = IdentityProvider(tenant=acme, name="Inside", issuer=idp.issuer, client_id="x")
    with pytest.raises(ValidationError, match="not a public address"):
        identity.save_provider(provider=row, user=None, secret="s" * 16)
    assert idp.hosts == []
    with outside.session() as session, pytest.raises(requests.ConnectionError):
        session.get(idp.issuer)
