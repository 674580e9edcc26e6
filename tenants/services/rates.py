"""How often somebody may ask: so many requests in each window of time."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Final

from django.core.cache import cache

WINDOW_SECONDS: Final = 60


@dataclass(frozen=True, slots=True)
class Rate:
    """What is left of an allowance."""

    limit: int
    remaining: int
    """Requests; negative: this one is too many."""
    resets_in: int
    """Seconds to the next window, at least one."""

    @property
    def is_used_up(self) -> bool:
        return self.remaining < 0


def take(key: str, *, limit: int, window: int = WINDOW_SECONDS) -> Rate:
    """Count a request of `key`. Windows are the same for everybody: of 60 s, the clock's minutes.

    The count is in the cache: with Redis it is one for all processes; without, each process counts
    for itself, and there is one that serves pages.
    """
    now = int(time.time())
    begun = now - now % window
    name = f"rate:{key}:{window}:{begun}"
    # Twice as long as needed: a clock that is off must not forget a window that runs.
    cache.add(name, 0, timeout=2 * window)
    try:
        count = int(cache.incr(name))
    except ValueError:  # thrown out of the cache since the line above
        count = 1
    return Rate(limit=limit, remaining=limit - count, resets_in=begun + window - now)
