"""What is put under load: the product, or the floor. Both run alone on the worker's core."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from typing import Any, Final, Protocol

from bench.host import Cores
from bench.house import NUMBERS_A_TENANT, House
from bench.provider import Provider
from bench.worker import ROOT, STOP_SECONDS, HouseError
from tests.support.ports import free_sip_port

FLOOR_RTP_PORT: Final = 16000


class Target(Protocol):
    name: str
    audio_format: str
    """As contract.AudioFormat names it."""

    def start(self, *, max_calls: int = 512) -> int:
        """Process id, when calls can come."""
        ...

    def stop(self) -> None: ...

    @property
    def server(self) -> tuple[str, int]: ...

    def number(self, call: int) -> str: ...


class Product:
    """The media worker with its web side, and numbers whose agents have these settings."""

    def __init__(
        self,
        house: House,
        address: Callable[[int], str],
        name: str,
        calls: int,
        settings: dict[str, Any],
        *,
        first: int = 0,
        worker: str = "first",
        debug: bool = False,
    ) -> None:
        """`first`: place of its first call, so that two targets at once are told apart."""
        self.name = name
        self._worker = worker
        self._debug = debug
        self.audio_format = str(settings.get("audio_format", "pcmu"))
        self._house = house
        self._numbers = house.furnish(name, range(first, first + calls), address, settings)

    def start(self, *, max_calls: int = 512) -> int:
        return self._house.start_worker(self._worker, max_calls=max_calls, debug=self._debug)

    def stop(self) -> None:
        self._house.worker(self._worker).stop()

    def said(self) -> str:
        """The worker's log since its start."""
        return self._house.worker(self._worker).said()

    @property
    def server(self) -> tuple[str, int]:
        return "127.0.0.1", self._house.worker(self._worker).sip_port

    def number(self, call: int) -> str:
        return self._numbers[call % len(self._numbers)]


class Floor:
    """`bench.floor` with this WebSocket client."""

    audio_format = "pcmu"

    def __init__(
        self, provider: Provider, cores: Cores, client: str = "websockets", *, first: int = 0
    ) -> None:
        """`first`: as of Product."""
        self._first = first
        self.name = "floor" if client == "websockets" else f"floor ({client})"
        self._provider = provider
        self._cores = cores
        self._client = client
        self._port = free_sip_port()
        self._process: subprocess.Popen[str] | None = None

    def start(self, *, max_calls: int = 512) -> int:
        options = {
            "--provider": self._provider.url(0).partition("?")[0],
            "--sip-port": str(self._port),
            "--rtp-port": str(FLOOR_RTP_PORT),
            "--client": self._client,
        }
        words = [word for pair in options.items() for word in pair]
        self._process = subprocess.Popen(
            [sys.executable, "-W", "ignore", "-m", "bench.floor", *words],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            text=True,
        )
        os.sched_setaffinity(self._process.pid, {self._cores.worker})
        assert self._process.stdout is not None  # noqa: S101 - asked for above
        for line in self._process.stdout:
            if line.strip() == "ready":
                return self._process.pid
        raise HouseError("The floor did not start.")

    def stop(self) -> None:
        process, self._process = self._process, None
        if process is not None:
            process.terminate()
            process.communicate(timeout=STOP_SECONDS)

    @property
    def server(self) -> tuple[str, int]:
        return "127.0.0.1", self._port

    def number(self, call: int) -> str:
        return str(self._first + call)


def place_of(number: str) -> int:
    """A number's place among those of its target: by it the provider knows the call."""
    return int(number) % NUMBERS_A_TENANT
