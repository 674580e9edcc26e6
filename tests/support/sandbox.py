"""The sandbox provider for tests that are no coroutines: it runs in a thread of its own."""

from __future__ import annotations

import asyncio
import threading

from media_worker.sandbox import SandboxServer


class SandboxThread:
    """A context manager; `server` is read only."""

    def __init__(self) -> None:
        self.server: SandboxServer
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="sandbox", daemon=True)

    def __enter__(self) -> SandboxServer:
        self._thread.start()
        self.server = self._run(self._start())
        return self.server

    def __exit__(self, *_: object) -> None:
        self._run(self.server.stop())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    async def _start(self) -> SandboxServer:
        server = SandboxServer()
        await server.start()
        return server

    def _run(self, work):
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(60)
