"""Addresses of the browsers' sockets."""

from __future__ import annotations

from typing import Any

from django.urls import path

from tenants.live.console import WorkersFeed
from tenants.live.feeds import CallFeed, CallsFeed
from tenants.live.listen import ListenSocket
from tenants.live.talk import TalkSocket

# Django's path() is typed for views; Channels routes ASGI applications with it.
_calls: Any = CallsFeed.as_asgi()
_call: Any = CallFeed.as_asgi()
_workers: Any = WorkersFeed.as_asgi()
_listen: Any = ListenSocket.as_asgi()
_talk: Any = TalkSocket.as_asgi()

websocket_urlpatterns = [
    path("ws/console/workers", _workers),
    path("ws/t/<slug:slug>/calls", _calls),
    path("ws/t/<slug:slug>/calls/<uuid:call_id>", _call),
    path("ws/t/<slug:slug>/calls/<uuid:call_id>/listen", _listen),
    path("ws/t/<slug:slug>/agents/<uuid:agent_id>/talk", _talk),
]
