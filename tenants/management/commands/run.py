"""`manage.py run`: the whole product on this machine, with a demo tenant, until Ctrl-C."""

from __future__ import annotations

import json
import os
import signal
import socket
import sys
from datetime import datetime
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from pbxai import env
from pbxai.stack import Port, Program, Stack, StackError, answers, only_one, refuse_taken_ports
from tenants.models import User, Worker

JOBS_AT_ONCE = 4
DRAIN_SECONDS = 3
"""At Ctrl-C a developer waits for no long call; PBXAI_DRAIN_SECONDS says otherwise."""
SANDBOX_ADDRESS = "127.0.0.1"
METRICS_ADDRESS = "127.0.0.1"
METRICS_PORT = 9464
"""Where the worker's numbers for Prometheus are; PBXAI_METRICS_PORT says otherwise, 0 is off."""


class Command(BaseCommand):
    help = "Start web, jobs, media worker and sandbox provider; print where to go; stop at Ctrl-C."

    def handle(self, *args: Any, **options: Any) -> None:
        data = settings.DATA_DIR
        try:
            with only_one(data / "run" / "lock"):
                self._run(data)
        except StackError as error:
            raise CommandError(str(error)) from None
        except KeyboardInterrupt:
            self.stdout.write("Stopped.")

    def _run(self, data: Path) -> None:
        stop_at(signal.SIGTERM)
        stop_at(signal.SIGINT)  # a script's shell has its background commands ignore it
        # The terminal was closed; nohup means to go on then.
        if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:
            stop_at(signal.SIGHUP)
        refuse_taken_ports([*web_ports(), *sip_ports(), *metrics_ports()])
        call_command("migrate", verbosity=0, interactive=False)
        call_command("seed_demo", verbosity=0)
        stack = Stack(folder=data, programs=programs(), environment=environment(data))
        self.stdout.write("Starting; logs are in " + str(stack.logs))
        stack.start()
        try:
            self._say_where(data)
            stack.wait()
        finally:
            self.stdout.write("Stopping")
            stack.stop()

    def _say_where(self, data: Path) -> None:
        web = settings.EXTERNAL_URL
        known = json.loads((data / "keys" / "demo.json").read_text())
        phone = f"{settings.SIP_ADDRESS}:{settings.SIP_PORT}"
        tls = f"{settings.SIP_ADDRESS}:{settings.SIP_PORT + 1}"
        self.stdout.write(f"Portal   {web}/  {_sign_in(known['owner'])}")
        self.stdout.write(f"Console  {web}/console/  {_sign_in(known['operator'])}")
        self.stdout.write(
            f"Call     sip:{known['number']}@{phone}  (UDP or TCP; "
            f"TLS: sip:{known['number']}@{tls};transport=tls)"
        )
        if Worker.objects.get(name="local").is_on_wheel:
            self.stdout.write("The worker takes 4 calls at once; make pjsua2 builds one for 512.")
        self.stdout.write("Ctrl-C stops all of it.")
        self.stdout.flush()


def stop_at(number: signal.Signals) -> None:
    """Have this signal do what Ctrl-C does."""
    signal.signal(number, signal.default_int_handler)


def web_ports() -> list[Port]:
    tcp = socket.SOCK_STREAM
    return [
        Port(
            address=settings.HTTP_ADDRESS,
            number=settings.HTTP_PORT,
            kind=tcp,
            purpose="web",
            variable="PBXAI_HTTP_PORT",
        ),
        Port(
            address=SANDBOX_ADDRESS,
            number=settings.SANDBOX_PORT,
            kind=tcp,
            purpose="sandbox provider",
            variable="PBXAI_SANDBOX_PORT",
        ),
    ]


