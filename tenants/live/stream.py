"""The stream of events over a WebSocket: `/ws/v1/stream?types=&agent=&tenant=`.

A JSON document a message (services/stream.py). An integrator shows its token in the handshake; a
browser its session, and then the Origin must be ours.

Close codes: 4400 no such type, 4401 not signed in or no such token, 4403 not with this token, 4404
no such tenant, 4503 the database is down.
"""

from __future__ import annotations

import json
from typing import Any, Final
from urllib.parse import parse_qsl

from channels.auth import AuthMiddlewareStack
from channels.generic.websocket import AsyncWebsocketConsumer
from channels.security.websocket import AllowedHostsOriginValidator
from django.db import InterfaceError, OperationalError

from pbxai.doors import socket_actor
from tenants.actor import become
from tenants.live.database import in_database
from tenants.live.listeners import BadQuery, Listener, listener
from tenants.live.viewers import TRY_AGAIN, Refused
from tenants.models.choices import Via
from tenants.services.live import Streamed

BAD_QUERY: Final = 4400


class StreamSocket(AsyncWebsocketConsumer):
    """One integrator, until it goes or loses the right."""

    who: Listener | None = None

    async def connect(self) -> None:
        become(socket_actor(self.scope, Via.API))
        query = dict(parse_qsl(self.scope["query_string"].decode("ascii", "replace")))
        try:
            self.who = await look_up(listener(self.scope, _authorization(self.scope), query))
        except BadQuery:
            await self.close(BAD_QUERY)
        except Refused as refused:
            await self.close(refused.code)
        else:
            await self.channel_layer.group_add(self.who.group, self.channel_name)
            await self.accept()

    async def disconnect(self, code: int) -> None:
        if self.who:
            await self.channel_layer.group_discard(self.who.group, self.channel_name)

    async def stream_event(self, event: Streamed) -> None:
        if self.who is None or not self.who.wants(event["document"]):
            return
        try:
            if not self.who.is_fresh():
                self.who = await look_up(self.who)
        except Refused as refused:
            await self.close(refused.code)
            return
        await self.send(text_data=json.dumps(event["document"], ensure_ascii=False))


async def look_up(who: Listener) -> Listener:
    """Raises Refused."""
    try:
        return await in_database(who.looked_up)
    except (OperationalError, InterfaceError):
        raise Refused(TRY_AGAIN) from None


def _authorization(scope: Any) -> str:
    found = dict(scope["headers"]).get(b"authorization", b"")
    return str(found.decode("latin-1"))


class StreamDoor:
    """Sends who shows a token past the check of the Origin, which is for browsers' cookies."""

    def __init__(self) -> None:
        socket: Any = StreamSocket.as_asgi()
        self._with_token = socket
        self._with_session: Any = AllowedHostsOriginValidator(AuthMiddlewareStack(socket))

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        door = self._with_token if _authorization(scope) else self._with_session
        await door(scope if not _authorization(scope) else {**scope, "user": None}, receive, send)
