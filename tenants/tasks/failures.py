"""What goes wrong in any job is kept for the console."""

from __future__ import annotations

from typing import Any

import structlog
from celery.signals import task_failure
from django.db import DatabaseError

from tenants.services import jobs

log = structlog.get_logger(__name__)


@task_failure.connect
def keep_failure(
    sender: Any = None,
    task_id: str = "",
    exception: BaseException | None = None,
    args: Any = (),
    kwargs: Any = None,
    **_more: Any,
) -> None:
    try:
        jobs.note_failure(
            task=sender.name,
            task_id=task_id,
            args=list(args or ()),
            kwargs=kwargs or {},
            error=exception or RuntimeError(),
        )
    except DatabaseError:
        log.exception("job_failure_lost", task=sender.name)
