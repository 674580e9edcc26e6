"""`manage.py seed_demo`: operator, tenant with agent and number, sandbox provider, worker."""

from __future__ import annotations

import json
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand

from pbxai import keyfiles
from tenants.services import demo


class Command(BaseCommand):
    help = (
        "Make the demo: operator, tenant, agent, number, sandbox provider, worker. Run again it "
        "changes only what is missing. Passwords are kept in PBXAI_DATA/keys/demo.json."
    )

    def handle(self, *args: Any, **options: Any) -> None:
        path = settings.KEYS_DIR / "demo.json"
        known: dict[str, Any] = json.loads(path.read_text()) if path.exists() else {}
        seeded = demo.seed(
            known=known,
            sandbox_url=f"ws://127.0.0.1:{settings.SANDBOX_PORT}/v1/realtime",
            sip_address=f"{settings.SIP_ADDRESS}:{settings.SIP_PORT}",
            token_file=settings.KEYS_DIR / "worker.token",
        )
        keyfiles.write(path, json.dumps(seeded, indent=2))
        if options["verbosity"]:
            for who in ("operator", "owner"):
                self.stdout.write(f"{who}: {seeded[who]['email']} {seeded[who]['password']}")
            self.stdout.write(f"number: {seeded['number']}")
