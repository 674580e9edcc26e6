"""Sign-in by a tenant's SAML provider: who comes in, and which answers do not hold."""

from __future__ import annotations

import base64
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.test import Client

from tenants.models import AuditEntry, IdentityProvider, Member, Tenant, User
from tenants.services import identity
from tests.portal.conftest import address
from tests.support import saml
from tests.support.migrated import give_database


@pytest.fixture
def idp(settings: Any) -> Iterator[saml.SamlProvider]:
    settings.ALLOWED_NETWORKS = [ip_network("127.0.0.0/8")]
    with saml.running() as server:
        yield server


def make_provider(tenant: Tenant, idp: saml.SamlProvider) -> IdentityProvider:
    row = IdentityProvider(tenant=tenant, kind="saml", name="Acme account", issuer=idp.entity_id)
    row.domains = ["acme.example"]
    return identity.save_provider(provider=row, user=None)


@pytest.fixture
def provider(acme: Tenant, idp: saml.SamlProvider) -> IdentityProvider:
    return make_provider(acme, idp)


def begin(provider: IdentityProvider, idp: saml.SamlProvider) -> tuple[Client, dict[str, str]]:
    """A fresh browser that was sent to the provider, and what was asked there."""
    browser = Client()
    away = browser.post(f"/accounts/saml/{identity.key_of(provider)}/login/")
    return browser, idp.read(away["Location"])


def bring(browser: Client, answer: str, reply: str) -> Any:
    """What a browser does with the provider's page: another site's POST, without our cookies, then
    our own page's.
    """
    stranger = Client(enforce_csrf_checks=True)
    page = stranger.post(reply.removeprefix("http://127.0.0.1:8000"), {"SAMLResponse": answer})
    assert page.status_code == 200
    assert not page.cookies
    text = page.content.decode()
    onward = re.search(r'<form method="post" action="([^"]+)" data-onward>', text)
    carried = re.search(r'name="SAMLResponse" value="([^"]+)"', text)
    assert onward is not None
    assert carried is not None
    assert carried[1] == answer
    return browser.post(onward[1], {"SAMLResponse": carried[1]}, follow=True)


def come_in(
    provider: IdentityProvider, idp: saml.SamlProvider, email: str, **said: Any
) -> tuple[Client, Any]:
    browser, request = begin(provider, idp)
    return browser, bring(browser, idp.answer(request, email, **said), request["reply"])


def is_in(browser: Client) -> bool:
    return "_auth_user_id" in browser.session


@pytest.mark.parametrize("sign", ["Assertion", "Response"])
def test_a_member_comes_in_and_stays_a_stranger_elsewhere(
    sign: str, provider: IdentityProvider, idp: saml.SamlProvider, alice: User, birch: Tenant
) -> None:
    Member.all_tenants.create(tenant=birch, user=alice, role="owner")
    browser, answer = come_in(provider, idp, alice.email, sign=sign)
    assert answer.redirect_chain[-1][0] == "/t/acme/"
    assert browser.get("/t/acme/").status_code == 200
    assert browser.get("/t/birch/").status_code == 404
    assert browser.get("/accounts/2fa/").status_code == 403
    assert is_in(come_in(provider, idp, alice.email)[0])


def test_somebody_new_of_a_vouched_domain_becomes_a_viewer(
    provider: IdentityProvider, idp: saml.SamlProvider
) -> None:
    said = {"name_id": "u-4711", "format": saml.PERSISTENT, "given": "Nina", "family": "New"}
    _browser, answer = come_in(provider, idp, "", mail="Nina@Acme.example", **said)
    assert answer.status_code == 200
    member = Member.all_tenants.get(tenant=provider.tenant)
    assert (member.role, member.user.email, member.user.name) == (
        "viewer",
        "nina@acme.example",
        "Nina New",
    )
    assert AuditEntry.all_tenants.get(action="member.join").detail == {"identity": "Acme account"}
    # Known by her lasting name from then on, whatever her address is.
    browser, answer = come_in(provider, idp, "", mail="nina.older@acme.example", **said)
    assert (answer.status_code, is_in(browser)) == (200, True)
    assert User.objects.filter(email__startswith="nina").count() == 1


@pytest.mark.parametrize(
    ("who", "email"),
    [
        ("a stranger of another domain", "eve@evil.example"),
        ("another tenant's owner", "charlie@birch.example"),
        ("the operator", "olga@operator.example"),
    ],
)
def test_others_are_refused(
    who: str,
    email: str,
    provider: IdentityProvider,
    idp: saml.SamlProvider,
    charlie: User,
    olga: User,
) -> None:
    browser, answer = come_in(provider, idp, email)
    assert (answer.status_code, is_in(browser)) == (403, False), who
    assert "You could not be signed in" in answer.content.decode()


