"""`manage.py call`: a real SIP call with spoken sentences against the running system."""

from __future__ import annotations

import json
import queue
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any, Final

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import DatabaseError

from tenants.models import Call, Number, ToolCall, TranscriptEntry

DEFAULT_SAY: Final = "What are your opening hours? | Please connect me to the sales department."
POLL_SECONDS: Final = 0.2
HANG_UP_SECONDS: Final = 10.0
SETTLE_SECONDS: Final = 10.0
"""The last events of a call reach the database within this time after its end."""


class Command(BaseCommand):
    help = "Place a SIP call, speak, print the transcript as it grows and the call's outcome."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--say", default=DEFAULT_SAY, help="sentences, separated by |")
        parser.add_argument("--number", default="", help="number to call; the first one if absent")
        parser.add_argument("--language", default="en", help="language of the sentences")
        parser.add_argument("--transport", default="udp", choices=["udp", "tcp", "tls"])
        parser.add_argument("--timeout", type=float, default=180.0, help="seconds at most")

    def handle(self, *args: Any, **options: Any) -> None:
        # So that the telephone hangs up then too. A script's shell has its background commands
        # ignore SIGINT.
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, signal.default_int_handler)
        _refuse_silence(options["say"])
        _refuse_when_down()
        try:
            self._call(_address(options["number"], options["transport"]), options)
        except DatabaseError as error:
            raise CommandError(
                f"The database cannot be read ({error}). Give this command the same PBXAI_DATA "
                "as the running system."
            ) from None

    def _call(self, uri: str, options: dict[str, Any]) -> None:
        self._tell(f"Calling {uri}")
        phone = Phone(uri, options["say"], options["language"], options["timeout"])
        transcript = TranscriptPrinter(self._tell)
        try:
            for event in phone.events():
                transcript.follow(phone.sip_call_id)
                if event is not None and event["event"] == "transferred":
                    self._tell(f"phone: transferred to {event['target']}")
        finally:
            phone.stop()
        self._conclude(phone, transcript)

    def _tell(self, line: str) -> None:
        """At once also into a pipe, as the call goes on."""
        self.stdout.write(line)
        self.stdout.flush()

    def _conclude(self, phone: Phone, transcript: TranscriptPrinter) -> None:
        call = transcript.finish(phone.sip_call_id)
        if call is None:
            raise CommandError(phone.why_not())
        self._tell(f"outcome: {_outcome(call)}")
        if call.answered_at is None:
            raise CommandError("The call was not answered.")
        missing = [who for who in ("caller", "agent") if who not in transcript.heard]
        if missing:
            raise CommandError(f"Nothing was heard of the {' and the '.join(missing)}.")


