"""A real endpoint in the test process, real phones in processes of their own, free ports."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from typing import Any

import pytest

from media_worker.conversation.leg import Leg, LegAnswered, LegEnded, LegEvent
from media_worker.sip.certificate import ensure_certificate
from media_worker.sip.config import SipConfig
from media_worker.sip.endpoint import IncomingCall, Invite, SipEndpoint
from media_worker.sip.phone_process import PhoneProcess
from tests.support.ports import free_sip_port

SECONDS = 30.0


class Taken:
    """One call that the endpoint took, with its events as they come."""

    def __init__(self, incoming: IncomingCall) -> None:
        self.incoming = incoming
        self.leg: Leg = incoming.leg
        self.seen: list[LegEvent] = []
        self._changed = asyncio.Condition()
        self._reader = asyncio.create_task(self._read())

    async def _read(self) -> None:
        async for event in self.leg.events():
            async with self._changed:
                self.seen.append(event)
                self._changed.notify_all()

    async def expect(self, kind: type, seconds: float = SECONDS, nth: int = 1) -> Any:
        """The nth event of that kind, past or to come."""

        def found() -> Any:
            events = [event for event in self.seen if isinstance(event, kind)]
            return events[nth - 1] if len(events) >= nth else None

        async with asyncio.timeout(seconds), self._changed:
            await self._changed.wait_for(found)
        return found()

    async def answer(self) -> LegAnswered:
        await self.leg.answer()
        return await self.expect(LegAnswered)

    async def ended(self) -> LegEnded:
        ended = await self.expect(LegEnded)
        await self._reader  # the iterator ends with it: nothing comes after
        return ended

    def play(self, pcm: bytes, item: str = "item") -> None:
        self.leg.playout.append(item, pcm)
        self.leg.playout.finish(item)

    async def capture(self, ms: int, seconds: float = SECONDS) -> bytes:
        """So much of what the caller sends from now on."""
        self.leg.capture.take()
        heard = b""
        async with asyncio.timeout(seconds):
            while len(heard) < ms * 16:
                await asyncio.sleep(0.02)
                heard += self.leg.capture.take()
        return heard


class Desk:
    """The endpoint under test and the calls that reach it."""

    def __init__(self, config: SipConfig) -> None:
        self.calls: asyncio.Queue[IncomingCall] = asyncio.Queue()
        self.turned_away: asyncio.Queue[Invite | None] = asyncio.Queue()
        self.endpoint = SipEndpoint(config, self.calls.put_nowait, self.turned_away.put_nowait)

    def uri(self, user: str = "100", transport: str = "udp") -> str:
        return f"sip:{user}@127.0.0.1:{self.endpoint.ports[transport]};transport={transport}"

    async def next_call(self) -> Taken:
        async with asyncio.timeout(SECONDS):
            return Taken(await self.calls.get())


OpenDesk = Callable[..., Awaitable[Desk]]
OpenPhone = Callable[..., Awaitable[PhoneProcess]]


@pytest.fixture
async def open_desk(tmp_path) -> AsyncIterator[OpenDesk]:
    """Starts an endpoint with the given settings; UDP and TCP, and TLS on the port after."""
    desks: list[Desk] = []

    async def start(*, tls: bool = False, **settings: Any) -> Desk:
        port = settings.pop("port", 0) or free_sip_port()
        if tls:
            certificate, key = ensure_certificate(tmp_path, "127.0.0.1")
            settings |= {"tls_port": port + 1, "tls_certificate": certificate, "tls_key": key}
        desk = Desk(SipConfig(port=port, rtp_port=0, **settings))
        await desk.endpoint.start()
        desks.append(desk)
        return desk

    yield start
    for desk in desks:
        await desk.endpoint.stop()


@pytest.fixture
async def desk(open_desk) -> Desk:
    return await open_desk()


@pytest.fixture
async def open_phone() -> AsyncIterator[OpenPhone]:
    async with AsyncExitStack() as stack:

        async def start(**options: Any) -> PhoneProcess:
            return await stack.enter_async_context(PhoneProcess(**options))

        yield start


@pytest.fixture
async def phone(open_phone) -> PhoneProcess:
    return await open_phone()


@pytest.fixture
async def talking(desk, phone):
    """A phone and the endpoint in an answered call: (remote call, taken call)."""
    call = await phone.call(desk.uri())
    taken = await desk.next_call()
    await taken.answer()
    await call.answered()
    return call, taken
