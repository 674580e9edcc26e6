"""The product under load: web side, jobs and media worker as processes, set up by its own models.

Each call of a run has a number, an agent and a provider account of its own, all alike except that
the account's address names the call: so the provider knows whose audio it hears.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

from bench.host import Cores
from tests.support.ports import free_port, free_sip_port

ROOT: Final = Path(__file__).resolve().parents[1]
RTP_PORT: Final = 12000
"""Away from the default, from the kernel's ephemeral ports and from a product that runs here."""
READY_SECONDS: Final = 60.0
STOP_SECONDS: Final = 30.0
NUMBERS_A_TENANT: Final = 1000
FIRST_TENANT: Final = 700


class HouseError(Exception):
    """The product does not start; says why."""


class House:
    """`open` before anything else: it tells Django where it is."""

    def __init__(self, data: Path, cores: Cores) -> None:
        self.data = data
        self.cores = cores
        self.sip_port = free_sip_port()
        self.environment = {
            "PBXAI_DATA": str(data),
            "PBXAI_HTTP_PORT": str(free_port()),
            "PBXAI_SANDBOX_PORT": str(free_port()),
            "PBXAI_SIP_PORT": str(self.sip_port),
            "PBXAI_RTP_PORT": str(RTP_PORT),
            "PBXAI_METRICS_PORT": "0",
            "DJANGO_SETTINGS_MODULE": "pbxai.settings",
        }
        self._stack: Any = None
        self._tenants = 0
        self._worker: subprocess.Popen[bytes] | None = None

    def open(self) -> None:
        """Make the database, start the web side and the jobs. Raises HouseError."""
        for name in [name for name in os.environ if name.startswith("PBXAI_")]:
            del os.environ[name]
        os.environ.update(self.environment)
        import django

        django.setup()
        from django.core.management import call_command

        from pbxai.stack import Stack, StackError
        from tenants.management.commands import run

        call_command("migrate", verbosity=0, interactive=False)
        call_command("seed_demo", verbosity=0)
        self._told = run.environment(self.data)
        programs = [program for program in run.programs() if program.name in ("web", "jobs")]
        self._stack = Stack(folder=self.data, programs=programs, environment=self._told)
        try:
            self._stack.start()
        except StackError as error:
            raise HouseError(str(error)) from None

    def furnish(
        self, name: str, calls: int, address: Callable[[int], str], settings: dict[str, Any]
    ) -> list[str]:
        """Numbers of a tenant whose agents all have these settings, published.

        `address`: the provider's, for each call. Raises HouseError for settings that this product
        does not have.
        """
        if not known(settings):
            raise HouseError(f"This product does not have all of these settings: {settings}")
        from django.db import transaction

        from tenants.models import Tenant, User

        self._tenants += 1
        slug = f"bench-{self._tenants}"
        with transaction.atomic():
            tenant = Tenant.objects.create(slug=slug, name=name, max_concurrent_calls=10_000)
            owner = User.objects.create_user(email=f"{slug}@house.example", password=None)
            first = (FIRST_TENANT + self._tenants) * NUMBERS_A_TENANT
            for call in range(calls):
                _agent(tenant, owner, str(first + call), address(call), settings)
        return [str(first + call) for call in range(calls)]

    # --- the worker ------------------------------------------------------------------------------

    def start_worker(self, *, max_calls: int = 512, debug: bool = False) -> int:
        """Its process id, once it is linked to the web side. Raises HouseError."""
        from django.utils import timezone

        from tenants.models import Worker

        started = timezone.now()
        log = self._log.open("ab")
        self._log_begins = log.tell()
        self._worker = subprocess.Popen(
            [sys.executable, "-m", "media_worker"],
            cwd=ROOT,
            env={
                **os.environ,
                **self._told,
                "PBXAI_MAX_CALLS": str(max_calls),
                "PBXAI_DRAIN_SECONDS": "0",
                "PBXAI_DEBUG": str(int(debug)),
            },
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
        )
        log.close()
        os.sched_setaffinity(self._worker.pid, {self.cores.worker})
        deadline = time.monotonic() + READY_SECONDS
        online = Worker.objects.filter(name="local", connected=True, last_seen_at__gte=started)
        while not online.exists():
            if self._worker.poll() is not None or time.monotonic() > deadline:
                raise HouseError(f"The media worker did not start:\n{self._last_words()}")
            time.sleep(0.1)
        return self._worker.pid

    def stop_worker(self) -> None:
        worker, self._worker = self._worker, None
        if worker is None:
            return
        worker.terminate()
        with suppress(subprocess.TimeoutExpired):
            worker.wait(STOP_SECONDS)
            return
        worker.kill()
        worker.wait()

    def close(self) -> None:
        self.stop_worker()
        if self._stack is not None:
            self._stack.stop()

    def worker_said(self) -> str:
        """What the worker has logged since it was started last."""
        with self._log.open(errors="replace") as log:
            log.seek(self._log_begins)
            return log.read()

    @property
    def _log(self) -> Path:
        return self.data / "log" / "worker.log"

    def _last_words(self) -> str:
        return self._log.read_text(errors="replace")[-2000:]


def known(settings: dict[str, Any]) -> bool:
    """Whether this product has all these settings and values."""
    from tenants.models import Agent

    fields: dict[str, Any] = {field.name: field for field in Agent._meta.get_fields()}
    for name, value in settings.items():
        if name not in fields:
            return False
        choices = getattr(fields[name], "choices", None)
        if choices and value not in [choice[0] for choice in choices]:
            return False
    return True


def _agent(tenant: Any, owner: Any, number: str, address: str, settings: dict[str, Any]) -> None:
    """An agent with its own provider account and number."""
    from tenants.models import Agent, Number, ProviderAccount
    from tenants.services.publishing import publish

    account = ProviderAccount(tenant=tenant, name=f"Account {number}", url=address)
    account.set_secret("bench-key-0000001")
    account.save()
    told: dict[str, Any] = {
        "instructions": "You are the reception of a clinic, open from nine to five.",
        "greetings": {},
        **settings,
    }
    agent = Agent(tenant=tenant, name=f"Agent {number}", provider_account=account, **told)
    agent.save()
    publish(agent=agent, user=owner, note="bench")
    Number.all_tenants.create(tenant=tenant, number=number, agent=agent)
