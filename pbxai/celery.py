"""The jobs process: `celery -A pbxai worker --beat --pool solo`."""

from __future__ import annotations

import os
from typing import Any

from celery import Celery
from celery.signals import celeryd_init, setup_logging
from django.conf import settings

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "pbxai.settings")

app = Celery("pbxai")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()


@setup_logging.connect
def keep_our_logging(**_: Any) -> None:
    """Being connected keeps Celery from setting up logging of its own."""


@celeryd_init.connect
def prepare(**_: Any) -> None:
    """Make the folders of the embedded broker, and refuse an unsafe configuration."""
    from pbxai.checks import refuse_unsafe

    refuse_unsafe()
    make_broker_folders()


def make_broker_folders() -> None:
    if not settings.REDIS_URL:
        for name in ("queue", "processed", "control"):
            (settings.DATA_DIR / "celery" / name).mkdir(parents=True, exist_ok=True)
