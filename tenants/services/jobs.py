"""The jobs process: whether it works, what waits for it, what went wrong."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from celery import current_app
from django.conf import settings
from django.core.cache import cache
from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _
from kombu.exceptions import ChannelError, OperationalError

from tenants.models import JobFailure, User
from tenants.services import audit
from tenants.services.text import plain

QUEUE: Final = "celery"
KEPT: Final = 1000
"""Failures; the oldest go first."""
SAME_WITHIN: Final = timedelta(minutes=1)
"""A job that beat starts each few seconds fails as often: once a minute is told."""
_SEEN: Final = "jobs:seen"


def note_failure(
    *, task: str, task_id: str, args: Any, kwargs: Any, error: BaseException
) -> JobFailure | None:
    """Keep what went wrong; None when the same did a moment ago."""
    told = json.loads(json.dumps({"args": args, "kwargs": kwargs}, default=str))
    text = plain(f"{type(error).__name__}: {error}", 2000)
    since = timezone.now() - SAME_WITHIN
    if JobFailure.objects.filter(task=task, args=told, error=text, at__gte=since).exists():
        return None
    failure = JobFailure.objects.create(task=task, task_id=task_id[:64], args=told, error=text)
    last = JobFailure.objects.order_by("-pk").values_list("pk", flat=True)[KEPT : KEPT + 1]
    JobFailure.objects.filter(pk__lte=max(last, default=0)).delete()
    return failure


def retry(*, failure: JobFailure, user: User | None) -> None:
    """Have a job run once more. Raises ValidationError."""
    task = current_app.tasks.get(failure.task)
    if task is None:
        raise ValidationError(_("There is no such job any more."))
    with transaction.atomic():
        taken = JobFailure.objects.filter(pk=failure.pk, retried_at=None)
        if not taken.update(retried_at=timezone.now()):
            raise ValidationError(_("This job was run again already."))
        audit.record("job.retry", failure, tenant=None, user=user, job=failure.task)
        again = failure.args
        transaction.on_commit(
            lambda: task.apply_async(args=again.get("args"), kwargs=again.get("kwargs"))
        )


def waiting() -> int | None:
    """How many jobs wait; None when the broker cannot be asked."""
    try:
        with current_app.connection_for_read() as connection:
            connection.ensure_connection(max_retries=1, timeout=2)
            channel: Any = connection.default_channel
            return int(channel.queue_declare(QUEUE, passive=True).message_count)
    except ChannelError:
        return 0  # nothing was ever sent
    except (OperationalError, OSError):
        return None


def note_alive() -> None:
    """The jobs process works; beat has it say so every few seconds."""
    cache.set(_SEEN, timezone.now(), timeout=None)
    if not settings.REDIS_URL:
        # One machine: the web process has a cache of its own, but the same folder.
        _seen_file().parent.mkdir(parents=True, exist_ok=True)
        _seen_file().touch()


def seen_at() -> datetime | None:
    """When the jobs process said last that it works."""
    if settings.REDIS_URL:
        found: datetime | None = cache.get(_SEEN)
        return found
    try:
        return datetime.fromtimestamp(_seen_file().stat().st_mtime, tz=UTC)
    except FileNotFoundError:
        return None


def _seen_file() -> Any:
    return settings.DATA_DIR / "celery" / "seen"
