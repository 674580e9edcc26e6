from __future__ import annotations

from typing import Final

from tests.console.tables.page import Page

PAGES: Final[tuple[Page, ...]] = (
    Page("audit"),
    Page("support"),
)
