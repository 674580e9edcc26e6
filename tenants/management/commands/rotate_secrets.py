"""`manage.py rotate_secrets`: seal every secret anew under the key ring's first key."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.core.management.base import BaseCommand, CommandError, CommandParser

from pbxai.crypto import SecretError
from tenants.services import secrets


class Command(BaseCommand):
    help = (
        "Seal every secret anew under the key ring's first key, then say which keys are still in "
        "use. Put the new key first in the ring beforehand, or use --new-key."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--new-key",
            action="store_true",
            help="first put a fresh key at the head of the key ring file",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            if options["new_key"]:
                self.stdout.write(f"New key: {settings.KEYRING.add_key()}")
            rotated = secrets.rotate()
        except (SecretError, ImproperlyConfigured, OSError) as error:
            raise CommandError(str(error)) from None
        self.stdout.write(f"Sealed anew: {rotated}")
        in_use = secrets.keys_in_use()
        for key_id in settings.KEYRING.ring().key_ids:
            self.stdout.write(f"Key {key_id}: {in_use[key_id]} secrets")
