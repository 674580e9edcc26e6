"""A plugin of pytest: tests run as production does, on a PostgreSQL and a Redis of their own.

    PYTEST_PLUGINS=tests.support.production .venv/bin/python -m pytest -m "not sqlite_only" PATH...

The first process starts PostgreSQL in a folder of /tmp on a free port of the loopback, and stops
it; each process has its own Redis, for its channels and locks would be those of the others.
Nothing is written through to the disk: it is thrown away.
"""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest

from pbxai.crypto import new_key_entry
from tests.support.ports import free_port

SECONDS = 60
OWNER = "postgres"
"""PostgreSQL does not run as root; Debian's package makes this user."""
_OPTIONS = (
    "fsync=off",
    "synchronous_commit=off",
    "full_page_writes=off",
    "max_connections=200",
    "listen_addresses=127.0.0.1",
    "unix_socket_directories=",
)
_INITDB = ("-A", "trust", "-E", "UTF8", "--locale=C.UTF-8", "--no-sync")
_running: list[tuple[subprocess.Popen[bytes], Path]] = []


@pytest.hookimpl(wrapper=True)
def pytest_load_initial_conftests() -> Generator[None]:
    """Before pytest-django reads the settings."""
    if "PYTEST_XDIST_WORKER" not in os.environ:
        os.environ["DATABASE_URL"] = start_postgresql()
        os.environ["PBXAI_SECRET_KEY"] = "k" * 50
        os.environ["PBXAI_KEYRING"] = new_key_entry("test")
    os.environ["REDIS_URL"] = _start_redis()
    yield


def pytest_configure() -> None:
    """Nobody has collected the static files, so their names stay as they are."""
    from django.conf import settings

    plain = {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}
    settings.STORAGES = settings.STORAGES | {"staticfiles": plain}
    settings.SERVESTATIC_USE_FINDERS = True


def pytest_unconfigure() -> None:
    stop()


def start_postgresql() -> str:
    """Start a new cluster; its DATABASE_URL."""
    folder = Path(tempfile.mkdtemp(prefix="pbxai-postgresql-"))
    who: dict[str, Any] = {}
    if os.getuid() == 0:
        user = pwd.getpwnam(OWNER)
        os.chown(folder, user.pw_uid, user.pw_gid)
        who = {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}
    programs = _newest_postgresql()
    subprocess.run(
        [programs / "initdb", *_INITDB, "-U", OWNER, "-D", folder / "data"],
        check=True,
        stdout=subprocess.DEVNULL,
        cwd="/",
        **who,
    )
    port = free_port()
    options = [word for option in (*_OPTIONS, f"port={port}") for word in ("-c", option)]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            [programs / "postgres", "-D", folder / "data", *options],
            stdout=log,
            stderr=log,
            cwd="/",
            **who,
        )
    _running.append((process, folder))
    _wait_until_it_takes(
        [programs / "pg_isready", "-q", "-h", "127.0.0.1", "-p", str(port)], process, folder
    )
    return f"postgresql://{OWNER}@127.0.0.1:{port}/{OWNER}"


def _newest_postgresql() -> Path:
    """Where Debian keeps its programs, or where PATH finds them."""
    found = sorted(
        Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: int(path.parent.name)
    )
    if found:
        return found[-1]
    if path := shutil.which("initdb"):
        return Path(path).parent
    raise pytest.UsageError("There is no PostgreSQL here: see scripts/system-packages.")


def _start_redis() -> str:
    folder = Path(tempfile.mkdtemp(prefix="pbxai-redis-"))
    port = free_port()
    options = ("--port", str(port), "--bind", "127.0.0.1", "--save", "", "--dir", str(folder))
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(["redis-server", *options], stdout=log, stderr=log)
    _running.append((process, folder))
    _wait_until_it_takes(["redis-cli", "-p", str(port), "ping"], process, folder)
    return f"redis://127.0.0.1:{port}/0"


def _wait_until_it_takes(
    question: list[Any], process: subprocess.Popen[bytes], folder: Path
) -> None:
    deadline = time.monotonic() + SECONDS
    while subprocess.run(question, capture_output=True).returncode:
        if process.poll() is not None or time.monotonic() > deadline:
            stop()
            raise pytest.UsageError(f"{process.args} does not come up.")
        time.sleep(0.05)


def stop() -> None:
    """Stop what was started here, with all connections that are left, and forget the data."""
    while _running:
        process, folder = _running.pop()
        process.send_signal(signal.SIGINT)
        try:
            process.wait(SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        shutil.rmtree(folder, ignore_errors=True)
