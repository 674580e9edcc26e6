"""Live pages: what changes reaches an open page as HTML, made by the page's own templates.

A message is JSON: `parts` to put on the page, `removed` ids, and with a snapshot `only`, the ids
that a list still has (static/js/feed.js). The rows are loaded under the viewer's own rights each
time, so a person who lost a membership or signed out hears no more.

Close codes: 4401 not signed in, 4404 no such tenant or call, or not the viewer's, 4503 the database
is down, come again.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from contextlib import ExitStack
from functools import partial
from importlib import import_module
from typing import Any, Final, TypedDict
from urllib.parse import parse_qs
from uuid import UUID
from zoneinfo import ZoneInfo

from channels.db import database_sync_to_async
from channels.generic.websocket import AsyncWebsocketConsumer
from django.conf import settings
from django.core.exceptions import PermissionDenied
from django.db import InterfaceError, OperationalError
from django.http import Http404
from django.utils import timezone, translation
from django_scopes import scope

from pbxai.doors import socket_actor
from tenants.access import IDENTITY_KEY, get_tenant
from tenants.actor import become
from tenants.live import parts
from tenants.models import Call, Tenant, User
from tenants.models.choices import Via
from tenants.portal.call import find_call
from tenants.services.live import call_group, tenant_group

SIGNED_OUT: Final = 4401
NOT_FOUND: Final = 4404
TRY_AGAIN: Final = 4503
GATHER_SECONDS: Final = 0.1
"""Changes that come within this time go out together."""


class FeedMessage(TypedDict, total=False):
    parts: list[parts.Part]
    removed: list[str]
    only: dict[str, list[str]]


class Refused(Exception):  # noqa: N818 - says what is the matter
    """The viewer may not hear this; carries the close code."""

    def __init__(self, code: int) -> None:
        super().__init__(code)
        self.code = code


class Feed(AsyncWebsocketConsumer):
    """Base of the feeds: who watches, in which words, and gathering changes before sending."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._changed: dict[str, None] = {}
        self._sending: asyncio.Task[None] | None = None
        self._joined: list[str] = []

    async def connect(self) -> None:
        become(socket_actor(self.scope, Via.PORTAL))
        query = parse_qs(self.scope["query_string"].decode("ascii", "replace"))
        self.slug = self.scope["url_route"]["kwargs"]["slug"]
        self.language = query.get("lang", [""])[0]
        self.page = query.get("page", [""])[0]
        try:
            groups = await self._as_viewer(self.find_groups)
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

    def find_groups(self, tenant: Tenant) -> list[str]:
        """The groups to listen to, inside the tenant's scope. Raises Http404."""
        raise NotImplementedError

    def snapshot(self, tenant: Tenant) -> FeedMessage:
        """Everything that this feed keeps fresh, as it is now."""
        raise NotImplementedError

    def changes(self, tenant: Tenant, changed: list[str]) -> FeedMessage:
        """What to send for what changed; the keys are those given to `note`."""
        raise NotImplementedError

    def note(self, key: str) -> None:
        """Something changed; send it soon, together with what else changes until then."""
        self._changed[key] = None
        if self._sending is None or self._sending.done():
            self._sending = asyncio.create_task(self._send_soon(), name=f"feed {self.slug}")

    async def _send_soon(self) -> None:
        while self._changed:
            await asyncio.sleep(GATHER_SECONDS)
            changed, self._changed = list(self._changed), {}
            await self._send_what(partial(self.changes, changed=changed))

    async def _send_what(self, make: Callable[[Tenant], FeedMessage]) -> None:
        try:
            message = await self._as_viewer(make)
        except Refused as refused:
            await self.close(refused.code)
            return
        if any(message.values()):
            await self.send(text_data=json.dumps(message, ensure_ascii=False))

    async def _as_viewer(self, act: Callable[[Tenant], Any]) -> Any:
        return await database_sync_to_async(self._as_viewer_sync)(act)

    def _as_viewer_sync(self, act: Callable[[Tenant], Any]) -> Any:
        """Run `act` with the viewer's rights, words and clock. Raises Refused."""
        try:
            user = self._user()
            session = self.scope.get("session")
            vouched = session.get(IDENTITY_KEY) if session is not None else None
            tenant, _member = get_tenant(user, self.slug, only=vouched)
            with ExitStack() as stack:
                stack.enter_context(scope(tenant=tenant))
                stack.enter_context(translation.override(self._language(user)))
                stack.enter_context(timezone.override(ZoneInfo(user.time_zone)))
                return act(tenant)
        except (Http404, PermissionDenied):
            raise Refused(NOT_FOUND) from None
        except (OperationalError, InterfaceError):
            raise Refused(TRY_AGAIN) from None

    def _user(self) -> User:
        """The person as the database has them now; a session that is gone is signed out."""
        known = self.scope["user"]
        if known is None or not known.is_authenticated:
            raise Refused(SIGNED_OUT)
        session = self.scope.get("session")
        key = session.session_key if session is not None else None
        store = import_module(settings.SESSION_ENGINE).SessionStore
        if key and not store().exists(key):
            raise Refused(SIGNED_OUT)
        user = User.objects.filter(pk=known.pk, is_active=True).first()
        if user is None:
            raise Refused(SIGNED_OUT)
        return user

    def _language(self, user: User) -> str:
        known = dict(settings.LANGUAGES)
        return next(
            (code for code in (self.language, user.language) if code in known),
            settings.LANGUAGE_CODE,
        )


