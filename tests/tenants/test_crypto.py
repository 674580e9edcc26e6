"""Secrets at rest: bound to owner and field, under a ring of keys that can turn."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.core.management import CommandError, call_command
from django.db import connection
from hypothesis import given
from hypothesis import strategies as st

from pbxai.crypto import KeyRing, KeyRingSource, SecretError, UnknownKey, Unsealable, new_key_entry
from tenants.models import ProviderAccount, Tenant
from tenants.services import secrets

ONE, TWO = new_key_entry("one"), new_key_entry("two")
KEY = "sk-live-0123456789abcdef"


@given(st.text())
def test_what_is_sealed_opens_again(plain: str):
    ring = KeyRing.parse(ONE)
    sealed = ring.seal(plain, "a.b.c:1")
    assert ring.unseal(sealed, "a.b.c:1") == plain


def test_the_same_secret_never_looks_the_same():
    ring = KeyRing.parse(ONE)
    assert ring.seal(KEY, "x") != ring.seal(KEY, "x")


@pytest.mark.parametrize("context", ["tenants.provideraccount.secret:2", "tenants.other.secret:1"])
def test_another_owner_or_field_does_not_open_it(context: str):
    ring = KeyRing.parse(ONE)
    sealed = ring.seal(KEY, "tenants.provideraccount.secret:1")
    with pytest.raises(Unsealable):
        ring.unseal(sealed, context)


@given(st.data())
def test_an_altered_value_does_not_open(data: st.DataObject):
    ring = KeyRing.parse(ONE)
    sealed = bytearray(ring.seal(KEY, "x"))
    place = data.draw(st.integers(0, len(sealed) - 1))
    sealed[place] ^= data.draw(st.integers(1, 255))
    with pytest.raises(SecretError):
        ring.unseal(bytes(sealed), "x")


@given(st.binary(max_size=60))
def test_rubbish_does_not_open(rubbish: bytes):
    with pytest.raises(SecretError):
        KeyRing.parse(ONE).unseal(rubbish, "x")


def test_the_first_key_seals_and_all_open():
    old = KeyRing.parse(ONE).seal(KEY, "x")
    turned = KeyRing.parse(f"{TWO}\n{ONE}")
    assert turned.unseal(old, "x") == KEY
    with pytest.raises(UnknownKey):
        KeyRing.parse(ONE).unseal(turned.seal(KEY, "x"), "x")


@pytest.mark.parametrize(
    "text",
    ["", "one", "one:!!!", "one:c2hvcnQ=", f"{ONE} {ONE}", ":abc"],
    ids=["empty", "no key", "no base64", "too short", "twice", "no name"],
)
def test_a_ring_that_is_none_is_refused(text: str):
    with pytest.raises(ImproperlyConfigured):
        KeyRing.parse(text)


# --- in the database -----------------------------------------------------------------------------


def raw_secret(account: ProviderAccount) -> bytes:
    with connection.cursor() as cursor:
        cursor.execute("SELECT secret FROM tenants_provideraccount WHERE id = %s", [account.pk])
        return bytes(cursor.fetchone()[0])


def stored(account: ProviderAccount) -> ProviderAccount:
    return ProviderAccount.all_tenants.get(pk=account.pk)


def test_the_database_holds_no_key(acme: Tenant, make_account: Callable[..., Any]):
    account = make_account(acme, key=KEY)
    assert KEY.encode() not in raw_secret(account)
    assert stored(account).secret.reveal() == KEY
    assert (account.secret_hint, len(account.secret_fingerprint)) == ("cdef", 12)


def test_a_secret_shows_nothing_of_itself(acme: Tenant, make_account: Callable[..., Any]):
    secret = make_account(acme, key=KEY).secret
    for text in (repr(secret), str(secret), f"{secret}"):
        assert KEY not in text
        assert "cdef" not in text


def test_a_short_key_gives_no_hint(acme: Tenant, make_account: Callable[..., Any]):
    assert make_account(acme, key="short-key").secret_hint == ""


def test_a_key_copied_to_another_tenant_does_not_open(
    acme: Tenant, birch: Tenant, make_account: Callable[..., Any]
):
    mine, theirs = make_account(acme, key=KEY), make_account(birch)
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE tenants_provideraccount SET secret = %s WHERE id = %s",
            [raw_secret(mine), theirs.pk],
        )
    with pytest.raises(Unsealable):
        stored(theirs).secret.reveal()


def test_no_secret_is_empty_and_opens_to_nothing(acme: Tenant):
    account = ProviderAccount.all_tenants.create(tenant=acme, name="Bare")
    assert not stored(account).secret
    assert stored(account).secret.reveal() == ""


# --- rotation ------------------------------------------------------------------------------------


def test_rotation_seals_all_anew_and_the_old_key_may_go(
    acme: Tenant, make_account: Callable[..., Any], settings: Any
):
    settings.KEYRING = KeyRingSource(text=ONE)
    own, operators = make_account(acme, key=KEY), make_account(None, key="operator-key-0001")
    settings.KEYRING = KeyRingSource(text=f"{TWO} {ONE}")
    assert secrets.keys_in_use() == {"one": 2}
    assert secrets.rotate() == 2
    assert secrets.rotate() == 0
    assert secrets.keys_in_use() == {"two": 2}
    settings.KEYRING = KeyRingSource(text=TWO)
    assert stored(own).secret.reveal() == KEY
    assert stored(operators).secret.reveal() == "operator-key-0001"


def test_rotation_stops_at_a_secret_that_does_not_open(
    acme: Tenant, make_account: Callable[..., Any], settings: Any
):
    settings.KEYRING = KeyRingSource(text=ONE)
    account = make_account(acme, key=KEY)
    before = raw_secret(account)
    settings.KEYRING = KeyRingSource(text=TWO)
    with pytest.raises(CommandError, match="does not hold"):
        call_command("rotate_secrets", stdout=io.StringIO())
    assert raw_secret(account) == before


def test_rotate_secrets_puts_a_new_key_into_the_file(
    acme: Tenant, make_account: Callable[..., Any], settings: Any, tmp_path: Path
):
    path = tmp_path / "keyring"
    settings.KEYRING = KeyRingSource(path=path, create=True)
    running = KeyRingSource(path=path, create=True)
    account = make_account(acme, key=KEY)
    assert running.unseal(account.secret.raw, account.secret._context()) == KEY
    said = io.StringIO()
    call_command("rotate_secrets", "--new-key", stdout=said)
    assert "Sealed anew: 1" in said.getvalue()
    assert path.stat().st_mode & 0o777 == 0o600
    assert len(path.read_text().split()) == 2
    # A process that read the file before finds the new key by itself.
    fresh = stored(account)
    assert running.unseal(fresh.secret.raw, fresh.secret._context()) == KEY


def test_a_ring_of_the_environment_gains_no_key(settings: Any):
    settings.KEYRING = KeyRingSource(text=ONE)
    with pytest.raises(CommandError, match="PBXAI_KEYRING"):
        call_command("rotate_secrets", "--new-key", stdout=io.StringIO())
