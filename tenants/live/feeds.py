"""Live pages: what changes reaches an open page as HTML, made by the page's own templates.

A message is JSON: `parts` to put on the page, `removed` ids, and with a snapshot `only`, the ids
that a list still has (static/js/feed.js). Rows are loaded under the viewer's own rights, which are
looked up again each second (viewers.py): a person who lost a membership or signed out hears no
more. What was said comes with its notice and is drawn once for all who watch (drawn.py), so that a
word needs no look at the database on its way to the page.

Close codes: 4401 not signed in, 4403 not with this role, 4404 no such tenant or call, or not the
viewer's, 4503 the database is down, come again.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from functools import partial
from time import monotonic
from typing import Any, Final, TypedDict
from urllib.parse import parse_qs
from uuid import UUID

from channels.generic.websocket import AsyncWebsocketConsumer
from django.db import InterfaceError, OperationalError
from django.http import Http404

from pbxai.doors import socket_actor
from tenants.actor import become
from tenants.live import drawn, parts
from tenants.live.database import in_database
from tenants.live.viewers import NOT_FOUND, TRY_AGAIN, Refused, Viewer, find_viewer
from tenants.models import Call
from tenants.models.choices import Via
from tenants.portal.call import find_call
from tenants.services.live import EntryChanged, call_group, tenant_group

GATHER_SECONDS: Final = 0.02
"""Words that come within this time go out together."""
CHANGES_SECONDS: Final = 0.5
"""The other changes go out no more often: each is a look at the database for each who watches."""


class FeedMessage(TypedDict, total=False):
    parts: list[parts.Part]
    removed: list[str]
    only: dict[str, list[str]]


class Feed(AsyncWebsocketConsumer):
    """Base of the feeds: who watches, in which words, and gathering changes before sending."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._viewer: Viewer | None = None
        self._changed: dict[str, None] = {}
        self._said: dict[str, EntryChanged] = {}
        self._sending: asyncio.Task[None] | None = None
        self._looked_at = -CHANGES_SECONDS
        self._joined: list[str] = []

    async def connect(self) -> None:
        become(socket_actor(self.scope, Via.PORTAL))
        query = parse_qs(self.scope["query_string"].decode("ascii", "replace"))
        self.slug = self.scope["url_route"]["kwargs"]["slug"]
        self.language = query.get("lang", [""])[0]
        self.page = query.get("page", [""])[0]
        try:
            groups = await in_database(self._look, self.find_groups)
        except Refused as refused:
            await self.close(refused.code)
            return
        for group in groups:
            await self.channel_layer.group_add(group, self.channel_name)
            self._joined.append(group)
        await self.accept()
        # Joined first, then looked: what changes in between is sent twice, never missed.
        await self._send_what(self.snapshot)

    async def disconnect(self, code: int) -> None:
        if self._sending:
            self._sending.cancel()
        for group in self._joined:
            await self.channel_layer.group_discard(group, self.channel_name)

    def find_groups(self, viewer: Viewer) -> list[str]:
        """The groups to listen to, inside the tenant's scope. Raises Http404."""
        raise NotImplementedError

    def snapshot(self, viewer: Viewer) -> FeedMessage:
        """Everything that this feed keeps fresh, as it is now."""
        raise NotImplementedError

    def changes(self, viewer: Viewer, changed: list[str]) -> FeedMessage:
        """What to send for what changed; the keys are those given to `note`."""
        raise NotImplementedError

    def words(self, viewer: Viewer, said: list[EntryChanged]) -> FeedMessage:
        """What to send for what was said, without a look at the database."""
        raise NotImplementedError

    def note(self, key: str) -> None:
        """Something changed; send it soon, together with what else changes until then."""
        self._changed[key] = None
        self._wake()

    def note_said(self, entry: EntryChanged) -> None:
        """The same of a transcript entry; a later state of it takes the earlier one's place."""
        self._said[entry["item_id"]] = entry
        self._wake()

    def _wake(self) -> None:
        if self._sending is None or self._sending.done():
            self._sending = asyncio.create_task(self._send_soon(), name=f"feed {self.slug}")

    async def _send_soon(self) -> None:
        while self._changed or self._said:
            await asyncio.sleep(GATHER_SECONDS)
            said, self._said = list(self._said.values()), {}
            if said:  # first: what was said is what people wait for
                await self._send_what(partial(self.words, said=said), looks=False)
            if self._changed and monotonic() - self._looked_at >= CHANGES_SECONDS:
                changed, self._changed = list(self._changed), {}
                await self._send_what(partial(self.changes, changed=changed))
                self._looked_at = monotonic()

    async def _send_what(
        self, make: Callable[[Viewer], FeedMessage], *, looks: bool = True
    ) -> None:
        """`looks`: it asks the database; else only when the viewer's rights have grown old."""
        try:
            if not looks and self._viewer and self._viewer.is_fresh():
                message = _seen(self._viewer, make)
            else:
                message = await in_database(self._look, make)
        except Refused as refused:
            await self.close(refused.code)
            return
        if any(message.values()):
            await self.send(text_data=json.dumps(message, ensure_ascii=False))

    def _look(self, act: Callable[[Viewer], Any]) -> Any:
        """Run `act` with the viewer's rights, words and clock. Raises Refused."""
        try:
            if self._viewer is None or not self._viewer.is_fresh():
                self._viewer = find_viewer(self.scope, self.slug, language=self.language)
            return _seen(self._viewer, act)
        except Http404:
            raise Refused(NOT_FOUND) from None
        except (OperationalError, InterfaceError):
            raise Refused(TRY_AGAIN) from None


