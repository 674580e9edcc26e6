"""Members and tokens, as people meet them: from the letter to the first page."""

from __future__ import annotations

import email
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.core import mail as outbox
from django.test import Client

from tenants.models import ApiToken, Invitation, Member, Tenant, User
from tenants.services import tokens
from tests.conftest import PASSWORD
from tests.portal.conftest import address

NEW = {"email": "nina@acme.example", "role": "editor"}
LINK = re.compile(r"http://[\w.:-]+/invitations/[\w-]+/")


@pytest.fixture
def letters(settings: Any, tmp_path: Path) -> Path:
    """The folder in which letters lie without a mail server, as by default."""
    settings.EMAIL_BACKEND = "django.core.mail.backends.filebased.EmailBackend"
    settings.EMAIL_FILE_PATH = tmp_path / "mail"
    return tmp_path / "mail"


def text_of(letter: Path) -> str:
    message = email.message_from_bytes(letter.read_bytes().rpartition(b"\n" + b"-" * 79)[0])
    body = message.get_payload(decode=True)
    assert isinstance(body, bytes)
    return body.decode()


def path_in(text: str) -> str:
    found = LINK.search(text)
    assert found is not None, text
    return "/" + found[0].split("/", 3)[3]


def test_somebody_new_comes_from_the_letter_to_the_first_page(
    alice: User, letters: Path, browse: Callable[[User], Client]
) -> None:
    page = browse(alice).post(address("member_invite"), NEW).content.decode()
    (letter,) = letters.iterdir()
    path = path_in(text_of(letter))
    assert path in page, "without a mail server the page shows the link"
    assert path not in browse(alice).get(address("members")).content.decode()

    nina = Client()
    shown = nina.get(path).content.decode()
    assert "Welcome to Acme Dental" in shown
    weak = nina.post(path, {"name": "Nina", "password": "12345"}).content.decode()
    assert "too short" in weak
    answer = nina.post(path, {"name": "Nina New", "password": PASSWORD}, follow=True)
    assert answer.redirect_chain[-1][0] == "/t/acme/"
    assert answer.status_code == 200
    assert Member.all_tenants.get(user__email=NEW["email"]).role == "editor"
    assert Client().get(path).status_code == 404
    again = Client()
    again.post("/accounts/login/", {"login": NEW["email"], "password": PASSWORD})
    assert again.get("/t/acme/").status_code == 200


def test_with_a_mail_server_the_link_goes_to_the_mailbox_alone(
    alice: User, browse: Callable[[User], Client]
) -> None:
    page = browse(alice).post(address("member_invite"), NEW, follow=True).content.decode()
    assert path_in(str(outbox.outbox[0].body)) not in page
    assert "an e-mail with a link is on its way" in page


def test_a_mail_server_that_is_gone_is_said(
    alice: User, settings: Any, browse: Callable[[User], Client]
) -> None:
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", 1
    page = browse(alice).post(address("member_invite"), NEW, follow=True).content.decode()
    assert "could not be sent" in page
    assert Invitation.all_tenants.filter(email=NEW["email"]).exists()


def test_somebody_known_signs_in_and_accepts(
    alice: User, charlie: User, letters: Path, browse: Callable[[User], Client]
) -> None:
    data = {"email": charlie.email, "role": "viewer"}
    path = path_in(browse(alice).post(address("member_invite"), data).content.decode())
    stranger = Client()
    assert "Sign in with it to accept" in stranger.get(path).content.decode()
    stranger.post(path, {"name": "Not Charlie", "password": PASSWORD})
    assert not Member.all_tenants.filter(tenant__slug="acme", user=charlie).exists()
    other = browse(alice)
    assert "you are signed in as alice@acme.example" in other.get(path).content.decode()
    other.post(path)
    assert Member.all_tenants.filter(tenant__slug="acme").count() == 1
    answer = stranger.post(
        f"/accounts/login/?next={path}", {"login": charlie.email, "password": PASSWORD}
    )
    assert answer["Location"] == path
    assert stranger.post(path)["Location"] == "/t/acme/"
    assert Member.all_tenants.get(tenant__slug="acme", user=charlie).role == "viewer"


