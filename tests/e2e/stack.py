"""The whole product, started by its own `manage.py run`, for tests with real calls."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

from tests.support.migrated import give_database
from tests.support.ports import free_port, free_sip_port

ROOT = Path(__file__).resolve().parents[2]


def ignore_interrupts() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def heed_interrupts() -> None:
    """However the tests themselves were started."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


class RunningStack:
    """`manage.py run` as a child, and what it printed: where the portal is, how to sign in."""

    def __init__(self, data: Path) -> None:
        self.data = data
        self.ports = {
            "PBXAI_HTTP_PORT": str(free_port()),
            "PBXAI_SANDBOX_PORT": str(free_port()),
            "PBXAI_SIP_PORT": str(free_sip_port()),
            "PBXAI_METRICS_PORT": str(free_port()),
            # Out of the kernel's ephemeral ports (32768 and up) and of a neighbour's run.
            "PBXAI_RTP_PORT": str(20000 + (os.getpid() % 100) * 100),
        }
        kept = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("PBXAI_", "PYTHONUNBUFFERED"))
        }
        self.environment = {**kept, **self.ports, "PBXAI_DATA": str(data)}
        self.in_background = False
        """Start as a script's shell starts a command with `&`: with SIGINT ignored."""
        self.printed: dict[str, str] = {}
        self.process: subprocess.Popen[str] | None = None

    def start(self) -> None:
        """Return when the three lines are printed; AssertionError with the output if not."""
        self.process = self.run_command("run", wait=False)
        assert self.process.stdout is not None
        seen = []
        for line in self.process.stdout:
            seen.append(line)
            word = line.split(maxsplit=1)[0] if line.strip() else ""
            if word in ("Portal", "Console", "Call"):
                self.printed[word] = line.strip()
            if word == "Call":
                return
        raise AssertionError("manage.py run ended: " + "".join(seen))

    def stop(self) -> int:
        """Ctrl-C; the exit status."""
        assert self.process is not None
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
        self.process.communicate(timeout=120)
        return self.process.returncode

    def run_command(self, *words: str, wait: bool = True) -> subprocess.Popen[str]:
        """`manage.py <words>` in this system's environment; `wait`: until it has ended."""
        if words[0] == "run":
            give_database(self.data)
        process = subprocess.Popen(
            [sys.executable, "manage.py", *words],
            cwd=ROOT,
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            preexec_fn=ignore_interrupts if self.in_background else heed_interrupts,
        )
        if wait:
            process.wait(timeout=240)
        return process

    @property
    def web(self) -> str:
        return f"http://127.0.0.1:{self.ports['PBXAI_HTTP_PORT']}"

    @property
    def sandbox(self) -> str:
        return f"127.0.0.1:{self.ports['PBXAI_SANDBOX_PORT']}"

    @property
    def sip_port(self) -> int:
        return int(self.ports["PBXAI_SIP_PORT"])

    def sign_in(self, door: str = "Portal") -> tuple[str, str]:
        """E-mail address and password that the line of this door printed."""
        found = re.search(r"sign in as (\S+) with password (\S+)", self.printed[door])
        assert found is not None, self.printed[door]
        return found[1], found[2]

    def log(self, name: str) -> str:
        return (self.data / "log" / f"{name}.log").read_text(errors="replace")