def sip_ports() -> list[Port]:
    tcp, udp = socket.SOCK_STREAM, socket.SOCK_DGRAM
    listeners = [
        (settings.SIP_PORT, udp, "SIP over UDP"),
        (settings.SIP_PORT, tcp, "SIP over TCP"),
        (settings.SIP_PORT + 1, tcp, "SIP over TLS, one above"),
    ]
    return [
        Port(
            address=settings.SIP_ADDRESS,
            number=number,
            kind=kind,
            purpose=purpose,
            variable="PBXAI_SIP_PORT",
        )
        for number, kind, purpose in listeners
    ]


def metrics_port() -> int:
    return env.integer("PBXAI_METRICS_PORT", METRICS_PORT, low=0, high=65535)


def metrics_ports() -> list[Port]:
    if not metrics_port():
        return []
    return [
        Port(
            address=env.text("PBXAI_METRICS_ADDRESS", METRICS_ADDRESS),
            number=metrics_port(),
            kind=socket.SOCK_STREAM,
            purpose="metrics",
            variable="PBXAI_METRICS_PORT",
        )
    ]


def programs() -> list[Program]:
    """Web first: the worker pulls from it; the sandbox before the worker that speaks to it."""
    python = sys.executable
    web = f"http://{settings.HTTP_ADDRESS}:{settings.HTTP_PORT}"
    sandbox = f"http://{SANDBOX_ADDRESS}:{settings.SANDBOX_PORT}"
    daphne = (python, "-m", "daphne", "-b", settings.HTTP_ADDRESS, "-p", str(settings.HTTP_PORT))
    celery = (python, "-m", "celery", "-A", "pbxai", "worker", "--beat", "--pool", "threads")
    started = timezone.now()
    drain = env.integer("PBXAI_DRAIN_SECONDS", DRAIN_SECONDS, low=0, high=24 * 3600)
    return [
        Program(
            name="web",
            command=(*daphne, "pbxai.asgi:application"),
            is_ready=lambda: answers(web + "/readyz"),
        ),
        Program(
            name="jobs",
            command=(*celery, "--concurrency", str(JOBS_AT_ONCE), "--loglevel", "INFO"),
            is_ready=lambda: _is_newer(settings.DATA_DIR / "celery" / "ready", started),
        ),
        Program(
            name="sandbox",
            command=(python, "-m", "media_worker.sandbox"),
            is_ready=lambda: answers(sandbox + "/healthz"),
        ),
        Program(
            name="worker",
            command=(python, "-m", "media_worker"),
            # Seen since: a worker that was killed may still stand there as connected.
            is_ready=lambda: Worker.objects.filter(
                name="local", connected=True, last_seen_at__gte=started
            ).exists(),
            stop_seconds=drain + 10,
        ),
    ]


def environment(data: Path) -> dict[str, str]:
    """What the parts are told beyond what this command was told itself."""
    told = {
        "PBXAI_DATA": str(data),
        "PBXAI_WEB_URL": f"http://{settings.HTTP_ADDRESS}:{settings.HTTP_PORT}",
        "PBXAI_WORKER_TOKEN_FILE": str(data / "keys" / "worker.token"),
        "PBXAI_DRAIN_SECONDS": str(DRAIN_SECONDS),
        "PBXAI_METRICS_PORT": str(METRICS_PORT),
        "PYTHONUNBUFFERED": "1",
    }
    unsaid = {
        name: value
        for name, value in told.items()
        if name not in os.environ and f"{name}_FILE" not in os.environ
    }
    return unsaid | {"PBXAI_DATA": str(data.resolve())}


def _is_newer(path: Path, moment: datetime) -> bool:
    return path.exists() and path.stat().st_mtime >= moment.timestamp()


def _sign_in(account: dict[str, str]) -> str:
    """The password that the demo made, unless its person has chosen another since."""
    user = User.objects.filter(email=account["email"]).first()
    if user is None or not user.check_password(account["password"]):
        return f"sign in as {account['email']} with the password that you chose"
    return f"sign in as {account['email']} with password {account['password']}"
