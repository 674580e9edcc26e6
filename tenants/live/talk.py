"""Talking to an agent from the browser: the offer goes to a media worker, its answer comes back.

Text frames of JSON. From the browser: `{"offer": sdp}`, once; `{"key": "5"}`. To it: `{"call": id,
"feed": path, "page": path}` when the call rings, `{"answer": sdp}`, and `{"refused": words}` for
people, after which the socket closes. The sound itself goes between browser and worker (WebRTC);
what is said comes by the call's ordinary feed. The call ends with the socket.

Close codes: 4400 a frame that is none of these, and those of tenants/live/viewers.py.
"""

from __future__ import annotations

from typing import Final
from urllib.parse import parse_qs
from uuid import UUID

import msgspec
from channels.generic.websocket import AsyncWebsocketConsumer
from django.urls import reverse
from django.utils import translation
from django.utils.translation import gettext as _

from pbxai.doors import socket_actor
from tenants.actor import become
from tenants.live.database import in_database
from tenants.live.paths import socket_path
from tenants.live.viewers import NOT_FOUND, Refused, Viewer, find_viewer
from tenants.models import Agent, Call
from tenants.models.choices import Via
from tenants.services import live, trial

OVER: Final = 1000
MALFORMED: Final = 4400
FRAME_LIMIT: Final = trial.SDP_LIMIT + 1024


class _Frame(msgspec.Struct, frozen=True):
    offer: str = ""
    key: str = ""


_decode: Final = msgspec.json.Decoder(_Frame).decode


class TalkSocket(AsyncWebsocketConsumer):
    """One person's call with one agent: `?source=draft|published&lang=`."""

    call: Call | None = None
    offered = False

    async def connect(self) -> None:
        become(socket_actor(self.scope, Via.PORTAL))
        arguments = self.scope["url_route"]["kwargs"]
        self.slug, self.agent_id = arguments["slug"], UUID(str(arguments["agent_id"]))
        query = parse_qs(self.scope["query_string"].decode("ascii", "replace"))
        self.source: trial.Source = "published" if query.get("source") == ["published"] else "draft"
        self.language = query.get("lang", [""])[0]
        try:
            viewer, _agent = await in_database(self._find_agent)
        except Refused as refused:
            await self.close(refused.code)
            return
        self.language = viewer.language
        await self.accept()

    async def disconnect(self, code: int) -> None:
        if self.call is None:
            return
        await self.channel_layer.group_discard(self._group(self.call), self.channel_name)
        await in_database(self._leave, self.call)

    async def receive(self, text_data: str | None = None, bytes_data: bytes | None = None) -> None:
        try:
            frame = _decode((text_data or "")[:FRAME_LIMIT])
            if frame.offer and self.call is None:
                await self._offer(frame.offer)
            elif frame.key and self.call is not None:
                await in_database(self._press, self.call, frame.key)
            else:
                await self.close(MALFORMED)
        except msgspec.MsgspecError:
            await self.close(MALFORMED)
        except trial.CannotTry as error:
            await self._refuse(str(error))
        except Refused as refused:
            await self.close(refused.code)

    async def browser_answered(self, message: live.BrowserAnswered) -> None:
        if message["refused"]:
            # The worker's own words are English; they are for who looks into it.
            with translation.override(self.language):
                text = _("The media worker did not take the call: %(why)s")
            await self._refuse(text % {"why": message["refused"]})
        else:
            await self._say(answer=message["sdp"])

    async def _offer(self, sdp: str) -> None:
        call, addresses = await in_database(self._begin)
        self.call = call
        # Joined before the worker hears of it: its answer cannot come too early.
        await self.channel_layer.group_add(self._group(call), self.channel_name)
        await self._say(**addresses)
        await in_database(self._send_offer, call, sdp)

    async def _refuse(self, words: str) -> None:
        await self._say(refused=words)
        await self.close(OVER)

    async def _say(self, **words: str) -> None:
        await self.send(text_data=msgspec.json.encode(words).decode())

    def _group(self, call: Call) -> str:
        return live.talk_group(call.public_id)

    # --- on a thread of the database's

    def _viewer(self) -> Viewer:
        return find_viewer(self.scope, self.slug, language=self.language, right="edit")

    def _find_agent(self) -> tuple[Viewer, Agent]:
        """Raises Refused."""
        viewer = self._viewer()
        with viewer.eyes():
            agents = Agent.objects.select_related("tenant", "published_revision")
            agent = agents.filter(public_id=self.agent_id).first()
        if agent is None:
            raise Refused(NOT_FOUND)
        return viewer, agent

    def _begin(self) -> tuple[Call, dict[str, str]]:
        viewer, agent = self._find_agent()
        with viewer.eyes():
            call = trial.begin_browser_call(agent=agent, source=self.source, user=viewer.user)
        return call, call_addresses(call, self.slug, viewer.language)

    def _send_offer(self, call: Call, sdp: str) -> None:
        with self._viewer().eyes():
            trial.offer(call=call, sdp=sdp)
            self.offered = True

    def _press(self, call: Call, key: str) -> None:
        with self._viewer().eyes():
            trial.press_key(call=call, digit=key)

    def _leave(self, call: Call) -> None:
        # Whatever became of the person's rights: nobody is at the other end any more.
        trial.leave(call=call, user=call.placed_by, was_offered=self.offered)


def call_addresses(call: Call, slug: str, language: str) -> dict[str, str]:
    """Where a page finds a call that was begun from it."""
    return {
        "call": str(call.public_id),
        "feed": socket_path("t", slug, "calls", call.public_id, lang=language),
        "page": reverse("portal:call", kwargs={"slug": slug, "call_id": call.public_id}),
    }