WRONG = {
    "not signed": {"sign": ""},
    "signed by another key": {"pair": "stranger"},
    "signed with SHA-1": {"digest": "Sha1"},
    "another's issuer": {"issuer": "https://login.evil.example"},
    "made for another application": {"audience": "https://other.example/metadata"},
    "made for nobody": {"audience": ""},
    "made for another address": {"recipient": "https://other.example/reply"},
    "made for no address": {"recipient": ""},
    "an answer to another request": {"confirmed": "_another"},
    "an answer to no request": {"confirmed": ""},
    "without an end": {"end": ""},
    "ended long ago": {"age": 3600.0},
    "ended just now": {"end": "2020-01-01T00:00:00Z"},
    "made in the future": {"age": -3600.0},
}


@pytest.mark.parametrize("what", WRONG)
def test_an_answer_that_does_not_hold_lets_nobody_in(
    what: str, provider: IdentityProvider, idp: saml.SamlProvider, alice: User
) -> None:
    said: dict[str, Any] = WRONG[what]
    browser, answer = come_in(provider, idp, alice.email, **said)
    assert (answer.status_code, is_in(browser)) == (403, False)


def test_a_signed_answer_cannot_be_changed(
    provider: IdentityProvider, idp: saml.SamlProvider, alice: User, victor: User
) -> None:
    browser, request = begin(provider, idp)
    signed = base64.b64decode(idp.answer(request, victor.email))
    assertion = re.search(rb"<saml:Assertion.*</saml:Assertion>", signed, re.S)
    assert assertion is not None
    forged = re.sub(rb"<ds:Signature.*</ds:Signature>", b"", assertion[0], flags=re.S)
    forged = forged.replace(victor.email.encode(), alice.email.encode())
    twice = [
        signed.replace(victor.email.encode(), alice.email.encode()),
        # Two assertions, of which one is signed (signature wrapping).
        signed.replace(assertion[0], forged + assertion[0]),
        signed.replace(assertion[0], assertion[0] + forged.replace(b' ID="_', b' ID="_f')),
        # A comment, at which a careless reader ends.
        signed.replace(victor.email.encode(), alice.email.encode() + b"<!-- -->.evil.example"),
        b"<!DOCTYPE a [<!ENTITY b SYSTEM 'file:///etc/hostname'>]>" + signed,
        b"not XML",
        b"",
    ]
    for document in twice:
        text = base64.b64encode(document).decode() or "="
        answer = bring(browser, text, request["reply"])
        assert (answer.status_code, is_in(browser)) == (403, False), document
    assert bring(browser, base64.b64encode(signed).decode(), request["reply"]).status_code == 200
    assert browser.session["_auth_user_id"] == str(victor.pk)


def test_an_answer_is_good_once_and_in_the_browser_that_asked(
    provider: IdentityProvider, idp: saml.SamlProvider, alice: User
) -> None:
    browser, request = begin(provider, idp)
    answer = idp.answer(request, alice.email)
    thief, _own_request = begin(provider, idp)
    assert bring(thief, answer, request["reply"]).status_code == 403
    assert not is_in(thief)
    assert bring(browser, answer, request["reply"]).status_code == 200
    browser.post("/accounts/logout/")
    again = bring(browser, answer, request["reply"])
    assert (again.status_code, is_in(browser)) == (403, False)
    assert "used up" in again.content.decode()


def test_another_tenants_answer_is_worth_nothing_here(
    provider: IdentityProvider, idp: saml.SamlProvider, alice: User, birch: Tenant
) -> None:
    """Both tenants trust the same provider: what it signed for the one does not open the other."""
    other = make_provider(birch, idp)
    browser, request = begin(provider, idp)
    _there, theirs = begin(other, idp)
    for made in (theirs, theirs | {"id": request["id"]}, theirs | {"reply": request["reply"]}):
        answer = bring(browser, idp.answer(made, alice.email), request["reply"])
        assert (answer.status_code, is_in(browser)) == (403, False)


def test_a_provider_that_is_off_or_gone_is_no_way_in(
    provider: IdentityProvider, idp: saml.SamlProvider, alice: User, settings: Any
) -> None:
    key = identity.key_of(provider)
    browser, request = begin(provider, idp)
    answer = {"SAMLResponse": idp.answer(request, alice.email)}
    paths = [f"/accounts/saml/{key}/{page}/" for page in ("login", "reply", "finish")]
    assert Client().get(paths[0])["Location"] == Client().get(paths[2])["Location"]
    assert Client().get(paths[1]).status_code == 405
    assert Client().post(paths[1]).status_code == 400
    IdentityProvider.all_tenants.update(is_active=False)
    assert [browser.post(path, answer).status_code for path in paths] == [404] * 3
    IdentityProvider.all_tenants.update(is_active=True)
    assert Client().post(f"/accounts/oidc/{key}/login/").status_code == 404
    settings.SAML = False
    assert [browser.post(path, answer).status_code for path in paths] == [404] * 3
    assert not is_in(browser)


