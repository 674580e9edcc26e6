"""A model field for a secret that is encrypted at rest."""

from __future__ import annotations

import base64
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.db import models
from django.db.models.query_utils import DeferredAttribute

PLATFORM_OWNER = "platform"
"""Owner of the operator's own secrets in the additional data."""


class Sealed:
    """A secret as its row holds it. Shows nothing of itself; `reveal()` opens it."""

    __slots__ = ("_context", "_value")

    def __init__(self, value: bytes, context: Callable[[], str]) -> None:
        self._value = value
        self._context = context

    def reveal(self) -> str:
        """The secret; raises pbxai.crypto.SecretError, never gives the ciphertext."""
        if not self._value:
            return ""
        opened: str = settings.KEYRING.unseal(self._value, self._context())
        return opened

    @property
    def raw(self) -> bytes:
        return self._value

    def __bool__(self) -> bool:
        return bool(self._value)

    def __repr__(self) -> str:
        return "Sealed(***)" if self._value else "Sealed()"

    __str__ = __repr__


if TYPE_CHECKING:
    _TextAtRest = models.BinaryField[str | Sealed, Sealed]
else:
    _TextAtRest = models.BinaryField


class EncryptedAttribute(DeferredAttribute):
    """Assigning a text seals it for this row at once; reading gives a Sealed."""

    field: EncryptedField

    def __get__(self, instance: Any, cls: Any = None) -> Any:
        if instance is None:
            return self
        value = instance.__dict__.get(self.field.attname)
        if value is None:
            value = super().__get__(instance, cls)
        return Sealed(bytes(value or b""), partial(self.field.context, instance))

    def __set__(self, instance: Any, value: Any) -> None:
        if isinstance(value, Sealed):
            value = value.raw
        elif isinstance(value, str):
            ring = settings.KEYRING.ring()
            value = ring.seal(value, self.field.context(instance)) if value else b""
        instance.__dict__[self.field.attname] = bytes(value or b"")


class EncryptedField(_TextAtRest):
    """Text sealed with AES-256-GCM (pbxai/crypto.py), bound to `app.model.field:owner`.

    The model gives the owner as `secret_owner()`: the tenant's public id, or PLATFORM_OWNER. It has
    to be known before a secret is assigned.
    """

    descriptor_class = EncryptedAttribute

    def context(self, instance: models.Model) -> str:
        owner = instance.secret_owner()  # type: ignore[attr-defined]
        return f"{self.model._meta.label_lower}.{self.name}:{owner}"

    def get_db_prep_value(self, value: Any, connection: Any, prepared: bool = False) -> Any:
        raw = value.raw if isinstance(value, Sealed) else value
        return super().get_db_prep_value(raw, connection, prepared)

    def to_python(self, value: Any) -> Any:
        return value if isinstance(value, Sealed) else super().to_python(value)

    def value_to_string(self, obj: models.Model) -> str:
        return base64.b64encode(self.value_from_object(obj).raw).decode("ascii")
