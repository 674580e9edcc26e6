"""The product under load: web side, jobs and media worker as processes, set up by its own models.

Each call of a run has a number, an agent and a provider account of its own, all alike except that
the account's address names the call: so the provider knows whose audio it hears.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from bench.host import Cores, put_first
from bench.worker import HouseError, WorkerProcess
from tests.support.ports import free_port

RTP_PORT: Final = 12000
"""Away from the default, from the kernel's ephemeral ports and from a product that runs here."""
RTP_PORTS: Final = 1200
"""To each worker: two a call, and some that a run before it may not have given back."""
NUMBERS_A_TENANT: Final = 1000
FIRST_TENANT: Final = 700


class House:
    """`open` before anything else: it tells Django where it is."""

    def __init__(self, data: Path, cores: Cores) -> None:
        self.data = data
        self.cores = cores
        self.environment = {
            "PBXAI_DATA": str(data),
            "PBXAI_HTTP_PORT": str(free_port()),
            "PBXAI_SANDBOX_PORT": str(free_port()),
            "PBXAI_METRICS_PORT": "0",
            "DJANGO_SETTINGS_MODULE": "pbxai.settings",
        }
        self._stack: Any = None
        self._tenants = 0
        self._workers: dict[str, WorkerProcess] = {}

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
        self,
        name: str,
        places: range,
        address: Callable[[int], str],
        settings: dict[str, Any],
    ) -> list[str]:
        """Numbers of a tenant whose agents all have these settings, published.

        `places`: of the calls, as the provider shall know them. `address`: the provider's, for
        each. Raises HouseError for settings that this product does not have.
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
            for place in places:
                _agent(tenant, owner, str(first + place), address(place), settings)
        return [str(first + place) for place in places]

    # --- the workers -----------------------------------------------------------------------------

    def worker(self, name: str) -> WorkerProcess:
        """Of this name, known to the web side; not started."""
        if name not in self._workers:
            from tenants.services.workers import create_worker

            _, token = create_worker(name=name)
            told = {key: text for key, text in self._told.items() if "TOKEN" not in key}
            self._workers[name] = WorkerProcess(
                self.data / "workers" / name,
                {**told, "PBXAI_WORKER_TOKEN": token},
                self.cores.worker,
                RTP_PORT + RTP_PORTS * len(self._workers),
            )
        return self._workers[name]

    def start_worker(self, name: str, *, max_calls: int = 512, debug: bool = False) -> int:
        """Its process id, once it is linked. Raises HouseError."""
        from django.utils import timezone

        from tenants.models import Worker

        online = Worker.objects.filter(name=name, connected=True, last_seen_at__gte=timezone.now())
        return self.worker(name).start(online.exists, max_calls=max_calls, debug=debug)

    def put_first(self, nice: int) -> None:
        """Let the web side and the jobs go before what runs beside them."""
        put_first(self._stack.pid, nice)

    def close(self) -> None:
        for worker in self._workers.values():
            worker.stop()
        if self._stack is not None:
            self._stack.stop()


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
