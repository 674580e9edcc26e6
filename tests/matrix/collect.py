"""What there is: every address, operation, socket and job of the product."""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Sequence
from typing import Any

from django.urls import URLPattern, URLResolver, get_resolver

from pbxai import asgi
from pbxai.celery import app as celery_app
from tenants.api.v1.routes import NEEDS
from tenants.live.routing import websocket_urlpatterns

API = "api-v1"
ADMIN = "admin"


def addresses() -> set[str]:
    """`namespace:name` of every address, or its route where it has no name."""
    return set(_walk(get_resolver().url_patterns, ""))


def _walk(patterns: Sequence[Any], namespace: str) -> Iterator[str]:
    for pattern in patterns:
        if isinstance(pattern, URLResolver):
            yield from _walk(pattern.url_patterns, str(pattern.namespace or namespace))
        elif isinstance(pattern, URLPattern):
            name = str(pattern.name or pattern.pattern)
            if namespace == API and name == "":
                continue  # what answers 404 where nothing is
            yield f"{namespace}:{name}" if namespace else name


def operations() -> set[str]:
    """Ids of the REST API's operations."""
    return set(NEEDS)


def sockets() -> set[str]:
    """Routes of every WebSocket, the browsers' and those that asgi.py serves itself."""
    entries = [*websocket_urlpatterns, *asgi._sockets]
    return {str(entry.pattern) for entry in entries if str(entry.pattern)}


def tasks() -> dict[str, tuple[str, ...]]:
    """Every job of ours, with the names of its arguments."""
    celery_app.loader.import_default_modules()
    prefix = "tenants.tasks."
    return {
        name.removeprefix(prefix): tuple(inspect.signature(task.run).parameters)
        for name, task in celery_app.tasks.items()
        if name.startswith(prefix)
    }
