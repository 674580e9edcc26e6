from __future__ import annotations

from typing import Final

from tests.portal.tables.page import ADMIN, Page

PAGES: Final[tuple[Page, ...]] = (
    Page("calls"),
    Page("call", takes=("call_id",)),
    Page("recording", takes=("call_id",), is_html=False),
    Page("recording_delete", get=None, post=ADMIN, takes=("call_id",)),
)
