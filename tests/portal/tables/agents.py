from __future__ import annotations

from typing import Final

from tests.portal.tables.page import EDITOR, Page

PAGES: Final[tuple[Page, ...]] = (
    Page("agents"),
    Page("agent_new", get=EDITOR, post=EDITOR),
    Page("agent", post=EDITOR, takes=("agent_id",)),
    Page("agent_publish", get=EDITOR, post=EDITOR, takes=("agent_id",)),
    Page("agent_preview", get=None, post=EDITOR, takes=("agent_id",)),
    Page("agent_words", post=EDITOR, takes=("agent_id",)),
    Page("agent_try", get=EDITOR, takes=("agent_id",)),
    Page("agent_chat", get=None, post=EDITOR, takes=("agent_id",)),
    Page("agent_compare", takes=("agent_id",)),
    Page("agent_history", takes=("agent_id",)),
    Page("agent_revision", takes=("agent_id", "number")),
    Page("agent_roll_back", get=None, post=EDITOR, takes=("agent_id", "number")),
    Page("agent_take", get=None, post=EDITOR, takes=("agent_id", "number")),
    Page("prompt", takes=("prompt_id",), is_html=False),
)
