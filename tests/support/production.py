"""A plugin of pytest: tests run as production does, on a PostgreSQL and a Redis of their own.

    PYTEST_PLUGINS=tests.support.production .venv/bin/python -m pytest -m "not sqlite_only" PATH...

The first process starts PostgreSQL in a folder of /tmp and stops it; each process has its own
Redis, for its channels and locks would be those of the others.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Generator
from pathlib import Path
from urllib.parse import urlsplit

import psycopg
import pytest

from pbxai.crypto import new_key_entry
from tests.support.cluster import Servers

ROOT = Path(__file__).resolve().parents[2]
MIGRATED = "migrated"
"""The database that those of the test processes are copies of."""
_servers = Servers()


@pytest.hookimpl(wrapper=True)
def pytest_load_initial_conftests() -> Generator[None]:
    """Before pytest-django reads the settings."""
    if "PYTEST_XDIST_WORKER" not in os.environ:
        os.environ["DATABASE_URL"] = _servers.postgresql()
        os.environ["PBXAI_SECRET_KEY"] = "k" * 50
        os.environ["PBXAI_KEYRING"] = new_key_entry("test")
        # Providers of the tests are on this machine.
        os.environ["PBXAI_ALLOW_NETWORKS"] = "127.0.0.0/8,::1/128"
    os.environ["REDIS_URL"] = _servers.redis()
    if "PYTEST_XDIST_WORKER" not in os.environ:
        _migrate(os.environ["DATABASE_URL"])
    yield


def _migrate(cluster: str) -> None:
    """All migrations, once."""
    with psycopg.connect(cluster, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {MIGRATED}")
    address = urlsplit(cluster)._replace(path=f"/{MIGRATED}").geturl()
    subprocess.run(
        [sys.executable, "manage.py", "migrate", "-v0"],
        cwd=ROOT,
        env={**os.environ, "DATABASE_URL": address},
        check=True,
    )


def pytest_configure() -> None:
    """Static files keep their names, for nobody has collected them; tests call from this host."""
    from django.conf import settings
    from django.db import connection

    connection.settings_dict["TEST"]["TEMPLATE"] = MIGRATED
    settings.ALLOWED_HOSTS = [*settings.ALLOWED_HOSTS, "localhost"]
    plain = {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}
    settings.STORAGES = settings.STORAGES | {"staticfiles": plain}
    settings.SERVESTATIC_USE_FINDERS = True


def pytest_unconfigure() -> None:
    _servers.stop()
