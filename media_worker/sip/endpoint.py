"""The worker's SIP endpoint: takes calls for any user and hands each to the worker."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pjsua2 as pj

from media_worker.contract import RETRY_AFTER_SECONDS
from media_worker.conversation.leg import Leg
from media_worker.sip.call import CallRoom, PjCall, account_settings
from media_worker.sip.config import SipConfig
from media_worker.sip.door import Door
from media_worker.sip.engine import Engine, guarded
from media_worker.sip.leg import SipLeg
from media_worker.sip.message import (
    Request,
    parse_address,
    parse_request,
    transport_of,
    user_of,
)

logger = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Invite:
    """What an INVITE says. All of it is the caller's claim, except `source`."""

    called: str
    """User part of the Request-URI."""
    calling: str
    calling_name: str
    sip_call_id: str
    source: str
    """`transport:address:port` that it came from; empty where that was not told."""
    headers: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class IncomingCall(Invite):
    """A call that rings (180 is sent) and waits for `leg.answer()` or `refuse`."""

    leg: Leg
    _leg: SipLeg

    async def refuse(self, status: int, retry_after: int | None = None, reason: str = "") -> None:
        """Final response 300-699; `retry_after` in seconds (RFC 3261 section 20.33)."""
        headers = {} if retry_after is None else {"Retry-After": str(retry_after)}
        await self._leg.refuse(status, headers, reason)


class SipEndpoint:
    """UDP, TCP and TLS on the configured address. One a process.

    `on_invite` gets each call that there is room for, on the event loop's thread. A call beyond
    `capacity` is answered 503 with Retry-After at once; `on_turned_away` gets what is known of it,
    None where its INVITE could not be read.
    """

    def __init__(
        self,
        config: SipConfig,
        on_invite: Callable[[IncomingCall], None],
        on_turned_away: Callable[[Invite | None], None] | None = None,
    ) -> None:
        self.config = config
        self.turned_away = 0
        self._on_invite = on_invite
        self._on_turned_away = on_turned_away
        self._engine = Engine(config)
        self._room = CallRoom(self._engine)
        self._door: Door | None = None
        self._leaving = False
        self._engine.before_start = self._open_door
        self._engine.setup = self._open_account
        self._engine.goodbye = self._say_goodbye
        self._engine.is_quiet = lambda: not self._room.calls
        self._engine.teardown = self._room.close

    @property
    def capacity(self) -> int:
        """Calls at once that this build and configuration really take; known after `start`."""
        return min(self._engine.table_calls, self.config.max_calls)

    @property
    def build(self) -> str:
        """pjsua2's version with its suffix, e.g. `2.15.1` or `2.17+calls512`."""
        return self._engine.build

    @property
    def addresses(self) -> tuple[str, ...]:
        """SIP URIs to dial, without a user part."""
        engine = self._engine
        host = self.config.public_address or engine.host
        return tuple(f"sip:{host}:{port};transport={name}" for name, port in engine.ports.items())

    @property
    def ports(self) -> dict[str, int]:
        """Port listened on, by transport (udp, tcp, tls)."""
        return dict(self._engine.ports)

    async def start(self) -> None:
        """Raises SipError, e.g. when a port is taken."""
        await self._engine.start()

    async def stop(self) -> None:
        """BYE to every call, then end the library. Returns within about 13 s, mostly 1."""
        await self._engine.stop()

    # --- pjsip thread ----------------------------------------------------------------------------

    def _open_door(self) -> None:
        self._door = Door(
            is_full=self._is_full,
            on_turned_away=self._turn_away,
            retry_after_seconds=RETRY_AFTER_SECONDS,
        )
        self._door.open()

    def _is_full(self) -> bool:
        is_busy = len(self._room.calls) >= self.capacity or self._engine.is_table_full
        return self._leaving or is_busy

    def _open_account(self) -> None:
        account = _Account(self._take_invite)
        account.create(account_settings(self._engine), True)
        self._room.account = account
        self._room.watch_media()

    def _say_goodbye(self) -> None:
        self._leaving = True
        self._room.hang_up_all("Worker stopped")

    def _turn_away(self, text: str) -> None:
        self.turned_away += 1
        invite = Invite(**_facts(parse_request(text), "")) if text else None
        if self._on_turned_away is not None:
            self._engine.to_loop(self._on_turned_away, invite)

    def _take_invite(self, call_id: int, text: str, source: str) -> None:
        request = parse_request(text)
        leg = SipLeg(self._room)
        call = PjCall(self._room, leg, audio=leg.audio, call_id=call_id)
        leg.attach(call)
        transport = transport_of(request) or "UDP"
        facts = _facts(request, f"{transport}:{source}")
        call.respond(180)
        self._engine.to_loop(self._on_invite, IncomingCall(leg=leg, _leg=leg, **facts))


class _Account(pj.Account):
    def __init__(self, take: Callable[[int, str, str], None]) -> None:
        super().__init__()
        self._take = take

    @guarded
    def onIncomingCall(self, prm: Any) -> None:  # noqa: N802 - pjsua2's name
        data = prm.rdata
        self._take(prm.callId, data.wholeMsg, data.srcAddress)


def _facts(request: Request, source: str) -> dict[str, Any]:
    caller = parse_address(request.header("From"))
    return {
        "called": user_of(request.uri),
        "calling": caller.user,
        "calling_name": caller.name,
        "sip_call_id": request.header("Call-ID"),
        "source": source,
        "headers": request.headers,
    }
