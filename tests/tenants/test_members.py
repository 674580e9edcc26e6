"""Members: invited by mail, changed, removed; there is always an owner."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import timedelta

import pytest
import time_machine
from django.core import mail as outbox
from django.core.exceptions import ValidationError
from django.db import connection
from django.utils import timezone

from tenants.models import ApiToken, AuditEntry, Invitation, Member, Tenant, User
from tenants.services import members, tokens
from tests.conftest import PASSWORD

NEW = "nina@acme.example"


def invited(tenant: Tenant, user: User, email: str = NEW, role: str = "editor"):
    return members.invite(tenant=tenant, user=user, email=email, role=role)


def join(token: str, password: str = PASSWORD) -> Member:
    return members.join(token=token, name="Nina New", password=password, language="de")


def test_somebody_new_becomes_a_user_and_a_member(acme: Tenant, alice: User):
    row, token = invited(acme, alice, email=" Nina@Acme.example ")
    member = join(token)
    assert (member.tenant, member.role, member.created_by) == (acme, "editor", alice)
    assert (member.user.email, member.user.name, member.user.language) == (NEW, "Nina New", "de")
    assert member.user.check_password(PASSWORD)
    row.refresh_from_db()
    assert (row.accepted_by, row.accepted_at is not None) == (member.user, True)
    with pytest.raises(members.NotForYou):
        join(token)
    actions = set(AuditEntry.all_tenants.filter(tenant=acme).values_list("action", flat=True))
    assert actions == {"member.invite", "member.join"}


def test_somebody_known_accepts_and_nobody_else(acme: Tenant, alice: User, charlie: User):
    _row, token = invited(acme, alice, email=charlie.email)
    with pytest.raises(members.NotForYou):
        members.accept(token=token, user=alice)
    with pytest.raises(members.NotForYou):
        join(token)
    member = members.accept(token=token, user=charlie)
    assert (member.tenant, member.role) == (acme, "editor")
    assert Member.all_tenants.filter(user=charlie).count() == 2


def test_a_member_keeps_the_role_that_an_old_link_would_take(
    acme: Tenant, alice: User, charlie: User
):
    _row, token = invited(acme, alice, email=charlie.email, role="viewer")
    Member.all_tenants.create(tenant=acme, user=charlie, role="admin")
    assert members.accept(token=token, user=charlie).role == "admin"


def test_a_weak_password_is_refused_and_leaves_nobody_behind(acme: Tenant, alice: User):
    _row, token = invited(acme, alice)
    with pytest.raises(ValidationError) as caught:
        join(token, password="12345")
    assert "password" in caught.value.message_dict
    assert not User.objects.filter(email=NEW).exists()
    assert members.find_invitation(token)


def test_an_invitation_is_open_once_and_its_end_makes_room(acme: Tenant, alice: User):
    row, _token = invited(acme, alice)
    with pytest.raises(ValidationError, match="invited already"):
        invited(acme, alice, email=NEW.upper())
    members.withdraw(invitation=row, user=alice)
    again, _token = invited(acme, alice)
    with time_machine.travel(timezone.now() + timedelta(days=members.HOLDS_DAYS, minutes=1)):
        third, _token = invited(acme, alice)
    assert len({row.pk, again.pk, third.pk}) == 3


def test_a_link_dies_with_time_withdrawal_renewal_and_the_tenant(acme: Tenant, alice: User):
    row, token = invited(acme, alice)
    assert members.find_invitation(token) == row
    assert members.find_invitation(token[:-1]) is None
    assert members.find_invitation(token.replace("pbxi", "pbxt")) is None
    with time_machine.travel(timezone.now() + timedelta(days=members.HOLDS_DAYS, minutes=1)):
        assert members.find_invitation(token) is None
    fresh = members.renew(invitation=row, user=alice)
    assert members.find_invitation(token) is None
    Tenant.objects.update(is_active=False)
    assert members.find_invitation(fresh) is None
    Tenant.objects.update(is_active=True)
    assert members.find_invitation(fresh) == row
    members.withdraw(invitation=row, user=alice)
    assert members.find_invitation(fresh) is None
    with pytest.raises(ValidationError, match="over"):
        members.renew(invitation=row, user=alice)


def test_a_member_is_not_invited(acme: Tenant, alice: User, bob: User):
    with pytest.raises(ValidationError, match="member already"):
        invited(acme, alice, email=bob.email.upper())


def test_nobody_sends_letters_to_the_world(acme: Tenant, alice: User):
    for number in range(members.LETTERS_AN_HOUR):
        invited(acme, alice, email=f"n{number}@example.com")
    with pytest.raises(ValidationError, match="Too many"):
        invited(acme, alice)
    with time_machine.travel(timezone.now() + timedelta(hours=1, minutes=1)):
        invited(acme, alice)


def test_the_letter_is_in_the_readers_language(acme: Tenant, alice: User, charlie: User):
    User.objects.filter(pk=charlie.pk).update(language="de")
    row, token = invited(acme, alice, email=charlie.email)
    assert members.send_letter(invitation=row, token=token, language="en")
    letter = outbox.outbox[0]
    assert letter.to == [charlie.email]
    assert letter.subject == "Einladung zu Acme Dental"
    assert members.link_of(token) in letter.body
    assert token not in str(list(Invitation.all_tenants.values()))


def test_a_role_is_changed_and_written_down(acme: Tenant, alice: User, victor: User):
    member = Member.all_tenants.get(user=victor)
    assert members.change_role(member=member, role="admin", user=alice).role == "admin"
    entry = AuditEntry.all_tenants.get(action="member.edit")
    assert entry.changes == {"role": ["viewer", "admin"]}
    members.change_role(member=member, role="admin", user=alice)
    assert AuditEntry.all_tenants.filter(action="member.edit").count() == 1
    with pytest.raises(ValidationError):
        members.change_role(member=member, role="king", user=alice)


def test_the_last_owner_stays(acme: Tenant, alice: User, bob: User, charlie: User):
    owner = Member.all_tenants.get(user=alice)
    for attempt in (
        lambda: members.change_role(member=owner, role="admin", user=alice),
        lambda: members.remove(member=owner, user=alice),
    ):
        with pytest.raises(members.LastOwner):
            attempt()
    second = Member.all_tenants.create(tenant=acme, user=charlie, role="owner")
    User.objects.filter(pk=charlie.pk).update(is_active=False)
    with pytest.raises(members.LastOwner):
        members.remove(member=owner, user=alice)
    User.objects.filter(pk=charlie.pk).update(is_active=True)
    members.remove(member=owner, user=alice)
    with pytest.raises(members.LastOwner):
        members.remove(member=second, user=charlie)


def test_who_goes_takes_their_tokens_along(acme: Tenant, alice: User, bob: User):
    made, text = tokens.create_token(
        tenant=acme, user=bob, name="CRM", scopes=["calls:read"], expires_at=None
    )
    members.remove(member=Member.all_tenants.get(user=bob), user=alice)
    assert User.objects.filter(pk=bob.pk).exists()
    Member.all_tenants.create(tenant=acme, user=bob, role="admin")
    assert tokens.authenticate(text) is None
    assert ApiToken.all_tenants.get(pk=made.pk).revoked_at


def side_by_side(work: list[Callable[[], object]]) -> list[BaseException | None]:
    """Run each in a thread of its own, all begun at once; what each raised."""
    found: list[BaseException | None] = [None] * len(work)
    begin = threading.Barrier(len(work))

    def run(number: int) -> None:
        begin.wait(timeout=60)
        try:
            work[number]()
        except BaseException as error:
            found[number] = error
        finally:
            connection.close()

    threads = [threading.Thread(target=run, args=(number,)) for number in range(len(work))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=120)
    return found


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("way", ["remove", "demote"])
def test_two_owners_who_remove_each_other_at_once_leave_one(
    way: str, acme: Tenant, alice: User, charlie: User
):
    first = Member.all_tenants.select_related("tenant").get(user=alice)
    second = Member.all_tenants.create(tenant=acme, user=charlie, role="owner")

    def act(member: Member) -> Callable[[], object]:
        if way == "remove":
            return lambda: members.remove(member=member, user=None)
        return lambda: members.change_role(member=member, role="viewer", user=None)

    errors = side_by_side([act(first), act(second)])
    assert sum(isinstance(error, members.LastOwner) for error in errors) == 1
    assert sum(error is None for error in errors) == 1
    assert Member.all_tenants.filter(tenant=acme, role="owner").count() == 1


@pytest.mark.django_db(transaction=True)
def test_a_link_that_is_opened_twice_at_once_makes_one_member(acme: Tenant, alice: User):
    _row, token = invited(acme, alice)
    errors = side_by_side([lambda: join(token), lambda: join(token)])
    assert sum(isinstance(error, members.NotForYou) for error in errors) == 1
    assert Member.all_tenants.filter(user__email=NEW).count() == 1