class CallsFeed(Feed):
    """The tenant's running calls: the number in the top bar, the wall, the numbers of Start."""

    def find_groups(self, tenant: Tenant) -> list[str]:
        return [tenant_group(tenant)]

    def snapshot(self, tenant: Tenant) -> FeedMessage:
        rows = parts.live_rows(tenant)
        return FeedMessage(
            parts=[*rows, *self._numbers(tenant)],
            only={parts.LIVE_LIST: [row["id"] for row in rows]},
        )

    def changes(self, tenant: Tenant, changed: list[str]) -> FeedMessage:
        rows, removed = parts.changed_rows(tenant, changed)
        return FeedMessage(parts=[*rows, *self._numbers(tenant)], removed=removed)

    def _numbers(self, tenant: Tenant) -> list[parts.Part]:
        running = [parts.running_count()]
        return running + parts.start_numbers(tenant) if self.page == "start" else running

    async def call_changed(self, event: dict[str, Any]) -> None:
        self.note(event["call"])


class CallFeed(Feed):
    """One call: transcript, tool calls, turns, facts; and the number in the top bar."""

    def find_groups(self, tenant: Tenant) -> list[str]:
        return [tenant_group(tenant), call_group(self._call().public_id)]

    def snapshot(self, tenant: Tenant) -> FeedMessage:
        call = self._call()
        items = parts.timeline_items(call)
        return FeedMessage(
            parts=[*items, *parts.call_parts(call, tenant), parts.running_count()],
            removed=parts.gone_with_end(call),
            only={parts.TRANSCRIPT: [item["id"] for item in items]},
        )

    def changes(self, tenant: Tenant, changed: list[str]) -> FeedMessage:
        call = self._call()
        message = FeedMessage(parts=[], removed=[])
        for key in changed:
            kind, _colon, name = key.partition(":")
            if kind == "entry":
                found, gone = parts.entry(call, name)
                message["parts"] += found
                message["removed"] += gone
            elif kind == "tool":
                message["parts"] += parts.tool(call, name)
        if "call" in changed:
            message["parts"] += parts.call_parts(call, tenant)
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

    async def call_entry(self, event: dict[str, Any]) -> None:
        self.note(f"entry:{event['item_id']}")

    async def call_tool(self, event: dict[str, Any]) -> None:
        self.note(f"tool:{event['tool_call_id']}")
