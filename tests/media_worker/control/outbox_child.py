"""Appends for ever and prints what is committed; the kill test ends it."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from media_worker.contract import CallAnswered
from media_worker.control.outbox import Outbox


async def main() -> None:
    outbox = Outbox(Path(sys.argv[1]))
    while True:
        for _ in range(10):
            seq = outbox.append("call", CallAnswered(codec="x" * 200))
        await outbox.flush()
        sys.stdout.write(f"{seq}\n")
        sys.stdout.flush()


asyncio.run(main())
