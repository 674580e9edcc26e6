"""The second step, recovery codes, sessions, a new password by mail, and the lock-out."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from allauth.mfa.models import Authenticator
from allauth.mfa.totp.internal.auth import format_hotp_value, hotp_value
from django.core import mail as outbox
from django.test import Client

from pbxai.crypto import new_key_entry
from tenants.models import AuditEntry, User
from tenants.services import secrets
from tests.conftest import PASSWORD
from tests.portal.conftest import address

LOGIN = "/accounts/login/"
AGAIN = "/accounts/reauthenticate/"
FIREFOX = "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:140.0) Gecko/20100101 Firefox/140.0"
NEW_PASSWORD = "a better horse battery"
SECRET = re.compile(r'id="authenticator_secret"[^>]*value="([A-Z2-7]+)"')


def signed_in(user: User, user_agent: str = "") -> Client:
    """A browser in which somebody has typed their password, and once more for their own pages."""
    client = Client(headers={"User-Agent": user_agent})
    client.post(LOGIN, {"login": user.email, "password": PASSWORD})
    client.post(AGAIN, {"password": PASSWORD})
    return client


def code(secret: str) -> str:
    return str(format_hotp_value(hotp_value(secret, int(time.time()) // 30)))


def with_app(user: User) -> tuple[Client, str]:
    """A browser of somebody who has set up an authenticator app, and its secret."""
    client = signed_in(user)
    page = client.get("/accounts/2fa/totp/activate/").content.decode()
    found = SECRET.search(page)
    assert found is not None, page
    client.post("/accounts/2fa/totp/activate/", {"code": code(found[1])})
    return client, found[1]


def is_in(client: Client) -> bool:
    return "_auth_user_id" in client.session


def test_with_an_authenticator_app_the_password_alone_is_not_enough(alice: User) -> None:
    _browser, _secret = with_app(alice)
    other = Client()
    answer = other.post(LOGIN, {"login": alice.email, "password": PASSWORD})
    assert answer["Location"] == "/accounts/2fa/authenticate/"
    assert not is_in(other)
    assert other.get("/t/acme/").status_code == 302
    other.post("/accounts/2fa/authenticate/", {"code": "000000"})
    assert not is_in(other)


def test_codes_are_not_guessed(alice: User) -> None:
    _browser, secret = with_app(alice)
    other = Client()
    other.post(LOGIN, {"login": alice.email, "password": PASSWORD})
    for _time in range(6):
        other.post("/accounts/2fa/authenticate/", {"code": "000000"})
    page = other.post("/accounts/2fa/authenticate/", {"code": code(secret)})
    assert not is_in(other)
    assert "Too many failed" in page.content.decode()


def test_an_open_session_alone_adds_no_second_way_in(
    alice: User, browse: Callable[[User], Client]
) -> None:
    browser, path = browse(alice), "/accounts/2fa/totp/activate/"
    assert unquote(browser.get(path)["Location"]) == f"{AGAIN}?next={path}"
    wrong = browser.post(AGAIN, {"password": "no", "next": path}).content.decode()
    assert f'name="next" value="{path}"' in wrong
    answer = browser.post(AGAIN, {"password": PASSWORD, "next": path}, follow=True)
    assert answer.redirect_chain[-1][0] == path
    assert SECRET.search(answer.content.decode())


def test_the_right_code_lets_in(alice: User) -> None:
    client = signed_in(alice)
    page = client.get("/accounts/2fa/totp/activate/").content.decode()
    found = SECRET.search(page)
    assert found is not None
    # The app was set up a while ago: a code is good for one time.
    Authenticator.objects.create(
        user=alice,
        type=Authenticator.Type.TOTP,
        data={"secret": _sealed(found[1])},
    )
    other = Client()
    other.post(LOGIN, {"login": alice.email, "password": PASSWORD})
    other.post("/accounts/2fa/authenticate/", {"code": code(found[1])})
    assert is_in(other)


def _sealed(text: str) -> str:
    from allauth.mfa.adapter import get_adapter

    return str(get_adapter().encrypt(text))


def test_the_secret_of_the_app_is_sealed_and_goes_along_with_the_key_ring(
    alice: User, settings: Any, tmp_path: Path
) -> None:
    _browser, secret = with_app(alice)
    row = Authenticator.objects.get(type="totp")
    assert secret not in str(row.data)
    from allauth.mfa.adapter import get_adapter

    from pbxai.crypto import KeyRingSource

    ring = tmp_path / "ring"
    before = settings.KEYRING.path.read_text()
    ring.write_text(f"{new_key_entry('fresh')}\n{before}")
    settings.KEYRING = KeyRingSource(path=ring)
    assert secrets.rotate() >= 1
    assert set(secrets.keys_in_use()) == {"fresh"}
    row.refresh_from_db()
    assert get_adapter().decrypt(row.data["secret"]) == secret


def test_a_recovery_code_lets_in_once(alice: User) -> None:
    browser, _secret = with_app(alice)
    page = browser.get("/accounts/2fa/recovery-codes/").content.decode()
    found = re.search(r'id="recovery_codes"[^>]*>\s*(\S+)', page)
    assert found is not None
    for is_first in (True, False):
        other = Client()
        other.post(LOGIN, {"login": alice.email, "password": PASSWORD})
        other.post("/accounts/2fa/authenticate/", {"code": found[1]})
        assert is_in(other) == is_first


def test_every_own_page_is_ours_and_needs_sign_in(alice: User) -> None:
    browser, _secret = with_app(alice)
    for path in (
        "/accounts/2fa/",
        "/accounts/2fa/webauthn/",
        "/accounts/2fa/webauthn/add/",
        "/accounts/2fa/recovery-codes/",
        "/accounts/2fa/recovery-codes/generate/",
        "/accounts/2fa/totp/deactivate/",
        "/accounts/sessions/",
    ):
        answer = browser.get(path)
        assert answer.status_code == 200, path
        page = answer.content.decode()
        assert "entrance-box" in page, path
        assert 'style="' not in page, path
        assert Client().get(path)["Location"].startswith(LOGIN), path


def test_sessions_are_listed_and_the_others_ended(alice: User) -> None:
    here, there = signed_in(alice), signed_in(alice, FIREFOX)
    page = here.get("/accounts/sessions/").content.decode()
    assert page.count("127.0.0.1") == 2
    assert page.count("Firefox · Windows") == 1
    here.post("/accounts/sessions/")
    assert here.get("/t/acme/").status_code == 200
    assert there.get("/t/acme/").status_code == 302


def test_a_new_password_comes_by_mail_and_ends_old_sessions(
    alice: User, browse: Callable[[User], Client]
) -> None:
    old = browse(alice)
    stranger = Client()
    stranger.post("/accounts/password/reset/", {"email": alice.email})
    found = re.search(r"http://127\.0\.0\.1:8000(/accounts/\S+)", str(outbox.outbox[0].body))
    assert found is not None
    form = stranger.get(found[1], follow=True)
    assert form.status_code == 200
    at = form.redirect_chain[-1][0]
    data = {"password1": NEW_PASSWORD, "password2": NEW_PASSWORD}
    stranger.post(at, data)
    assert old.get("/t/acme/").status_code == 302
    again = Client()
    again.post(LOGIN, {"login": alice.email, "password": NEW_PASSWORD})
    assert is_in(again)
    entry = AuditEntry.all_tenants.get(action="user.password")
    assert entry.tenant is not None
    assert (entry.target, entry.tenant.slug) == (alice.email, "acme")


def test_nobody_learns_from_the_reset_page_who_has_a_sign_in(alice: User) -> None:
    known = Client().post("/accounts/password/reset/", {"email": alice.email})
    unknown = Client().post("/accounts/password/reset/", {"email": "nobody@example.com"})
    assert (known.status_code, known["Location"]) == (unknown.status_code, unknown["Location"])
    assert len(outbox.outbox) == 1


def test_owners_see_who_is_held_up_after_wrong_passwords(
    alice: User, victor: User, browse: Callable[[User], Client]
) -> None:
    for _ in range(7):
        Client().post(LOGIN, {"login": victor.email, "password": "no"})
    page = browse(alice).get(address("members")).content.decode()
    assert page.count("sign-in held up") == 1
    entry = AuditEntry.all_tenants.get(action="user.locked")
    assert entry.tenant is not None
    assert (entry.target, entry.tenant.slug) == (victor.email, "acme")


def test_the_operator_reads_who_of_their_own_is_held_up(olga: User) -> None:
    for _ in range(7):
        Client().post(LOGIN, {"login": f" {olga.email.upper()}", "password": "no"})
    assert AuditEntry.all_tenants.get(action="user.locked").tenant is None


def test_who_lost_telephone_and_codes_is_helped_by_a_superuser(
    alice: User,
    bob: User,
    olga: User,
    browse: Callable[[User], Client],
    django_capture_on_commit_callbacks: Callable[..., Any],
) -> None:
    with django_capture_on_commit_callbacks(execute=True):
        with_app(alice)
    with_app(bob)
    data = {"action": "forget_second_step", "_selected_action": [alice.pk]}
    page = browse(olga).post("/admin/tenants/user/", data, follow=True).content.decode()
    assert "2 ways removed." in page
    other = Client()
    other.post(LOGIN, {"login": alice.email, "password": PASSWORD})
    assert is_in(other)
    assert Authenticator.objects.filter(user=bob).count() == 2
    log = page_of_audit(browse(alice))
    for words in ("has a new way to sign in", "lost a way to sign in", "authenticator app"):
        assert words in log
    assert olga.email in log


def page_of_audit(browser: Client) -> str:
    return browser.get(address("audit")).content.decode()
