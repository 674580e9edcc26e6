from __future__ import annotations

from typing import Final

from tests.portal.tables.page import ADMIN, EDITOR, Page

PAGES: Final[tuple[Page, ...]] = (
    Page("numbers"),
    Page("number_new", get=EDITOR, post=EDITOR),
    Page("number", post=EDITOR, takes=("number_id",)),
    Page("number_delete", get=None, post=EDITOR, takes=("number_id",)),
    Page("settings", post=ADMIN),
    Page("accounts"),
    Page("account_new", get=ADMIN, post=ADMIN),
    Page("account", post=ADMIN, takes=("account_id",)),
    Page("account_check", post=ADMIN, takes=("account_id",)),
    Page("account_delete", get=None, post=ADMIN, takes=("account_id",)),
    Page("account_rotate", get=ADMIN, post=ADMIN, takes=("account_id",)),
    Page("keeping", post=ADMIN),
    Page("company", post=ADMIN),
)