def test_send_again_gives_a_new_link_and_withdraw_ends_it(
    alice: User, letters: Path, browse: Callable[[User], Client]
) -> None:
    browser = browse(alice)
    first = path_in(browser.post(address("member_invite"), NEW).content.decode())
    row = Invitation.all_tenants.get()
    again = address("invitation_again", invitation_id=row.public_id)
    second = path_in(browser.post(again).content.decode())
    assert Client().get(first).status_code == 404
    assert Client().get(second).status_code == 200
    browser.post(address("invitation_revoke", invitation_id=row.public_id))
    assert Client().get(second).status_code == 404


def test_an_address_that_is_invited_already_is_said_beside_the_form(
    alice: User, bob: User, browse: Callable[[User], Client]
) -> None:
    browser = browse(alice)
    page = browser.post(address("member_invite"), {"email": bob.email, "role": "viewer"})
    assert "This person is a member already." in page.content.decode()
    assert (
        "Enter a valid email"
        in browser.post(address("member_invite"), {"email": "x", "role": "viewer"}).content.decode()
    )


def test_a_role_changes_what_the_person_may_at_once(
    alice: User, victor: User, browse: Callable[[User], Client]
) -> None:
    viewer = browse(victor)
    assert viewer.get(address("agent_new")).status_code == 403
    member = Member.all_tenants.get(user=victor)
    url = address("member_role", member_id=member.public_id)
    browse(alice).post(url, {"role": "editor"})
    assert viewer.get(address("agent_new")).status_code == 200
    browse(alice).post(address("member_remove", member_id=member.public_id))
    assert viewer.get(address("start")).status_code == 404


def test_the_last_owner_is_told_why_they_stay(
    alice: User, browse: Callable[[User], Client]
) -> None:
    member = Member.all_tenants.get(user=alice)
    browser = browse(alice)
    for name in ("member_role", "member_remove"):
        url = address(name, member_id=member.public_id)
        answer = browser.post(url, {"role": "viewer"}, follow=True)
        assert answer.redirect_chain[-1][0] == address("members")
        assert "This is the last owner." in answer.content.decode()
    assert Member.all_tenants.get(user=alice).role == "owner"


def test_a_token_is_shown_once(bob: User, browse: Callable[[User], Client]) -> None:
    browser = browse(bob)
    form = browser.get(address("token_new")).content.decode()
    assert re.search(r'value="members:write"[^>]* disabled', form)
    data = {"name": "CRM", "days": "30", "scopes": ["calls:read", "agents:write"]}
    made = browser.post(address("token_new"), data)
    text = re.search(r"pbxt_[0-9a-f]{32}_[\w-]+", made.content.decode())
    assert text is not None
    row = tokens.authenticate(text[0])
    assert row is not None
    assert row.scopes == data["scopes"]
    assert "no-store" in made["Cache-Control"]
    listed = browser.get(address("tokens")).content.decode()
    assert text[0] not in listed
    assert "Agents: Change" in listed
    browser.post(address("token_revoke", token_id=row.public_id))
    assert tokens.authenticate(text[0]) is None


def test_a_token_without_rights_or_beyond_ones_own_is_refused(
    acme: Tenant, bob: User, browse: Callable[[User], Client]
) -> None:
    browser = browse(bob)
    nothing = browser.post(address("token_new"), {"name": "CRM", "days": "30"})
    assert "Choose what the token may be used for." in nothing.content.decode()
    data = {"name": "CRM", "days": "30", "scopes": ["members:write"]}
    assert "Your role does not allow" in browser.post(address("token_new"), data).content.decode()
    assert not ApiToken.all_tenants.exists()
