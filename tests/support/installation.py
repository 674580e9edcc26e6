"""The product's processes on a data folder of their own."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.support.migrated import give_database
from tests.support.ports import free_port

ROOT = Path(__file__).resolve().parents[2]
WAIT_SECONDS = 90.0


class Installation:
    """A data folder of its own with the demo in it.

    `path`: what people type after the host, "/pbxai"; daphne itself serves the root.
    """

    def __init__(self, data: Path, path: str = "") -> None:
        self.data = data
        self.port = free_port()
        kept = {name: value for name, value in os.environ.items() if not name.startswith("PBXAI_")}
        self.environment = {
            **kept,
            "PBXAI_DATA": str(data),
            "PBXAI_HTTP_PORT": str(self.port),
            "PBXAI_EXTERNAL_URL": f"http://127.0.0.1:{self.port}{path}",
            "PYTHONUNBUFFERED": "1",
        }
        give_database(data)
        self.manage("seed_demo", "-v0")

    @property
    def web(self) -> str:
        return f"127.0.0.1:{self.port}"

    @property
    def token(self) -> str:
        return (self.data / "keys" / "worker.token").read_text().strip()

    def manage(self, *command: str) -> str:
        return subprocess.run(
            [sys.executable, "manage.py", *command],
            cwd=ROOT,
            env=self.environment,
            check=True,
            capture_output=True,
            text=True,
        ).stdout

    @contextmanager
    def serving(self) -> Iterator[None]:
        """daphne, from when it is ready."""
        daphne = ("daphne", "-b", "127.0.0.1", "-p", str(self.port), "pbxai.asgi:application")
        with self.running(*daphne):
            until(lambda: answers(f"http://{self.web}/readyz"), self.log)
            yield

    @contextmanager
    def running(self, *module: str) -> Iterator[subprocess.Popen[bytes]]:
        with (self.data / "process.log").open("ab") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", *module],
                cwd=ROOT,
                env=self.environment,
                stdout=log,
                stderr=log,
            )
            try:
                yield process
            finally:
                process.send_signal(signal.SIGTERM)
                assert process.wait(60) in (0, -signal.SIGTERM)

    def row(self, query: str) -> tuple[Any, ...] | None:
        with sqlite3.connect(self.data / "pbxai.sqlite3", timeout=60) as database:
            return database.execute(query).fetchone()

    def log(self) -> str:
        return (self.data / "process.log").read_text(errors="replace")


def until(condition: Callable[[], Any], why: Callable[[], str]) -> Any:
    deadline = time.monotonic() + WAIT_SECONDS
    while time.monotonic() < deadline:
        if found := condition():
            return found
        time.sleep(0.05)
    raise AssertionError(why())


def answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=30) as reply:
            return reply.status == 200
    except OSError:
        return False


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}
