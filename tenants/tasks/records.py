from __future__ import annotations

from celery import shared_task

from tenants.services import keeping, waveforms


@shared_task(ignore_result=True)
def draw_waveforms() -> None:
    """Draw recordings that have just come; beat sends this every few seconds."""
    waveforms.draw_newest()


@shared_task(ignore_result=True)
def draw_missed_waveforms() -> None:
    """Draw recordings of before; beat sends this once an hour."""
    waveforms.draw_missed()


@shared_task(ignore_result=True)
def apply_retention() -> None:
    """Delete what tenants no longer keep; beat sends this once an hour."""
    keeping.apply_retention()
