from __future__ import annotations

from typing import Final

from tests.portal.tables.page import ADMIN, OWNER, Page

PAGES: Final[tuple[Page, ...]] = (
    Page("members"),
    Page("member_invite", get=None, post=OWNER),
    Page("member_role", get=None, post=OWNER, takes=("member_id",)),
    Page("member_remove", get=None, post=OWNER, takes=("member_id",)),
    Page("invitation_again", get=None, post=OWNER, takes=("invitation_id",)),
    Page("invitation_revoke", get=None, post=OWNER, takes=("invitation_id",)),
    Page("tokens", get=ADMIN),
    Page("token_new", get=ADMIN, post=ADMIN),
    Page("token_revoke", get=None, post=ADMIN, takes=("token_id",)),
    Page("identity", get=OWNER),
    Page("identity_new", get=OWNER, post=OWNER),
    Page("identity_edit", get=OWNER, post=OWNER, takes=("provider_id",)),
    Page("identity_delete", get=None, post=OWNER, takes=("provider_id",)),
    Page("audit", get=ADMIN),
    Page("data", get=OWNER),
    Page("export_ask", get=None, post=OWNER),
    Page("export_file", get=OWNER, takes=("export_id",), is_html=False),
    Page("export_delete", get=None, post=OWNER, takes=("export_id",)),
    Page("close", get=None, post=OWNER),
    Page("close_take_back", get=None, post=OWNER),
    Page("support", get=OWNER, post=OWNER),
    Page("support_revoke", get=None, post=OWNER, takes=("grant_id",)),
)
