"""Says at each door who comes in (tenants/actor.py), and gives each request an id for the log."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping
from ipaddress import ip_address
from typing import Any, Final

import structlog
from django.conf import settings
from django.http import HttpRequest, HttpResponse

from tenants.actor import Actor, acting
from tenants.models.choices import Via

DOORS: Final = (
    ("/api/worker/", Via.WORKER),
    ("/api/", Via.API),
    ("/console/", Via.CONSOLE),
    ("/admin/", Via.ADMIN),
)
"""By the beginning of the path; all others lead to the portal."""
PERMISSIONS: Final = "microphone=(self), camera=(), geolocation=()"


def actor_middleware(
    get_response: Callable[[HttpRequest], HttpResponse],
) -> Callable[[HttpRequest], HttpResponse]:
    """Comes after sign-in is known. The id is in the log lines and in the audit log."""

    def middleware(request: HttpRequest) -> HttpResponse:
        request_id = uuid.uuid4().hex
        actor = Actor(
            via=door(request.path_info),
            user=request.user if request.user.is_authenticated else None,
            address=client_address(
                request.META.get("REMOTE_ADDR", ""), request.META.get("HTTP_X_FORWARDED_FOR", "")
            ),
            request_id=request_id,
        )
        with acting(actor), structlog.contextvars.bound_contextvars(request=request_id):
            return get_response(request)

    return middleware


def permissions_middleware(
    get_response: Callable[[HttpRequest], HttpResponse],
) -> Callable[[HttpRequest], HttpResponse]:
    """What a page may ask the browser for: the microphone, to talk to an agent."""

    def middleware(request: HttpRequest) -> HttpResponse:
        response = get_response(request)
        response.headers.setdefault("Permissions-Policy", PERMISSIONS)
        return response

    return middleware


def door(path: str) -> Via:
    return next((via for beginning, via in DOORS if path.startswith(beginning)), Via.PORTAL)


def client_address(remote: str, forwarded: str) -> str:
    """Where a request came from: behind the proxy that ends TLS, what that proxy says.

    Empty when it is no IP address: a Unix socket, or a header that somebody made up.
    """
    proxies = getattr(settings, "ALLAUTH_TRUSTED_PROXY_COUNT", 0)
    hops = [hop.strip() for hop in forwarded.split(",") if hop.strip()]
    # Each proxy appends whom it heard; what stands further left may come from the client.
    claimed = hops[-proxies] if proxies and len(hops) >= proxies else remote
    try:
        return str(ip_address(claimed))
    except ValueError:
        return ""


def socket_actor(scope: Mapping[str, Any], via: Via) -> Actor:
    """Who is at the other end of a WebSocket; its user is the one of the handshake."""
    user = scope.get("user")
    forwarded = b",".join(
        value for name, value in scope.get("headers", ()) if name == b"x-forwarded-for"
    )
    return Actor(
        via=via,
        user=user if user is not None and user.is_authenticated else None,
        address=client_address((scope.get("client") or [""])[0], forwarded.decode("latin-1")),
        request_id=uuid.uuid4().hex,
    )
