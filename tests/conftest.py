"""People and things that tests of the web side share.

Alice owns Acme, Victor may only read there, Erin edits, Bob administers; Charlie owns Birch,
another tenant; Olga is the operator. Fixtures make rows without a scope; a test enters one where
it acts as a tenant's page would.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from django.core.cache import cache
from django.db import connection
from django.utils import translation

from tenants.models import Agent, Member, Number, ProviderAccount, Tenant, User, Worker
from tenants.models.choices import Role
from tests.support.migrated import migrated_database

PASSWORD = "correct horse battery"
SANDBOX_URL = "ws://127.0.0.1:8090/v1/realtime"


@pytest.fixture(scope="session")
def django_db_modify_db_settings(
    django_db_modify_db_settings_parallel_suffix: None,
) -> Iterator[None]:
    """On SQLite the test database is a copy of one that was migrated once for all processes."""
    if connection.vendor != "sqlite":
        yield
        return
    name = str(connection.settings_dict["TEST"]["NAME"])
    shutil.copyfile(migrated_database(), name)
    yield
    connection.close()
    for path in (name, f"{name}-wal", f"{name}-shm"):
        Path(path).unlink(missing_ok=True)


@pytest.fixture(scope="session")
def django_db_keepdb() -> bool:
    """A copy of a migrated database is there already, on PostgreSQL as its template."""
    return True


@pytest.fixture(autouse=True)
def _quick_passwords(request: pytest.FixtureRequest, settings: Any) -> None:
    """Cheap hashes, except where a running product reads them."""
    if "e2e" not in request.path.parts:
        settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]


@pytest.fixture(autouse=True)
def _own_files(request: pytest.FixtureRequest, settings: Any, tmp_path: Path) -> None:
    """Files of a test lie in its own folder."""
    if "e2e" not in request.path.parts:
        options = {"location": tmp_path / "files"}
        settings.STORAGES = settings.STORAGES | {
            "default": settings.STORAGES["default"] | {"OPTIONS": options}
        }


@pytest.fixture(autouse=True)
def _nobody_throttled() -> None:
    """Attempts of other tests to sign in do not count."""
    cache.clear()


@pytest.fixture(autouse=True)
def _english() -> Iterator[None]:
    """A request in German leaves its language behind in the thread."""
    with translation.override("en"):
        yield


def make_user(email: str, **fields: Any) -> User:
    return User.objects.create_user(email=email, password=PASSWORD, **fields)


@pytest.fixture
def acme(db: None) -> Tenant:
    return Tenant.objects.create(slug="acme", name="Acme Dental")


@pytest.fixture
def birch(db: None) -> Tenant:
    """The other tenant, which must never be seen from acme."""
    return Tenant.objects.create(slug="birch", name="Birch Legal")


def _member(email: str, tenant: Tenant, role: str) -> User:
    user = make_user(email)
    Member.all_tenants.create(tenant=tenant, user=user, role=role)
    return user


@pytest.fixture
def alice(acme: Tenant) -> User:
    return _member("alice@acme.example", acme, Role.OWNER)


@pytest.fixture
def bob(acme: Tenant) -> User:
    return _member("bob@acme.example", acme, Role.ADMIN)


@pytest.fixture
def erin(acme: Tenant) -> User:
    return _member("erin@acme.example", acme, Role.EDITOR)


@pytest.fixture
def victor(acme: Tenant) -> User:
    return _member("victor@acme.example", acme, Role.VIEWER)


@pytest.fixture
def charlie(birch: Tenant) -> User:
    return _member("charlie@birch.example", birch, Role.OWNER)


@pytest.fixture
def olga(db: None) -> User:
    return User.objects.create_superuser(email="olga@operator.example", password=PASSWORD)


@pytest.fixture
def make_account() -> Callable[..., ProviderAccount]:
    def make(tenant: Tenant | None, name: str = "Main", key: str = "sandbox-key-0001") -> Any:
        account = ProviderAccount(tenant=tenant, name=name, url=SANDBOX_URL)
        account.set_secret(key)
        account.save()
        return account

    return make


@pytest.fixture
def account(acme: Tenant, make_account: Callable[..., ProviderAccount]) -> ProviderAccount:
    return make_account(acme)


@pytest.fixture
def agent(acme: Tenant, account: ProviderAccount) -> Agent:
    """Acme's draft; nothing is published yet."""
    return Agent.all_tenants.create(
        tenant=acme,
        name="Reception",
        provider_account=account,
        instructions="You are the reception of Acme Dental.",
        greetings={"en": "Hello, Acme Dental."},
        transfer_targets=[
            {"name": "sales", "uri": "sip:sales@127.0.0.1:5080", "description": "The sales team"}
        ],
    )


@pytest.fixture
def published(agent: Agent, alice: User) -> Agent:
    """Acme's agent with its first revision."""
    from tenants.services.publishing import publish

    publish(agent=agent, user=alice, note="first")
    return agent


@pytest.fixture
def number(acme: Tenant, published: Agent) -> Number:
    return Number.all_tenants.create(tenant=acme, number="100", label="Front desk", agent=published)


@pytest.fixture
def worker_and_token(db: None) -> tuple[Worker, str]:
    from tenants.services.workers import create_worker

    return create_worker(name="local")


@pytest.fixture
def worker(worker_and_token: tuple[Worker, str]) -> Worker:
    return worker_and_token[0]
