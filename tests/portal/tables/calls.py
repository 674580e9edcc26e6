from __future__ import annotations

from typing import Final

from tests.portal.tables.page import ADMIN, EDITOR, Page

PAGES: Final[tuple[Page, ...]] = (
    Page("search"),
    Page("calls"),
    Page("calls_export", get=EDITOR, is_html=False),
    Page("call", takes=("call_id",)),
    Page("call_download", takes=("call_id",), is_html=False),
    Page("call_delete", get=None, post=ADMIN, takes=("call_id",)),
    Page("call_tags", get=None, post=EDITOR, takes=("call_id",)),
    Page("call_notes", get=None, post=EDITOR, takes=("call_id",)),
    Page("call_peaks", takes=("call_id",), is_html=False),
    Page("recording", takes=("call_id",), is_html=False),
    Page("recording_delete", get=None, post=ADMIN, takes=("call_id",)),
)
