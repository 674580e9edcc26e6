"""What beat starts, and how often: one line a job."""

from __future__ import annotations

from typing import Any


def every(seconds: float, task: str) -> dict[str, Any]:
    """An entry of beat; `task` is below tenants.tasks.

    One that waited longer than its turn is dropped: after a time without jobs a backlog would only
    repeat what the newest one does.
    """
    return {
        "task": f"tenants.tasks.{task}",
        "schedule": seconds,
        "options": {"expires": seconds},
    }


SCHEDULE: dict[str, dict[str, Any]] = {
    "watch-workers": every(5.0, "watch.watch_workers"),
    "render-due-prompts": every(3.0, "prompts.render_due_prompts"),
    "settle-calls": every(3.0, "money.settle_calls"),
    "remake-days": every(30.0, "money.remake_days"),
    "find-missed-days": every(3600.0, "money.find_missed_days"),
    "draw-waveforms": every(5.0, "records.draw_waveforms"),
    "draw-missed-waveforms": every(3600.0, "records.draw_missed_waveforms"),
    "apply-retention": every(3600.0, "records.apply_retention"),
    "make-exports": every(5.0, "people.make_exports"),
    "expire-exports": every(3600.0, "people.expire_exports"),
    "close-tenants": every(3600.0, "people.close_tenants"),
    "tidy-prompts": every(3600.0, "prompts.tidy_prompts"),
}
