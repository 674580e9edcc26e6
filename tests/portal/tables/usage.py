from __future__ import annotations

from typing import Final

from tests.portal.tables.page import Page

PAGES: Final[tuple[Page, ...]] = (Page("usage"),)
