from __future__ import annotations

from celery import shared_task

from tenants.services import closing, exports


@shared_task(ignore_result=True)
def make_exports() -> None:
    """Make the exports that were asked for; beat sends this every few seconds."""
    exports.make_due()


@shared_task(ignore_result=True)
def expire_exports() -> None:
    """Delete exports past their time; beat sends this once an hour."""
    exports.expire()


@shared_task(ignore_result=True)
def close_tenants() -> None:
    """Delete tenants whose time has come; beat sends this once an hour."""
    closing.close_due()
