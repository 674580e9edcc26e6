from __future__ import annotations

from celery import shared_task

from tenants.services import days, settling


@shared_task(ignore_result=True)
def settle_calls() -> None:
    """Count what calls that are over cost; beat sends this every few seconds."""
    settling.settle_due()


@shared_task(ignore_result=True)
def remake_days() -> None:
    """Sum up the days that are over; beat sends this twice a minute."""
    days.remake_due()


@shared_task(ignore_result=True)
def find_missed_days() -> None:
    """Find days whose sums lack calls; beat sends this once an hour."""
    days.mark_missed()
