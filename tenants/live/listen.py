"""Listening in on a running call: its sound on the way to one browser.

Binary messages of 100 ms: uint32 number, uint32 ms on the call's clock, uint16 bytes of the caller
(all big-endian), the caller's PCMU, the agent's PCMU. Before the end, where it is not the
listener's own, a JSON message `{"why": "..."}`: why it never began, or nothing.

Close codes: those of the feeds, and 4409: the call is over, or cannot be listened to.
"""

from __future__ import annotations

import json
import struct
from functools import partial
from typing import Final
from uuid import UUID, uuid4

from channels.generic.websocket import AsyncWebsocketConsumer
from django.core.exceptions import ValidationError
from django.http import Http404
from django.utils.translation import gettext as _

from pbxai.doors import socket_actor
from tenants.actor import become
from tenants.live.database import in_database
from tenants.live.viewers import FORBIDDEN, NOT_FOUND, Refused, Viewer, find_viewer
from tenants.models import CallEvent
from tenants.models.choices import ListenIn, Via
from tenants.portal.call import find_call
from tenants.services import commands
from tenants.services.calls import CallIsOver
from tenants.services.live import Heard, ListeningOver, listen_group

OVER: Final = 4409
_HEAD: Final = struct.Struct("!IIH")


class CannotListen(Exception):  # noqa: N818 - says what is the matter
    """The message is for people."""


class ListenSocket(AsyncWebsocketConsumer):
    """One person who listens to one call, for as long as the socket is open."""

    listen: CallEvent | None = None
    group = ""
    viewer: Viewer | None = None

    async def connect(self) -> None:
        become(socket_actor(self.scope, Via.PORTAL))
        self.slug = self.scope["url_route"]["kwargs"]["slug"]
        self.call_id = UUID(str(self.scope["url_route"]["kwargs"]["call_id"]))
        try:
            self.viewer = await in_database(self._look)
        except Refused as refused:
            await self.close(refused.code)
            return
        await self.accept()
        listen_id = uuid4()
        self.group = listen_group(listen_id)
        await self.channel_layer.group_add(self.group, self.channel_name)
        try:
            self.listen = await in_database(self._begin, self.viewer, listen_id)
        except CannotListen as error:
            await self._end(str(error))

    async def disconnect(self, code: int) -> None:
        if self.group:
            await self.channel_layer.group_discard(self.group, self.channel_name)
        if self.listen:
            await in_database(partial(commands.stop_listening, listen=self.listen))

    async def listen_heard(self, event: Heard) -> None:
        if self.viewer is None or not self.viewer.is_fresh():
            try:
                self.viewer = await in_database(self._look)
            except Refused as refused:
                await self.close(refused.code)
                return
        head = _HEAD.pack(event["seq"], event["at_ms"], len(event["caller"]))
        await self.send(bytes_data=head + event["caller"] + event["agent"])

    async def listen_over(self, event: ListeningOver) -> None:
        await self._end(event["why"])

    async def _end(self, why: str) -> None:
        await self.send(text_data=json.dumps({"why": why}))
        await self.close(OVER)

    def _look(self) -> Viewer:
        """Owners and administrators, where the tenant lets them. Raises Refused."""
        viewer = find_viewer(self.scope, self.slug, right="manage")
        if viewer.tenant.listen_in == ListenIn.NOBODY:
            raise Refused(FORBIDDEN)
        with viewer.eyes():
            try:
                find_call(self.call_id)
            except Http404:
                raise Refused(NOT_FOUND) from None
        return viewer

    def _begin(self, viewer: Viewer, listen_id: UUID) -> CallEvent:
        """Raises CannotListen."""
        with viewer.eyes():
            try:
                call = find_call(self.call_id)
                return commands.listen(call=call, user=viewer.user, listen_id=listen_id)
            except (CallIsOver, commands.NotAllowed, commands.WorkerTooOld) as error:
                raise CannotListen(_why(error)) from None
            except ValidationError as error:
                raise CannotListen(" ".join(error.messages)) from None


def _why(error: Exception) -> str:
    if isinstance(error, commands.WorkerTooOld):
        return _("The call's media worker is too old for this; your operator has to update it.")
    return _("The call is over already, or its media worker is not connected.")
