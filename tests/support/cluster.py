"""A PostgreSQL and a Redis of one's own on free ports of the loopback.

Nothing is flushed to the disk: what they hold can be made again.
"""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any, Final

from tests.support.ports import free_port

SECONDS: Final = 60
OWNER: Final = "postgres"
"""PostgreSQL does not run as root; Debian's package makes this user."""
_INITDB: Final = ("-A", "trust", "-E", "UTF8", "--locale=C.UTF-8", "--no-sync")
_OPTIONS: Final = (
    "fsync=off",
    "synchronous_commit=off",
    "full_page_writes=off",
    "max_connections=200",
    "listen_addresses=127.0.0.1",
    "unix_socket_directories=",
)


class ServerError(Exception):
    """It is not installed, or does not come up."""


class Servers:
    """Those that were started here; `stop` ends them and throws away what was in /tmp."""

    def __init__(self) -> None:
        self._running: list[tuple[subprocess.Popen[bytes], Path | None]] = []

    def postgresql(self, folder: Path | None = None, *options: str) -> str:
        """Start one and give its DATABASE_URL; in a folder that is kept, if one is named.

        The folder is made, or goes on being used. Raises ServerError.
        """
        home = folder or Path(tempfile.mkdtemp(prefix="pbxai-postgresql-"))
        programs = _programs()
        who = _owner(home)
        if not (home / "data").exists():
            command: list[Any] = [programs / "initdb", *_INITDB, "-U", OWNER, "-D", home / "data"]
            subprocess.run(command, check=True, stdout=subprocess.DEVNULL, cwd="/", **who)
        port = free_port()
        chosen = (*_OPTIONS, *options, f"port={port}")
        words = [word for option in chosen for word in ("-c", option)]
        self._start(
            [programs / "postgres", "-D", home / "data", *words],
            home,
            question=[programs / "pg_isready", "-q", "-h", "127.0.0.1", "-p", str(port)],
            throw_away=folder is None,
            **who,
        )
        return f"postgresql://{OWNER}@127.0.0.1:{port}/{OWNER}"

    def redis(self) -> str:
        """Start one that keeps nothing, and give its REDIS_URL. Raises ServerError."""
        home = Path(tempfile.mkdtemp(prefix="pbxai-redis-"))
        port = free_port()
        options = ("--port", str(port), "--bind", "127.0.0.1", "--save", "", "--dir", str(home))
        self._start(
            ["redis-server", *options],
            home,
            question=["redis-cli", "-p", str(port), "ping"],
            throw_away=True,
        )
        return f"redis://127.0.0.1:{port}/0"

    def _start(
        self, command: list[Any], home: Path, *, question: list[Any], throw_away: bool, **who: Any
    ) -> None:
        """Start it, and ask until it answers."""
        with (home / "log").open("wb") as log:
            # They end with this process, however that ends.
            bound = ["setpriv", "--pdeathsig", "INT", *command]
            process = subprocess.Popen(bound, stdout=log, stderr=log, cwd="/", **who)
        self._running.append((process, home if throw_away else None))
        deadline = time.monotonic() + SECONDS
        while subprocess.run(question, capture_output=True).returncode:
            if process.poll() is not None or time.monotonic() > deadline:
                said = (home / "log").read_text()[-2000:]
                self.stop()
                raise ServerError(f"{command[0]} does not come up:\n{said}")
            time.sleep(0.05)

    def stop(self) -> None:
        """Stop them, with all connections that are left."""
        while self._running:
            process, home = self._running.pop()
            process.send_signal(signal.SIGINT)
            try:
                process.wait(SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
            if home:
                shutil.rmtree(home, ignore_errors=True)


def _owner(home: Path) -> dict[str, Any]:
    """Who runs it: root hands the folder to the user of the package."""
    if os.getuid() != 0:
        return {}
    user = pwd.getpwnam(OWNER)
    os.chown(home, user.pw_uid, user.pw_gid)
    return {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}


def _programs() -> Path:
    """Where Debian keeps its newest ones, or where PATH finds them."""
    kept = Path("/usr/lib/postgresql").glob("*/bin")
    if found := sorted(kept, key=lambda path: int(path.parent.name)):
        return found[-1]
    if path := shutil.which("initdb"):
        return Path(path).parent
    raise ServerError("There is no PostgreSQL here: see scripts/system-packages.")
