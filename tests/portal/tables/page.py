"""A row of the tables."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

VIEWER, EDITOR, ADMIN, OWNER = "viewer", "editor", "admin", "owner"
RANKS: Final = (VIEWER, EDITOR, ADMIN, OWNER)


@dataclass(frozen=True)
class Page:
    """An address; the least role that may get it and post to it. None: that method is 405."""

    name: str
    get: str | None = VIEWER
    post: str | None = None
    takes: tuple[str, ...] = ()
    is_html: bool = True
    """Else it is sound."""
