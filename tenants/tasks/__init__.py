"""Jobs; thin, each calls a service."""

from tenants.tasks.failures import keep_failure
from tenants.tasks.money import find_missed_days, remake_days, settle_calls
from tenants.tasks.people import close_tenants, expire_exports, make_exports
from tenants.tasks.prompts import (
    prepare_prompts,
    render_due_prompts,
    render_prompt,
    tidy_prompts,
)
from tenants.tasks.records import apply_retention, draw_missed_waveforms, draw_waveforms
from tenants.tasks.watch import watch_workers

__all__ = [
    "apply_retention",
    "close_tenants",
    "draw_missed_waveforms",
    "draw_waveforms",
    "expire_exports",
    "find_missed_days",
    "keep_failure",
    "make_exports",
    "prepare_prompts",
    "remake_days",
    "render_due_prompts",
    "render_prompt",
    "settle_calls",
    "tidy_prompts",
    "watch_workers",
]
