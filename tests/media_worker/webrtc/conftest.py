"""Both ends of the tests' calls are on the loopback."""

from __future__ import annotations

import pytest
from aioice import ice

from media_worker.webrtc.addresses import LOOPBACK, listen_on
from media_worker.webrtc.room import Room, RoomConfig
from tests.media_worker.webrtc.browser import Browser


@pytest.fixture(autouse=True)
def loopback(monkeypatch):
    monkeypatch.setattr(ice, "get_host_addresses", ice.get_host_addresses)  # given back at the end
    listen_on(LOOPBACK)


@pytest.fixture
async def browser():
    async with Browser() as one:
        yield one


@pytest.fixture
async def room():
    room = Room(RoomConfig(clock_rate=8000, address=LOOPBACK))
    room.start()
    yield room
    await room.close()
