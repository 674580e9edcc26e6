"""How sockets reach the database: beside the event loop, on a bounded number of threads."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final, TypeVar

from channels.db import database_sync_to_async

T = TypeVar("T")
THREADS: Final = 8
"""Each may hold a connection to the database; more would only wait for each other."""
_pool: Final = ThreadPoolExecutor(THREADS, thread_name_prefix="live")


async def in_database(act: Callable[..., T], *arguments: Any) -> T:
    """Run `act` on a thread of its own kind: pages and links do not wait for it."""
    looks = database_sync_to_async(act, thread_sensitive=False, executor=_pool)
    return await looks(*arguments)
