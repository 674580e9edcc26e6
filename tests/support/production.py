"""A plugin of pytest: tests run as production does, on a PostgreSQL and a Redis of their own.

    PYTEST_PLUGINS=tests.support.production .venv/bin/python -m pytest -m "not sqlite_only" PATH...

The first process starts PostgreSQL in a folder of /tmp and stops it; each process has its own
Redis, for its channels and locks would be those of the others.
"""

from __future__ import annotations

import os
from collections.abc import Generator

import pytest

from pbxai.crypto import new_key_entry
from tests.support.cluster import Servers

_servers = Servers()


@pytest.hookimpl(wrapper=True)
def pytest_load_initial_conftests() -> Generator[None]:
    """Before pytest-django reads the settings."""
    if "PYTEST_XDIST_WORKER" not in os.environ:
        os.environ["DATABASE_URL"] = _servers.postgresql()
        os.environ["PBXAI_SECRET_KEY"] = "k" * 50
        os.environ["PBXAI_KEYRING"] = new_key_entry("test")
    os.environ["REDIS_URL"] = _servers.redis()
    yield


def pytest_configure() -> None:
    """Nobody has collected the static files, so their names stay as they are."""
    from django.conf import settings

    plain = {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}
    settings.STORAGES = settings.STORAGES | {"staticfiles": plain}
    settings.SERVESTATIC_USE_FINDERS = True


def pytest_unconfigure() -> None:
    _servers.stop()
