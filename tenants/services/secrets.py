"""Every sealed value of the database, and sealing them anew under the ring's first key."""

from __future__ import annotations

import base64
from collections import Counter
from collections.abc import Iterator

from allauth.mfa.models import Authenticator
from django.apps import apps
from django.conf import settings
from django.db import models, transaction

from pbxai.accounts import SealedMFAAdapter
from pbxai.crypto import sealed_with
from tenants.models.fields import EncryptedField


def encrypted_fields() -> Iterator[EncryptedField]:
    """The encrypted fields of all models."""
    for model in apps.get_models():
        for field in model._meta.local_fields:
            if isinstance(field, EncryptedField):
                yield field


def rotate() -> int:
    """Seal anew what is not under the current key; gives the number of values.

    Raises pbxai.crypto.SecretError at the first value that does not open; those before it stay
    rotated, nothing is lost, and it can be run again.
    """
    return sum(_rotate_field(field) for field in encrypted_fields()) + _rotate_authenticators()


def keys_in_use() -> Counter[str]:
    """How many values each key seals; a key that is not here may leave the ring."""
    fields = Counter(
        sealed_with(getattr(row, field.name).raw)
        for field in encrypted_fields()
        for row in _rows(field)
        if getattr(row, field.name)
    )
    return fields + Counter(
        sealed_with(base64.b64decode(row.data[name]))
        for row in Authenticator.objects.all()
        for name in _sealed_names(row)
    )


def _sealed_names(row: Authenticator) -> list[str]:
    """What of a person's second step is sealed (pbxai.accounts.SealedMFAAdapter)."""
    return [name for name in ("secret", "seed") if row.data.get(name)]


def _rotate_authenticators() -> int:
    current = settings.KEYRING.ring().current_id
    adapter = SealedMFAAdapter()
    rotated = 0
    for row in Authenticator.objects.order_by("pk"):
        old = [
            name
            for name in _sealed_names(row)
            if sealed_with(base64.b64decode(row.data[name])) != current
        ]
        for name in old:
            row.data[name] = adapter.encrypt(adapter.decrypt(row.data[name]))
        if old:
            row.save(update_fields=["data"])
            rotated += len(old)
    return rotated


def _rotate_field(field: EncryptedField) -> int:
    current = settings.KEYRING.ring().current_id
    rotated = 0
    for row in _rows(field).iterator(chunk_size=200):
        if not getattr(row, field.name) or sealed_with(getattr(row, field.name).raw) == current:
            continue
        with transaction.atomic():
            fresh = _rows(field).select_for_update(of=("self",)).get(pk=row.pk)
            setattr(fresh, field.name, getattr(fresh, field.name).reveal())
            fresh.save(update_fields=[field.name])
        rotated += 1
    return rotated


def _rows(field: EncryptedField) -> models.QuerySet[models.Model]:
    return field.model._base_manager.order_by("pk")
