from __future__ import annotations

from typing import Final

from tests.console.tables.page import STAFF, Page

PAGES: Final[tuple[Page, ...]] = (
    Page("overview"),
    Page("calls"),
    Page("call", takes=("call_id",)),
    Page("workers"),
    Page("worker", takes=("worker_id",)),
    Page("worker_drain", get=None, post=STAFF, takes=("worker_id",)),
    Page("jobs"),
    Page("job_retry", get=None, post=STAFF, takes=("failure_id",)),
    Page("health"),
)
