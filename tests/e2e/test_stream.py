"""The stream of events over the real server: a WebSocket and server-sent events say the same."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from tenants.services import tokens
from tenants.services.workers import create_worker
from tests.e2e.world import World
from tests.support.pixels import Talker

WORDS = 3
SIGNED_OUT = 4401


async def until_the_end(documents: AsyncIterator[dict[str, Any]]) -> list[dict[str, Any]]:
    """Everything up to the end of the call."""
    found = []
    async for document in documents:
        found.append(document)
        if document["type"] == "call.ended":
            return found
    raise AssertionError(f"the stream ended: {found}")


async def by_socket(socket: ClientConnection) -> AsyncIterator[dict[str, Any]]:
    async for message in socket:
        yield json.loads(message)


async def by_lines(lines: AsyncIterator[str]) -> AsyncIterator[dict[str, Any]]:
    """Server-sent events: the `data` of each, whose `id` and `event` are the document's own."""
    event: dict[str, str] = {}
    async for line in lines:
        if line:
            name, _colon, text = line.partition(": ")
            event[name] = text
        elif "data" in event:
            document = json.loads(event["data"])
            assert (event["id"], event["event"]) == (document["id"], document["type"])
            yield document
            event = {}


async def test_a_socket_and_server_sent_events_tell_a_call_alike_until_the_token_is_withdrawn(
    world: World, tmp_path: Path
) -> None:
    house = world.house()
    token, text = tokens.create_token(
        tenant=house.tenant,
        user=house.owner,
        name="CRM",
        scopes=["stream:read"],
        expires_at=None,
    )
    _worker, worker_token = create_worker(name=house.tenant.slug)
    talker = Talker(house.stack.web, worker_token, tmp_path)
    await talker.open()
    web, headers = house.stack.web, {"Authorization": f"Bearer {text}"}
    async with (
        connect(f"ws{web.removeprefix('http')}/ws/v1/stream", additional_headers=headers) as socket,
        httpx.AsyncClient(timeout=60) as client,
        client.stream("GET", f"{web}/api/v1/stream", headers=headers) as answer,
    ):
        lines = answer.aiter_lines()
        assert await anext(lines) == ": welcome"
        await talker.begin(house.number.number)
        await talker.talk(WORDS, a_second=10)
        await talker.end()
        told = await until_the_end(by_socket(socket))
        assert await until_the_end(by_lines(lines)) == told
        types = [document["type"] for document in told]
        assert types[:2] == ["call.started", "call.answered"]
        assert set(types[2:-1]) == {"transcript.updated"}
        assert told[-2]["data"]["text"] == "w0z w1z w2z"

        token.delete()
        await talker.begin(house.number.number)
        await talker.talk(8, a_second=4)
        with pytest.raises(ConnectionClosed) as closed:
            await until_the_end(by_socket(socket))
        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code == SIGNED_OUT
        with pytest.raises(AssertionError, match="the stream ended"):
            await until_the_end(by_lines(lines))
        await talker.close()
