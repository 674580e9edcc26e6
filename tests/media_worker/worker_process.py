"""A real media worker process for tests, between a web stub, a sandbox and a test phone."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from pathlib import Path
from typing import Self

from tests.media_worker.control.web_stub import RIGHT
from tests.support.ports import free_sip_port


class WorkerProcess:
    """`python -m media_worker` with its output kept; ended, if need be, when the test is over."""

    def __init__(self, data: Path, web_url: str, **environment: str) -> None:
        self.sip_port = free_sip_port()
        self.environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("PBXAI_")},
            "PBXAI_DATA": str(data),
            "PBXAI_WEB_URL": web_url,
            "PBXAI_WORKER_TOKEN": RIGHT,
            "PBXAI_SIP_PORT": str(self.sip_port),
            "PBXAI_RTP_PORT": "21000",
            "PBXAI_DRAIN_SECONDS": "5",
            "PBXAI_BROWSER_CALLS": "0",
            **environment,
        }
        self.output = ""

    async def __aenter__(self) -> Self:
        self.process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "media_worker",
            env=self.environment, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
        )  # fmt: skip
        self._changed = asyncio.Condition()
        self._reading = asyncio.create_task(self._read())
        return self

    async def __aexit__(self, *_: object) -> None:
        if self.process.returncode is None:
            self.process.kill()
        await self.process.wait()
        await self._reading
        sys.stdout.write(self.output)

    def uri(self, user: str, transport: str = "udp") -> str:
        return f"sip:{user}@127.0.0.1:{self.sip_port};transport={transport}"

    async def said(self, words: str, seconds: float = 60.0, *, times: int = 1) -> None:
        """Until these words are in the log, so many times."""
        async with asyncio.timeout(seconds), self._changed:
            await self._changed.wait_for(
                lambda: self.output.count(words) >= times or self._reading.done()
            )
        assert self.output.count(words) >= times, self.output

    def signal(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    async def ended(self, seconds: float = 60.0) -> int:
        async with asyncio.timeout(seconds):
            status = await self.process.wait()
            await self._reading
        return status

    async def _read(self) -> None:
        assert self.process.stdout is not None
        async for line in self.process.stdout:
            async with self._changed:
                self.output += line.decode(errors="replace")
                self._changed.notify_all()
        async with self._changed:
            self._changed.notify_all()