class Phone:
    """`python -m media_worker.phone` as a child that tells what happens in JSON lines."""

    def __init__(self, uri: str, say: str, language: str, timeout: float) -> None:
        self.sip_call_id = ""
        self.last: dict[str, Any] = {}
        self._deadline = time.monotonic() + timeout
        command = [sys.executable, "-m", "media_worker.phone", "--to", uri, "--say", say]
        self._process = subprocess.Popen(
            [*command, "--language", language], stdout=subprocess.PIPE, text=True
        )
        self._lines: queue.Queue[str | None] = queue.Queue()
        threading.Thread(target=self._read, daemon=True).start()

    def events(self) -> Iterator[dict[str, Any] | None]:
        """Each event of the phone, and None at every poll between them, until it has ended."""
        while time.monotonic() < self._deadline:
            try:
                line = self._lines.get(timeout=POLL_SECONDS)
            except queue.Empty:
                yield None
                continue
            if line is None:
                return
            self.last = json.loads(line)
            self.sip_call_id = self.last.get("sip_call_id", self.sip_call_id)
            yield self.last

    def why_not(self) -> str:
        """What the phone knew last, for a call that the system has no record of."""
        status, reason = self.last.get("status", ""), self.last.get("reason", "")
        why = self.last.get("error") or f"{status} {reason}".strip() or "nothing was heard of it"
        return f"The call did not reach the system: {why}."

    def stop(self) -> None:
        """Have it hang up, if it has not."""
        if self._process.poll() is None:
            self._process.terminate()
        try:
            self._process.wait(HANG_UP_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def _read(self) -> None:
        assert self._process.stdout is not None  # noqa: S101 - asked for above
        for line in self._process.stdout:
            self._lines.put(line)
        self._lines.put(None)


class TranscriptPrinter:
    """Prints each entry and tool call once, in order, when it is final."""

    def __init__(self, write: Callable[[str], None]) -> None:
        self.heard: set[str] = set()
        self._write = write
        self._printed: set[tuple[str, int]] = set()

    def follow(self, sip_call_id: str, *, all_of_it: bool = False) -> Call | None:
        """Print what has become final, up to the first that has not."""
        call = Call.all_tenants.filter(sip_call_id=sip_call_id).first() if sip_call_id else None
        if call is None:
            return None
        for item in _items(call):
            if (type(item).__name__, item.pk) in self._printed:
                continue
            if not (_is_final(item) or all_of_it):
                break
            self._printed.add((type(item).__name__, item.pk))
            self._print(item)
        return call

    def finish(self, sip_call_id: str) -> Call | None:
        """Wait for the record to be complete, print the rest."""
        deadline = time.monotonic() + SETTLE_SECONDS
        call = self.follow(sip_call_id)
        while call is not None and call.state not in ("ended", "refused"):
            if time.monotonic() > deadline:
                break
            time.sleep(POLL_SECONDS)
            call = self.follow(sip_call_id)
        return self.follow(sip_call_id, all_of_it=True)

    def _print(self, item: TranscriptEntry | ToolCall) -> None:
        if isinstance(item, ToolCall):
            told = ", ".join(f"{key}={value}" for key, value in item.arguments.items())
            self._write(f"tool: {item.name}({told}) {item.state}: {item.result}")
            return
        cut = " [interrupted]" if item.cut_text else ""
        if item.text:
            self.heard.add(item.speaker)
            self._write(f"{item.speaker}: {item.text}{cut}")


def _refuse_silence(say: str) -> None:
    if not say.replace("|", " ").strip():
        raise CommandError('Nothing to say: give sentences, as in SAY="hello | goodbye".')


def _refuse_when_down() -> None:
    """A call over UDP to nobody rings for half a minute; the same port over TCP says so at once."""
    try:
        socket.create_connection((settings.SIP_ADDRESS, settings.SIP_PORT), 3).close()
    except OSError as error:
        raise CommandError(
            f"Nothing answers at {settings.SIP_ADDRESS}:{settings.SIP_PORT} ({error.strerror}). "
            "Start the system with: make run; or set PBXAI_SIP_ADDRESS and PBXAI_SIP_PORT to "
            "where it runs."
        ) from None


def _address(number: str, transport: str) -> str:
    if not number:
        first = Number.all_tenants.filter(is_active=True).order_by("number").first()
        if first is None:
            raise CommandError("No number is set up. Start the system once with: make run")
        number = first.number
    port = settings.SIP_PORT + (1 if transport == "tls" else 0)
    suffix = "" if transport == "udp" else f";transport={transport}"
    return f"sip:{number}@{settings.SIP_ADDRESS}:{port}{suffix}"


def _items(call: Call) -> list[TranscriptEntry | ToolCall]:
    entries = TranscriptEntry.all_tenants.filter(call=call)
    tools = ToolCall.all_tenants.filter(call=call)
    return sorted([*entries, *tools], key=lambda item: item.position)


def _is_final(item: TranscriptEntry | ToolCall) -> bool:
    return item.state != "running" if isinstance(item, ToolCall) else item.final


def _outcome(call: Call) -> str:
    why = call.refusal_reason or call.end_cause
    seconds = (call.duration_ms or 0) // 1000
    detail = f" ({call.end_detail})" if call.end_detail else ""
    return f"{call.state}, {why}{detail}, {seconds // 60}:{seconds % 60:02d}"
