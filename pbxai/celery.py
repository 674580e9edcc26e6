"""The jobs process: `celery -A pbxai worker --beat --pool threads --concurrency 4`.

Threads, so that a provider that takes its time does not hold up the watch over the workers.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, Final

from celery import Celery, Task
from celery.signals import beat_embedded_init, celeryd_init, setup_logging, worker_ready
from django.conf import settings

from pbxai.stack import die_with_parent

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "pbxai.settings")

if TYPE_CHECKING:
    _Task = Task[Any, Any]
else:
    _Task = Task


class Job(_Task):
    """What a job changes, it changes as a job."""

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        from django.urls import set_script_prefix

        from tenants.actor import Actor, acting
        from tenants.models.choices import Via

        # Each thread of the pool begins without it; letters have links.
        set_script_prefix(settings.PREFIX or "/")
        with acting(Actor(via=Via.JOB, request_id=(self.request.id or "").replace("-", "")[:32])):
            return self.run(*args, **kwargs)


YIELDS: Final = 10
"""To people who wait for a page and callers who wait for an answer: the CPU's niceness of jobs."""

app = Celery("pbxai", task_cls=Job)
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()


@setup_logging.connect
def keep_our_logging(**_: Any) -> None:
    """Being connected keeps Celery from setting up logging of its own."""


@celeryd_init.connect
def prepare(**_: Any) -> None:
    """Refuse an unsafe configuration; make the folders of beat and of the embedded broker."""
    from pbxai.checks import refuse_unsafe

    os.nice(YIELDS)
    refuse_unsafe()
    for name in ("queue", "processed", "control"):
        (settings.DATA_DIR / "celery" / name).mkdir(parents=True, exist_ok=True)


@beat_embedded_init.connect
def stay_with_the_worker(**_: Any) -> None:
    """Beat is the worker's child and would outlive one that is killed, next to its successor's."""
    die_with_parent()


@worker_ready.connect
def say_ready(**_: Any) -> None:
    """Leave word of the start for `manage.py run`."""
    (settings.DATA_DIR / "celery" / "ready").touch()
