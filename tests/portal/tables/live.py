from __future__ import annotations

from typing import Final

from tests.portal.tables.page import EDITOR, Page

PAGES: Final[tuple[Page, ...]] = (
    Page("start"),
    Page("live"),
    Page("call_actions", get=EDITOR, takes=("call_id",)),
    Page("call_say", get=None, post=EDITOR, takes=("call_id",)),
    Page("call_mute", get=None, post=EDITOR, takes=("call_id",)),
    Page("call_transfer", get=None, post=EDITOR, takes=("call_id",)),
    Page("call_hang_up", get=None, post=EDITOR, takes=("call_id",)),
)