def test_an_owner_sets_it_up(
    acme: Tenant, alice: User, idp: saml.SamlProvider, browse: Callable[[User], Client]
) -> None:
    browser = browse(alice)
    new = address("identity_new") + "?kind=saml"
    form = browser.get(new).content.decode()
    promised = re.search(r'name="promised" value="([^"]+)"', form)
    assert promised is not None
    data = {"promised": promised[1], "name": "Acme account", "is_active": "on", "issuer": ""}
    assert "or paste it" in browser.post(new, data).content.decode()
    assert browser.post(new, data | {"metadata": idp.metadata()}).status_code == 302
    row = IdentityProvider.all_tenants.get()
    key = identity.key_of(row)
    assert (row.kind, row.entity_id) == ("saml", idp.entity_id)
    page = browser.get(address("identity_edit", provider_id=row.public_id)).content.decode()
    for shown in (form, page):
        assert f"/accounts/saml/{key}/reply/" in shown
        assert f"/accounts/saml/{key}/metadata/" in shown
    assert "SHA-256" in page
    assert "Sign in with Acme account" in Client().get("/sign-in/acme/").content.decode()
    said = Client().get(f"/accounts/saml/{key}/metadata/").content.decode()
    assert f"http://127.0.0.1:8000/accounts/saml/{key}/reply/" in said
    assert Client().get("/accounts/saml/identity-x/metadata/").status_code == 404


def test_the_metadata_is_read_anew_with_each_save(
    provider: IdentityProvider, idp: saml.SamlProvider, alice: User
) -> None:
    before = provider.certificates
    idp.signs = "next"
    assert come_in(provider, idp, alice.email)[1].status_code == 403
    identity.save_provider(provider=provider, user=alice)
    assert provider.certificates != before
    assert come_in(provider, idp, alice.email)[1].status_code == 200
    entry = AuditEntry.all_tenants.get(action="identity.edit")
    assert set(entry.changes) == {"certificates"}


@pytest.mark.parametrize(
    ("metadata", "why"),
    [
        ("<html>Sign in</html>", "describes 0 identity providers"),
        ("no XML", "This is no SAML metadata"),
        ("<!DOCTYPE a [<!ENTITY b 'c'>]><a>&b;</a>", "This is no SAML metadata"),
    ],
)
def test_metadata_that_is_none_is_refused(metadata: str, why: str, acme: Tenant) -> None:
    row = IdentityProvider(tenant=acme, kind="saml", name="Acme account")
    with pytest.raises(ValidationError, match=why):
        identity.save_provider(provider=row, user=None, metadata=metadata)


def test_metadata_must_name_an_address_and_a_certificate(
    acme: Tenant, idp: saml.SamlProvider, settings: Any
) -> None:
    row = IdentityProvider(tenant=acme, kind="saml", name="Acme account")
    by_post = idp.metadata("HTTP-POST")
    bare = re.sub(r"<md:KeyDescriptor.*</md:KeyDescriptor>", "", idp.metadata())
    odd = re.sub(r"(X509Certificate>)[^<]+", r"\1AAAA", idp.metadata())
    script = re.sub(r'Location="[^"]+"', 'Location="javascript:alert(1)"', idp.metadata())
    for text, why in (
        (by_post, "no address"),
        (script, "no address"),
        (bare, "no certificate"),
        (odd, "cannot be read"),
        (idp.metadata().replace("entityID", "other"), "does not name"),
    ):
        with pytest.raises(ValidationError, match=why):
            identity.save_provider(provider=row, user=None, metadata=text)
    settings.ALLOWED_NETWORKS = []
    row.issuer = idp.entity_id
    with pytest.raises(ValidationError, match="not a public address"):
        identity.save_provider(provider=row, user=None)


def test_without_it_pages_show_nothing_of_it(
    alice: User, provider: IdentityProvider, browse: Callable[[User], Client], settings: Any
) -> None:
    browser = browse(alice)
    shown = browser.get(address("identity")).content.decode()
    assert "Add SAML provider" in shown
    settings.SAML = False
    page = browser.get(address("identity")).content.decode()
    assert "SAML" not in page
    assert provider.name not in page
    assert browser.get(address("identity_new") + "?kind=saml").status_code == 404
    edit = address("identity_edit", provider_id=provider.public_id)
    assert browser.get(edit).status_code == 404
    assert Client().get("/sign-in/acme/").status_code == 302


WITHOUT = """
import sys
sys.modules.update(dict.fromkeys(("onelogin", "lxml", "xmlsec", "isodate")))
import os
os.environ["DJANGO_SETTINGS_MODULE"] = "pbxai.settings"
import django
django.setup()
from django.conf import settings
from django.core.management import call_command
from django.test import Client
settings.ALLOWED_HOSTS = ["*"]
call_command("check")
key = "identity-" + "0" * 32
paths = [f"/accounts/saml/{key}/{page}/" for page in ("login", "reply", "finish", "metadata")]
print(settings.SAML, [Client().get(path).status_code for path in paths])
"""


def test_the_product_starts_where_its_packages_are_not_installed(tmp_path: Path) -> None:
    environment = {**os.environ, "PBXAI_DATA": str(tmp_path)}
    give_database(tmp_path)
    ran = subprocess.run(
        [sys.executable, "-c", WITHOUT],
        env=environment,
        capture_output=True,
        text=True,
        timeout=240,
    )
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout.splitlines()[-1] == "False [404, 405, 404, 404]"
