"""Jobs; thin, each calls a service."""

from tenants.tasks.prompts import (
    prepare_prompts,
    render_due_prompts,
    render_prompt,
    tidy_prompts,
)
from tenants.tasks.watch import watch_workers

__all__ = [
    "prepare_prompts",
    "render_due_prompts",
    "render_prompt",
    "tidy_prompts",
    "watch_workers",
]
