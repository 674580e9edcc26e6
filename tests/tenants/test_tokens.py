"""Tokens of the REST API: shown once, scoped, ending, and hidden in the log."""

from __future__ import annotations

from datetime import timedelta

import pytest
import time_machine
from django.core.exceptions import ValidationError
from django.utils import timezone

from pbxai.logs import hide_token_texts
from tenants.models import ApiToken, AuditEntry, Member, Tenant, User
from tenants.services import tokens


def make(tenant: Tenant, user: User, *scopes: str, days: int | None = 30) -> tuple[ApiToken, str]:
    return tokens.create_token(
        tenant=tenant,
        user=user,
        name="CRM",
        scopes=scopes or ["calls:read"],
        expires_at=timezone.now() + timedelta(days=days) if days else None,
    )


def test_a_token_is_known_by_its_text_and_only_by_it(acme: Tenant, alice: User):
    row, text = make(acme, alice)
    assert text.startswith(f"pbxt_{row.public_id.hex}_")
    found = tokens.authenticate(text)
    assert found == row
    assert (found.tenant, found.created_by) == (acme, alice)
    other = make(acme, alice)[1]
    wrong = [
        "",
        "pbxt_",
        "pbxt_x_y",
        text[:-1],
        text + "x",
        text.replace("pbxt", "pbxw"),
        text.rpartition("_")[0] + "_" + other.rpartition("_")[2],
    ]
    assert [tokens.authenticate(one) for one in wrong] == [None] * len(wrong)


def test_the_text_is_nowhere_in_the_database(acme: Tenant, alice: User):
    row, text = make(acme, alice)
    secret = text.split("_", 2)[2]
    assert secret not in str(ApiToken.all_tenants.values().get())
    assert secret not in str(list(AuditEntry.all_tenants.values()))
    assert row.hint == text[-4:]
    entry = AuditEntry.all_tenants.get(action="token.create")
    assert entry.changes["scopes"] == [None, ["calls:read"]]


def test_a_token_ends_with_its_time_its_withdrawal_and_its_maker(acme: Tenant, alice: User):
    row, text = make(acme, alice, days=1)
    with time_machine.travel(timezone.now() + timedelta(days=1, seconds=1)):
        assert tokens.authenticate(text) is None
    User.objects.filter(pk=alice.pk).update(is_active=False)
    assert tokens.authenticate(text) is None
    User.objects.filter(pk=alice.pk).update(is_active=True)
    assert tokens.authenticate(text) == row
    tokens.revoke_token(token=row, user=alice)
    assert tokens.authenticate(text) is None
    tokens.revoke_token(token=row, user=alice)
    assert AuditEntry.all_tenants.filter(action="token.revoke").count() == 1


def test_a_token_without_an_end_holds(acme: Tenant, alice: User):
    row, text = make(acme, alice, days=None)
    with time_machine.travel(timezone.now() + timedelta(days=4000)):
        assert tokens.authenticate(text) == row


def test_its_use_is_noted_once_a_minute(acme: Tenant, alice: User):
    row, text = make(acme, alice)
    first = timezone.now()
    with time_machine.travel(first, tick=False):
        tokens.authenticate(text)
    with time_machine.travel(first + timedelta(seconds=30), tick=False):
        tokens.authenticate(text)
    row.refresh_from_db()
    assert row.last_used_at == first
    with time_machine.travel(first + timedelta(seconds=60), tick=False):
        tokens.authenticate(text)
    row.refresh_from_db()
    assert row.last_used_at == first + timedelta(seconds=60)


def test_nobody_makes_a_token_for_more_than_they_may(
    acme: Tenant, alice: User, bob: User, charlie: User
):
    with pytest.raises(ValidationError, match="members:write"):
        make(acme, bob, "calls:read", "members:write")
    with pytest.raises(ValidationError, match="calls:read"):
        make(acme, charlie)
    assert "members:write" in tokens.grantable(Member.all_tenants.get(user=alice))
    assert "members:write" not in tokens.grantable(Member.all_tenants.get(user=bob))


@pytest.mark.parametrize("scopes", [["calls:own"], ["calls:read", "calls:read"], []])
def test_scopes_that_nobody_knows_are_refused(scopes: list[str], acme: Tenant, alice: User):
    with pytest.raises(ValidationError):
        tokens.create_token(tenant=acme, user=alice, name="CRM", scopes=scopes, expires_at=None)


def test_a_token_needs_a_name_and_an_end_that_is_to_come(acme: Tenant, alice: User):
    later = timezone.now() + timedelta(days=1)
    for name, end in [(" ", later), ("CRM", timezone.now())]:
        with pytest.raises(ValidationError):
            tokens.create_token(
                tenant=acme, user=alice, name=name, scopes=["calls:read"], expires_at=end
            )
    assert not ApiToken.all_tenants.exists()


def test_no_log_line_shows_a_token(acme: Tenant, alice: User):
    text = make(acme, alice)[1]
    worker = "pbxw_" + text.partition("_")[2]
    line = hide_token_texts(
        None, "info", {"event": f"GET /?t={text}", "headers": [f"Bearer {worker}"], "n": 1}
    )
    secret = text.split("_", 2)[2]
    assert secret not in str(line)
    assert line == {"event": "GET /?t=pbxt_***", "headers": ["Bearer pbxw_***"], "n": 1}
