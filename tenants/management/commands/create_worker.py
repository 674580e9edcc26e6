"""`manage.py create_worker NAME`: make a media worker and its token."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError, CommandParser

from pbxai import keyfiles
from tenants.models import Worker
from tenants.services import workers


class Command(BaseCommand):
    help = "Make a media worker and print its token, once; or write it to a file with mode 600."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("name", help="letters, digits, - and _")
        parser.add_argument("--token-file", type=Path, help="write the token here, mode 600")
        parser.add_argument(
            "--renew", action="store_true", help="give an existing worker a new token"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        name, token_file = options["name"], options["token_file"]
        token = self._renewed(name) if options["renew"] else self._created(name)
        if token_file:
            keyfiles.write(token_file, token)
            self.stdout.write(f"Worker {name}: token written to {token_file}")
        else:
            self.stdout.write(token)

    def _created(self, name: str) -> str:
        try:
            _worker, token = workers.create_worker(name=name)
        except ValidationError as error:
            raise CommandError("; ".join(error.messages)) from None
        return token

    def _renewed(self, name: str) -> str:
        try:
            worker = Worker.objects.get(name=name)
        except Worker.DoesNotExist:
            raise CommandError(f"There is no worker {name}.") from None
        return workers.give_token(worker)
