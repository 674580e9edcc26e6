from __future__ import annotations

from typing import Final

from tests.console.tables.page import STAFF, Page

PAGES: Final[tuple[Page, ...]] = (
    Page("tenants"),
    Page("tenant_new", post=STAFF),
    Page("tenant", post=STAFF, takes=("tenant_id",)),
    Page("tenant_suspend", get=None, post=STAFF, takes=("tenant_id",)),
    Page("owner_invite", get=None, post=STAFF, takes=("tenant_id",)),
    Page("owner_again", get=None, post=STAFF, takes=("tenant_id", "invitation_id")),
    Page("models"),
    Page("model_new", post=STAFF),
    Page("model", post=STAFF, takes=("model_id",)),
    Page("price_new", get=None, post=STAFF, takes=("model_id",)),
    Page("accounts"),
    Page("account_new", post=STAFF),
    Page("account", post=STAFF, takes=("platform_account_id",)),
    Page("account_check", post=STAFF, takes=("platform_account_id",)),
    Page("account_delete", get=None, post=STAFF, takes=("platform_account_id",)),
    Page("defaults", post=STAFF),
    Page("explorer"),
)
