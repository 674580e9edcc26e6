"""What production must not run with; web, jobs and every command refuse it before they start."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from typing import Any

from django.apps import AppConfig
from django.conf import settings
from django.core import checks
from django.core.exceptions import ImproperlyConfigured
from django.db import connections

from pbxai import storage

TAG = "pbxai"


@checks.register(TAG)
def check_production(
    app_configs: Sequence[AppConfig] | None, **kwargs: Any
) -> list[checks.CheckMessage]:
    """Refuse every embedded part once DATABASE_URL or REDIS_URL says that this is production."""
    if not settings.PRODUCTION:
        return []
    found: list[checks.CheckMessage] = []
    if not settings.DATABASE_URL:
        found.append(_error("E001", "REDIS_URL is set but DATABASE_URL is not."))
    elif settings.DATABASES["default"]["ENGINE"].endswith("sqlite3"):
        found.append(_error("E002", "SQLite is for the embedded default; use postgresql://."))
    if not settings.REDIS_URL:
        found.append(_error("E003", "DATABASE_URL is set but REDIS_URL is not."))
    if settings.DEBUG:
        found.append(_error("E004", "PBXAI_DEBUG shows settings and source to visitors."))
    if "*" in settings.ALLOWED_HOSTS:
        found.append(_error("E005", "PBXAI_ALLOWED_HOSTS must name hosts, not *."))
    return found


@checks.register(TAG)
def check_keyring(
    app_configs: Sequence[AppConfig] | None, **kwargs: Any
) -> list[checks.CheckMessage]:
    """The key ring can be read before the first secret needs it."""
    try:
        settings.KEYRING.ring()
    except (ImproperlyConfigured, OSError) as error:
        return [checks.Error(str(error), id=f"{TAG}.E006")]
    return []


@checks.register(TAG)
def check_storage(
    app_configs: Sequence[AppConfig] | None, **kwargs: Any
) -> list[checks.CheckMessage]:
    """Recordings go to the disk or to S3, never half to either."""
    return [checks.Error(problem, id=f"{TAG}.E007") for problem in storage.problems()]


@checks.register(TAG)
def check_full_text(
    app_configs: Sequence[AppConfig] | None, **kwargs: Any
) -> list[checks.CheckMessage]:
    """This Python's SQLite can index words, as far as it is the database."""
    if not settings.DATABASES["default"]["ENGINE"].endswith("sqlite3"):
        return []
    database = sqlite3.connect(":memory:")
    try:
        database.execute("CREATE VIRTUAL TABLE words USING fts5(body)")
    except sqlite3.OperationalError as error:
        hint = "Use a Python whose SQLite has FTS5, as Debian's has, or PostgreSQL."
        return [checks.Error(f"SQLite: {error}.", hint=hint, id=f"{TAG}.E008")]
    finally:
        database.close()
    return []


@checks.register(checks.Tags.database)
def check_search_index(
    app_configs: Sequence[AppConfig] | None, databases: Sequence[str] | None = None, **kwargs: Any
) -> list[checks.CheckMessage]:
    """The index over calls' words is whole; a warning, for `migrate` is what puts it right."""
    from tenants import search_index

    return [
        checks.Warning(problem, id=f"{TAG}.W001")
        for alias in databases or ()
        for problem in search_index.problems(connections[alias])
    ]


def refuse_unsafe() -> None:
    """Raise ImproperlyConfigured with every finding; for processes that run no Django command."""
    errors = [found for found in checks.run_checks(tags=[TAG]) if found.is_serious()]
    if errors:
        raise ImproperlyConfigured("\n".join(str(error) for error in errors))


def _error(number: str, message: str) -> checks.CheckMessage:
    return checks.Error(
        message,
        hint="Production sets DATABASE_URL and REDIS_URL; the embedded default sets neither.",
        id=f"{TAG}.{number}",
    )
