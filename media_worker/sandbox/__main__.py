"""`python -m media_worker.sandbox`: the sandbox provider as a process of its own.

PBXAI_SANDBOX_PORT (8090) and PBXAI_SANDBOX_ADDRESS (127.0.0.1) say where. SIGTERM or Ctrl-C end it.
"""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import sys

from media_worker.sandbox.server import SandboxServer

log = logging.getLogger("media_worker.sandbox")


async def run(address: str, port: int) -> None:
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopped.set)
    server = SandboxServer(address, port)
    await server.warm_up()  # who finds the port open is answered at once
    async with server:
        log.info("sandbox provider at %s", server.url)
        await stopped.wait()


def main() -> int:
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    logging.getLogger("websockets").setLevel(logging.WARNING)
    address = os.environ.get("PBXAI_SANDBOX_ADDRESS", "127.0.0.1")
    try:
        port = int(os.environ.get("PBXAI_SANDBOX_PORT", "8090"))
        asyncio.run(run(address, port))
    except ValueError:
        sys.stderr.write("PBXAI_SANDBOX_PORT is not a number.\n")
        return 2
    except OSError as problem:
        sys.stderr.write(f"The sandbox cannot listen at {address}:{port}: {problem.strerror}.\n")
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
