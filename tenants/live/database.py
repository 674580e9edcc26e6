"""How sockets reach the database: beside the event loop, on a bounded number of threads."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final, TypeVar

from channels.db import database_sync_to_async
from django.db import connection

T = TypeVar("T")
THREADS: Final = 8
"""Each may hold a connection to the database; more would only wait for each other."""
LINK_THREADS: Final = 4
"""What workers report waits for no page."""
KEPT_SECONDS: Final = 60


def _keep_connection() -> None:
    """SQLite has no pool, and opening it for each look takes longer than the look."""
    if connection.vendor == "sqlite":
        connection.settings_dict = connection.settings_dict | {"CONN_MAX_AGE": KEPT_SECONDS}


_pages: Final = ThreadPoolExecutor(THREADS, "live", initializer=_keep_connection)
_links: Final = ThreadPoolExecutor(LINK_THREADS, "link", initializer=_keep_connection)


async def in_database(act: Callable[..., T], *arguments: Any) -> T:
    """Run `act` for a page's socket, on a thread of its own kind: links do not wait for it."""
    return await _run(_pages, act, *arguments)


async def in_link_database(act: Callable[..., T], *arguments: Any, **named: Any) -> T:
    """Run `act` for a worker's link; links of several workers run side by side."""
    return await _run(_links, act, *arguments, **named)


async def _run(pool: ThreadPoolExecutor, act: Callable[..., T], *arguments: Any, **named: Any) -> T:
    looks = database_sync_to_async(act, thread_sensitive=False, executor=pool)
    return await looks(*arguments, **named)