def _seen(viewer: Viewer, act: Callable[[Viewer], Any]) -> Any:
    with viewer.eyes():
        return act(viewer)


class CallsFeed(Feed):
    """The tenant's running calls: the number in the top bar, the wall, the numbers of Start."""

    def find_groups(self, viewer: Viewer) -> list[str]:
        return [tenant_group(viewer.tenant)]

    def snapshot(self, viewer: Viewer) -> FeedMessage:
        rows = parts.live_rows(viewer.tenant)
        return FeedMessage(
            parts=[*rows, *self._numbers(viewer)],
            only={parts.LIVE_LIST: [row["id"] for row in rows]},
        )

    def changes(self, viewer: Viewer, changed: list[str]) -> FeedMessage:
        rows, removed = parts.changed_rows(viewer.tenant, changed)
        return FeedMessage(parts=[*rows, *self._numbers(viewer)], removed=removed)

    def _numbers(self, viewer: Viewer) -> list[parts.Part]:
        running = [parts.running_count()]
        if self.page != "start":
            return running
        return running + parts.start_numbers(viewer.tenant, viewer.member)

    async def call_changed(self, event: dict[str, Any]) -> None:
        self.note(event["call"])


class CallFeed(Feed):
    """One call: transcript, tool calls, turns, facts; and the number in the top bar."""

    def find_groups(self, viewer: Viewer) -> list[str]:
        return [tenant_group(viewer.tenant), call_group(self._call().public_id)]

    def snapshot(self, viewer: Viewer) -> FeedMessage:
        call = self._call()
        items = parts.timeline_items(call)
        return FeedMessage(
            parts=[*items, *parts.call_parts(call, viewer.tenant), parts.running_count()],
            removed=parts.gone_with_end(call),
            only={parts.TRANSCRIPT: [item["id"] for item in items]},
        )

    def words(self, viewer: Viewer, said: list[EntryChanged]) -> FeedMessage:
        message = FeedMessage(parts=[], removed=[])
        for entry in said:
            part = drawn.entry(entry, viewer.language)
            if part:
                message["parts"].append(part)
            else:
                message["removed"].append(drawn.element_of(entry))
        return message

    def changes(self, viewer: Viewer, changed: list[str]) -> FeedMessage:
        call = self._call()
        message = FeedMessage(parts=[], removed=[])
        for key in changed:
            kind, _colon, name = key.partition(":")
            if kind == "tool":
                message["parts"] += parts.tool(call, name)
        if "call" in changed:
            message["parts"] += parts.call_parts(call, viewer.tenant)
            message["removed"] += parts.gone_with_end(call)
        if "tenant" in changed:
            message["parts"].append(parts.running_count())
        return message

    def _call(self) -> Call:
        return find_call(UUID(str(self.scope["url_route"]["kwargs"]["call_id"])))

    async def call_changed(self, event: dict[str, Any]) -> None:
        self.note("tenant")
        if event["call"] == str(self.scope["url_route"]["kwargs"]["call_id"]):
            self.note("call")

    async def call_entry(self, event: EntryChanged) -> None:
        self.note_said(event)

    async def call_tool(self, event: dict[str, Any]) -> None:
        self.note(f"tool:{event['tool_call_id']}")
