"""A media worker of the house, as a process alone on its core. Two of them can run there."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Final

from tests.support.ports import free_sip_port

ROOT: Final = Path(__file__).resolve().parents[1]
READY_SECONDS: Final = 60.0
STOP_SECONDS: Final = 30.0
LOOK_SECONDS: Final = 0.1
"""Between two looks whether it is linked."""


class HouseError(Exception):
    """The product does not start; says why."""


class WorkerProcess:
    """`environment`: what the product's own `run` tells a worker, and this one's token."""

    def __init__(self, folder: Path, environment: dict[str, str], core: int, rtp_port: int) -> None:
        self.sip_port = free_sip_port()
        self._folder = folder
        self._environment = environment
        self._core = core
        self._rtp_port = rtp_port
        self._log = folder.with_suffix(".log")
        self._log_begins = 0
        self._process: subprocess.Popen[bytes] | None = None

    def start(self, is_linked: Callable[[], bool], *, max_calls: int, debug: bool) -> int:
        """Its process id, once it is linked to the web side. Raises HouseError."""
        self._folder.mkdir(parents=True)
        log = self._log.open("ab")
        self._log_begins = log.tell()
        own = {
            "PBXAI_DATA": str(self._folder),
            "PBXAI_SIP_PORT": str(self.sip_port),
            "PBXAI_RTP_PORT": str(self._rtp_port),
            "PBXAI_MAX_CALLS": str(max_calls),
            "PBXAI_DRAIN_SECONDS": "0",
            "PBXAI_DEBUG": str(int(debug)),
        }
        self._process = subprocess.Popen(
            [sys.executable, "-m", "media_worker"],
            cwd=ROOT,
            env={**os.environ, **self._environment, **own},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
        )
        log.close()
        os.sched_setaffinity(self._process.pid, {self._core})
        deadline = time.monotonic() + READY_SECONDS
        while not is_linked():
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(LOOK_SECONDS)
            if self._process.returncode is not None or time.monotonic() > deadline:
                raise HouseError(f"The media worker did not start:\n{self.said()[-2000:]}")
        return self._process.pid

    def stop(self) -> None:
        """Its outbox and recordings go, too: the next start has nothing to catch up on."""
        process, self._process = self._process, None
        if process is None:
            return
        process.terminate()
        with suppress(subprocess.TimeoutExpired):
            process.wait(STOP_SECONDS)
        if process.poll() is None:
            process.kill()
            process.wait()
        shutil.rmtree(self._folder, ignore_errors=True)

    def said(self) -> str:
        """What it has logged since it was started last."""
        with self._log.open(errors="replace") as log:
            log.seek(self._log_begins)
            return log.read()
