"""Live pages of the console: the media workers as they report themselves.

Close codes: 4401 not signed in, 4404 not one of the operator's people, 4503 the database is down.
"""

from __future__ import annotations

import asyncio
import json
from contextlib import suppress
from typing import Any, Final
from urllib.parse import parse_qs

from channels.generic.websocket import AsyncWebsocketConsumer
from django.db import InterfaceError, OperationalError
from django.template.loader import render_to_string
from django.utils import timezone, translation

from pbxai.doors import socket_actor
from tenants.actor import become
from tenants.console.workers import all_workers
from tenants.live.database import in_database
from tenants.live.parts import Part
from tenants.live.viewers import NOT_FOUND, TRY_AGAIN, Refused, find_user, reader_language
from tenants.models.choices import Via
from tenants.services.live import CONSOLE

BEAT_SECONDS: Final = 3.0
"""Workers report themselves each five seconds."""


class WorkersFeed(AsyncWebsocketConsumer):
    """The rows of the list of workers, every few seconds and whenever one comes or is drained."""

    _beating: asyncio.Task[None] | None = None

    async def connect(self) -> None:
        become(socket_actor(self.scope, Via.CONSOLE))
        query = parse_qs(self.scope["query_string"].decode("ascii", "replace"))
        self.language = query.get("lang", [""])[0]
        try:
            await in_database(self._look)
        except Refused as refused:
            await self.close(refused.code)
            return
        await self.channel_layer.group_add(CONSOLE, self.channel_name)
        await self.accept()
        self._changed = asyncio.Event()
        self._beating = asyncio.create_task(self._beat(), name="console feed")

    async def disconnect(self, code: int) -> None:
        await self.channel_layer.group_discard(CONSOLE, self.channel_name)
        if self._beating:
            self._beating.cancel()

    async def worker_changed(self, event: dict[str, Any]) -> None:
        self._changed.set()

    async def _beat(self) -> None:
        while True:
            try:
                found = await in_database(self._look)
            except Refused as refused:
                await self.close(refused.code)
                return
            await self.send(text_data=json.dumps({"parts": found}, ensure_ascii=False))
            with suppress(TimeoutError):
                await asyncio.wait_for(self._changed.wait(), BEAT_SECONDS)
            self._changed.clear()

    def _look(self) -> list[Part]:
        """Raises Refused."""
        try:
            user = find_user(self.scope)
            if not user.is_staff:
                raise Refused(NOT_FOUND)
            language = reader_language(self.language, user)
            with translation.override(language), timezone.override(user.time_zone):
                return [
                    Part(
                        id=f"worker-{view.worker.public_id}",
                        html=render_to_string("components/worker_row.html", {"view": view}),
                    )
                    for view in all_workers()
                ]
        except (OperationalError, InterfaceError):
            raise Refused(TRY_AGAIN) from None
