"""Every address of the portal with what each role gets there: the table that the tests walk."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from django.urls import reverse

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


PAGES: Final = (
    Page("start"),
    Page("live"),
    Page("calls"),
    Page("call", takes=("call_id",)),
    Page("call_hang_up", get=None, post=EDITOR, takes=("call_id",)),
    Page("recording", takes=("call_id",), is_html=False),
    Page("recording_delete", get=None, post=ADMIN, takes=("call_id",)),
    Page("agents"),
    Page("agent_new", get=EDITOR, post=EDITOR),
    Page("agent", post=EDITOR, takes=("agent_id",)),
    Page("agent_publish", get=EDITOR, post=EDITOR, takes=("agent_id",)),
    Page("agent_history", takes=("agent_id",)),
    Page("agent_revision", takes=("agent_id", "number")),
    Page("agent_roll_back", get=None, post=EDITOR, takes=("agent_id", "number")),
    Page("agent_take", get=None, post=EDITOR, takes=("agent_id", "number")),
    Page("prompt", takes=("prompt_id",), is_html=False),
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
)


def url_of(page: Page, things: dict[str, Any], slug: str = "acme") -> str:
    arguments = {name: things[name] for name in page.takes}
    return reverse(f"portal:{page.name}", kwargs={"slug": slug, **arguments})
