"""The whole product as processes of one machine, under supervisord: what `manage.py run` starts.

`Stack` writes the supervisor's configuration, starts it, waits until every part answers, stops it.
"""

from __future__ import annotations

import ctypes
import errno
import fcntl
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

READY_TIMEOUT_SECONDS: Final = 90.0
POLL_SECONDS: Final = 0.2
WATCH_SECONDS: Final = 2.0
STOP_MARGIN_SECONDS: Final = 10
PR_SET_PDEATHSIG: Final = 1
REFUSED_SETTINGS: Final = 2
"""The exit status of a part whose settings cannot be used."""


class StackError(Exception):
    """Why the processes could not be started, in words for the person at the terminal."""


@dataclass(frozen=True, kw_only=True)
class Port:
    """Where a part of the product listens, and the variable that chooses the port."""

    address: str
    number: int
    kind: socket.SocketKind
    purpose: str
    variable: str


@dataclass(frozen=True, kw_only=True)
class Program:
    """One process of the product."""

    name: str
    command: tuple[str, ...]
    is_ready: Callable[[], bool]
    stop_seconds: int = STOP_MARGIN_SECONDS


@contextmanager
def only_one(lock_path: Path) -> Iterator[None]:
    """Hold the data folder for this run; StackError when another run holds it."""
    lock_path.parent.mkdir(parents=True, exist_ok=True)
    with lock_path.open("a+") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.seek(0)
            raise StackError(
                f"pbxai already runs with the data in {lock_path.parent.parent} "
                f"(process {lock.read().strip() or 'unknown'}). Stop it with Ctrl-C in its "
                "terminal, or give this one its own PBXAI_DATA, PBXAI_HTTP_PORT, PBXAI_SIP_PORT, "
                "PBXAI_SANDBOX_PORT and PBXAI_RTP_PORT."
            ) from None
        lock.truncate(0)
        lock.write(str(os.getpid()))
        lock.flush()
        yield


def refuse_taken_ports(ports: list[Port]) -> None:
    """Raise StackError naming every port that somebody else listens on, or nobody can."""
    taken = [port for port in ports if _is_taken(port)]
    if taken:
        lines = [
            f"  {port.number} ({port.purpose}): set {port.variable} to a free port"
            for port in taken
        ]
        raise StackError("These ports are taken by another program:\n" + "\n".join(lines))


def _is_taken(port: Port) -> bool:
    with socket.socket(socket.AF_INET, port.kind) as probe:
        if port.kind is socket.SOCK_STREAM:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((port.address, port.number))
        except PermissionError:
            raise StackError(
                f"{port.variable}={port.number} needs root; choose a port above 1023."
            ) from None
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                return True
            variable = port.variable.replace("_PORT", "_ADDRESS")
            raise StackError(
                f"This machine cannot listen on {port.address} ({port.purpose}): "
                f"{error.strerror}. Set {variable} to an IPv4 address of its own."
            ) from None
    return False


def answers(url: str) -> bool:
    """Whether a GET of `url` gives 200."""
    try:
        with urllib.request.urlopen(url, timeout=2) as reply:  # noqa: S310 - our own address
            return bool(reply.status == 200)
    except (urllib.error.URLError, OSError):
        return False


