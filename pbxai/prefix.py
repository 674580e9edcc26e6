"""The path that the installation is served under, when PBXAI_EXTERNAL_URL has one.

A proxy may hand on the whole path or strip the prefix; a worker and a health check that talk to
daphne directly need not know it. In all cases the pages get the whole path.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from django.urls import set_script_prefix

Scope = MutableMapping[str, Any]
Application = Callable[[Scope, Any, Any], Awaitable[Any]]


def below(prefix: str, application: Application) -> Application:
    """`application` served under `prefix` ("/pbx", or "" for the root)."""
    if not prefix:
        return application

    async def placed(scope: Scope, receive: Any, send: Any) -> Any:
        if scope["type"] in {"http", "websocket"}:
            # Django does it for its requests; a socket's addresses are made in its own context.
            set_script_prefix(prefix)
            scope = {**scope, "root_path": prefix, "path": whole_path(prefix, scope["path"])}
        return await application(scope, receive, send)

    return placed


def whole_path(prefix: str, path: str) -> str:
    """`path` with the prefix that a proxy may have stripped; its own address ends in a slash."""
    if path == prefix:
        return f"{prefix}/"
    return path if path.startswith(f"{prefix}/") else prefix + path
