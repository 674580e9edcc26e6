from __future__ import annotations

from celery import shared_task

from tenants.services import jobs, liveness


@shared_task(ignore_result=True)
def watch_workers() -> None:
    """Close the calls of lost workers; beat sends this every few seconds."""
    jobs.note_alive()
    liveness.watch()
