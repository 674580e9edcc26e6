"""A row of the tables."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

STAFF, SUPERUSER = "staff", "superuser"
RANKS: Final = (STAFF, SUPERUSER)


@dataclass(frozen=True)
class Page:
    """An address; who may get it and post to it. None: that method is 405."""

    name: str
    get: str | None = STAFF
    post: str | None = None
    takes: tuple[str, ...] = ()