class Stack:
    """The programs under one supervisord, which restarts a part that dies."""

    def __init__(
        self, *, folder: Path, programs: list[Program], environment: dict[str, str]
    ) -> None:
        self.folder = folder
        self.programs = programs
        self.environment = environment
        self.logs = folder / "log"
        self._supervisor_log = self.logs / "supervisor.log"
        self._supervisor: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start all and return when each is ready; StackError, all stopped, if one is not."""
        self.logs.mkdir(parents=True, exist_ok=True)
        configuration = self.folder / "run" / "supervisord.conf"
        configuration.parent.mkdir(parents=True, exist_ok=True)
        configuration.write_text(self._configuration())
        # Of this run only: it tells whether a part was given up.
        self._supervisor_log.write_text("")
        self._supervisor = subprocess.Popen(
            [sys.executable, "-m", "supervisor.supervisord", "-n", "-s", "-c", configuration],
            env={**os.environ, **self.environment},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            # Ctrl-C reaches only us, and we stop the parts in order.
            start_new_session=True,
            preexec_fn=die_with_parent,
        )
        try:
            self._wait_until_ready()
        except BaseException:
            self.stop()
            raise

    @property
    def pid(self) -> int:
        """Of the supervisor, whose children the parts are. 0 before `start`."""
        return self._supervisor.pid if self._supervisor else 0

    def wait(self) -> None:
        """Block until the supervisor ends or gives a part up; StackError then says which."""
        assert self._supervisor is not None  # noqa: S101 - start() came first
        while True:
            try:
                status = self._supervisor.wait(WATCH_SECONDS)
            except subprocess.TimeoutExpired:
                self._refuse_given_up()
                continue
            raise StackError(f"The process manager ended with status {status}. Logs: {self.logs}")

    def stop(self) -> None:
        """Stop every part, the last started first, and wait for the end of each."""
        if self._supervisor is None or self._supervisor.poll() is not None:
            return
        self._supervisor.terminate()
        limit = sum(program.stop_seconds for program in self.programs)
        try:
            self._supervisor.wait(limit)
        except subprocess.TimeoutExpired:
            os.killpg(self._supervisor.pid, signal.SIGKILL)
            self._supervisor.wait()

    def _wait_until_ready(self) -> None:
        assert self._supervisor is not None  # noqa: S101 - start() came first
        deadline = time.monotonic() + READY_TIMEOUT_SECONDS
        waiting = list(self.programs)
        while waiting:
            if self._supervisor.poll() is not None:
                raise StackError(f"The process manager did not start. See {self.logs}")
            self._refuse_given_up()
            waiting = [program for program in waiting if not program.is_ready()]
            if waiting and time.monotonic() > deadline:
                late = f"is not ready after {READY_TIMEOUT_SECONDS:.0f} s"
                raise StackError("\n".join(self._explain(program, late) for program in waiting))
            if waiting:
                time.sleep(POLL_SECONDS)

    def _refuse_given_up(self) -> None:
        """StackError when a part ends each time it is started, with its own last words."""
        told = self._supervisor_log.read_text(errors="replace").splitlines()
        given_up = [
            self._explain(program, "does not stay up")
            for program in self.programs
            if any(end in line for end in _ends(program) for line in told)
        ]
        if given_up:
            raise StackError("\n".join(given_up))

    def _explain(self, program: Program, what: str) -> str:
        log = self.logs / f"{program.name}.log"
        last = log.read_text(errors="replace").splitlines()[-12:] if log.exists() else []
        return "\n".join([f"{program.name} {what}. From {log}:", *(f"  {line}" for line in last)])

    def _configuration(self) -> str:
        head = [
            "[supervisord]",
            "nodaemon=true",
            f"logfile={_escape(self._supervisor_log)}",
            "logfile_maxbytes=5MB",
            "logfile_backups=1",
            f"pidfile={_escape(self.folder / 'run' / 'supervisord.pid')}",
            f"directory={_escape(Path.cwd())}",
        ]
        if os.geteuid() == 0:
            # Said aloud, or supervisord warns that it runs as root.
            head.append("user=root")
        sections = [self._section(number, each) for number, each in enumerate(self.programs, 1)]
        return "\n\n".join(["\n".join(head), *sections]) + "\n"

    def _section(self, number: int, program: Program) -> str:
        return "\n".join(
            [
                f"[program:{program.name}]",
                "command=" + " ".join(_quote(word) for word in (*_tied(), *program.command)),
                f"priority={number * 10}",
                "startsecs=2",
                "startretries=3",
                "autorestart=true",
                "stopsignal=TERM",
                "stopasgroup=false",
                "killasgroup=true",
                f"stopwaitsecs={program.stop_seconds}",
                "redirect_stderr=true",
                f"stdout_logfile={_escape(self.logs / (program.name + '.log'))}",
                "stdout_logfile_maxbytes=20MB",
                "stdout_logfile_backups=3",
            ]
        )


def _ends(program: Program) -> tuple[str, str]:
    """What supervisord writes when no further start helps; status 2 is refused settings."""
    return (
        f"gave up: {program.name} entered FATAL state",
        f"exited: {program.name} (exit status {REFUSED_SETTINGS};",
    )


def _escape(value: object) -> str:
    return str(value).replace("%", "%%")


def _quote(word: str) -> str:
    return '"' + _escape(word).replace('"', '\\"') + '"'


def _tied() -> tuple[str, ...]:
    """Words before a command that have the kernel end it in order when the supervisor is killed."""
    setpriv = shutil.which("setpriv")
    return (setpriv, "--pdeathsig", "TERM") if setpriv else ()


def die_with_parent() -> None:
    """Have the kernel end this process in order when its parent is killed (prctl(2))."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
