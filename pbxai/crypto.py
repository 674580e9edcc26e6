"""Secrets at rest: AES-256-GCM under a ring of keys, each ciphertext bound to its owner and field.

A sealed value is  length of key id (1 byte) | key id | nonce (12 bytes) | ciphertext with tag.
The additional data is `app.model.field:owner`, so a value copied to another tenant's row or to
another field does not open. The key ring is text: `id:key` entries, the key as base64 of 32 bytes,
separated by blanks, line ends or commas; the first seals, all open.

    SecretError
      UnknownKey      sealed under a key that the ring does not hold
      Unsealable      altered, or moved from another owner or field
"""

from __future__ import annotations

import base64
import binascii
import re
import secrets
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from django.core.exceptions import ImproperlyConfigured

from pbxai import keyfiles

KEY_BYTES: Final = 32
NONCE_BYTES: Final = 12
KEY_ID: Final = re.compile(r"[A-Za-z0-9._-]{1,64}")


class SecretError(Exception):
    """A secret cannot be opened. The message holds neither the secret nor a key."""


class UnknownKey(SecretError):  # noqa: N818 - says what is the matter
    pass


class Unsealable(SecretError):  # noqa: N818 - says what is the matter
    pass


class KeyRing:
    """Keys by id; the first one seals."""

    def __init__(self, keys: Iterable[tuple[str, bytes]]) -> None:
        self._keys = dict(keys)
        if not self._keys:
            raise ImproperlyConfigured("The key ring holds no key.")
        self.current_id = next(iter(self._keys))

    @classmethod
    def parse(cls, text: str) -> KeyRing:
        entries = [_parse_entry(entry) for entry in re.split(r"[\s,]+", text) if entry]
        if len({key_id for key_id, _ in entries}) != len(entries):
            raise ImproperlyConfigured("The key ring names a key id twice.")
        return cls(entries)

    @property
    def key_ids(self) -> tuple[str, ...]:
        return tuple(self._keys)

    def seal(self, plain: str, context: str) -> bytes:
        nonce = secrets.token_bytes(NONCE_BYTES)
        key_id = self.current_id.encode()
        cipher = AESGCM(self._keys[self.current_id])
        return (
            bytes([len(key_id)])
            + key_id
            + nonce
            + cipher.encrypt(nonce, plain.encode(), context.encode())
        )

    def unseal(self, sealed: bytes, context: str) -> str:
        key_id = sealed_with(sealed)
        key = self._keys.get(key_id)
        if key is None:
            raise UnknownKey(f"Sealed under key {key_id!r}, which the key ring does not hold.")
        body = sealed[1 + len(key_id.encode()) :]
        nonce, ciphertext = body[:NONCE_BYTES], body[NONCE_BYTES:]
        try:
            return AESGCM(key).decrypt(nonce, ciphertext, context.encode()).decode()
        except (InvalidTag, ValueError):
            raise Unsealable(f"The secret of {context} was altered or belongs elsewhere.") from None


def sealed_with(sealed: bytes) -> str:
    """Id of the key that a value is sealed under."""
    if not sealed or len(sealed) <= 1 + sealed[0] + NONCE_BYTES:
        raise Unsealable("A sealed value is too short to be one.")
    try:
        return sealed[1 : 1 + sealed[0]].decode()
    except UnicodeDecodeError:
        raise Unsealable("A sealed value names no key.") from None


def new_key_entry(key_id: str | None = None) -> str:
    """A fresh `id:key` entry."""
    key = base64.b64encode(secrets.token_bytes(KEY_BYTES)).decode()
    return f"{key_id or secrets.token_hex(4)}:{key}"


def _parse_entry(entry: str) -> tuple[str, bytes]:
    key_id, separator, encoded = entry.partition(":")
    if not separator or not KEY_ID.fullmatch(key_id):
        raise ImproperlyConfigured("A key ring entry is not of the form id:base64-key.")
    try:
        key = base64.b64decode(encoded, validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if len(key) != KEY_BYTES:
        raise ImproperlyConfigured(f"Key {key_id!r} of the key ring is not base64 of 32 bytes.")
    return key_id, key


class KeyRingSource:
    """Where the ring comes from: the environment, or a file that may gain keys meanwhile."""

    def __init__(
        self, *, text: str | None = None, path: Path | None = None, create: bool = False
    ) -> None:
        if (text is None) == (path is None):
            raise ImproperlyConfigured("A key ring comes from a text or from a file.")
        self.path = path
        self.create = create
        self._ring = KeyRing.parse(text) if text is not None else None

    def ring(self) -> KeyRing:
        if self._ring is None:
            self._ring = self._read()
        return self._ring

    def unseal(self, sealed: bytes, context: str) -> str:
        try:
            return self.ring().unseal(sealed, context)
        except UnknownKey:
            if self.path is None:
                raise
            # Another process has put a new key into the file (rotate_secrets --new-key).
            self._ring = self._read()
            return self._ring.unseal(sealed, context)

    def add_key(self) -> str:
        """Put a fresh key at the head of the file; gives its id."""
        if self.path is None:
            raise ImproperlyConfigured(
                "The key ring comes from PBXAI_KEYRING itself; put the new key first there, "
                "or keep the ring in a file and name it in PBXAI_KEYRING_FILE."
            )
        self.ring()
        entry = new_key_entry()
        keyfiles.write(self.path, f"{entry}\n{self.path.read_text(encoding='utf-8').strip()}")
        self._ring = self._read()
        return entry.partition(":")[0]

    def _read(self) -> KeyRing:
        assert self.path is not None  # noqa: S101 - the constructor saw to it
        if self.create:
            return KeyRing.parse(keyfiles.read_or_create(self.path, new_key_entry))
        try:
            return KeyRing.parse(self.path.read_text(encoding="utf-8"))
        except OSError as error:
            raise ImproperlyConfigured(f"The key ring cannot be read: {error}") from None
