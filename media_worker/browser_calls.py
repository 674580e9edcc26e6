"""Calls from browsers: pulled, answered, and then held like every other call."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, Final

import msgspec
import structlog

from media_worker.audio.activity import VoiceActivity
from media_worker.calls import Calls
from media_worker.config import WorkerConfig
from media_worker.contract import (
    BrowserCallAnswer,
    CallPlan,
    Frame,
    HangUpCall,
    PressKey,
    StartBrowserCall,
)
from media_worker.control.admission import Admission, AdmissionError
from media_worker.conversation.ticker import Ticker
from media_worker.desk import NO_SUCH_CALL, Desk
from media_worker.variables import filled
from media_worker.webrtc.leg import WebRtcLeg
from media_worker.webrtc.room import PeerError, Room, RoomConfig

log = structlog.get_logger(__name__)

KEYS: Final = frozenset("0123456789*#ABCD")
FULL: Final = "This media worker has as many calls from browsers as it can take."
DRAINING: Final = "This media worker takes no new call any more."
NOT_WAITING: Final = "This call does not wait to be answered any more."
NO_SUCH_KEY: Final = "There is no such key on a telephone."


def open_room(
    config: WorkerConfig, calls: Calls, admission: Admission, **rest: Any
) -> BrowserCalls:
    """With its thread running; `rest` as BrowserCalls takes it."""
    room = Room(
        RoomConfig(
            clock_rate=config.clock_rate,
            address=config.webrtc_address,
            ice_servers=config.ice_servers,
        )
    )
    room.start()
    return BrowserCalls(room, calls, admission, most=config.browser_calls, **rest)


class BrowserCalls:
    """At most `most` at once. `spawn` runs work beside the others, `tell` sends a frame up."""

    def __init__(
        self,
        room: Room,
        calls: Calls,
        admission: Admission,
        *,
        most: int,
        clock: Ticker,
        activity: VoiceActivity,
        spawn: Callable[[Coroutine[Any, Any, None]], None],
        tell: Callable[[Frame], Awaitable[bool]],
        is_draining: Callable[[], bool],
    ) -> None:
        self._room = room
        self._calls = calls
        self._admission = admission
        self._most = most
        self._clock = clock
        self._activity = activity
        self._spawn = spawn
        self._tell = tell
        self._is_draining = is_draining
        self._legs: dict[str, WebRtcLeg | None] = {}
        """By call; None while it is being set up."""
        self._left: set[str] = set()
        """Calls whose person went before they were set up."""

    @property
    def active(self) -> int:
        return len(self._legs)

    def join(self, desk: Desk) -> None:
        """Take on the commands that are about calls from browsers."""
        desk.take_on(StartBrowserCall, self.start)
        desk.take_on(PressKey, self.press)
        desk.take_on(HangUpCall, lambda command: self._hang_up(command, desk))

    async def start(self, command: StartBrowserCall) -> str:
        """Answer an offer; why not, or nothing."""
        call_id = command.call_id
        if call_id in self._legs:
            return NOT_WAITING
        if self._is_draining() or self.active >= self._most:
            return await self._refuse(call_id, DRAINING if self._is_draining() else FULL)
        came_at = self._clock.now()
        self._legs[call_id] = None
        try:
            why_not = await self._begin(command, came_at)
        except BaseException:
            self._legs.pop(call_id, None)
            raise
        finally:
            self._left.discard(call_id)
        if why_not:
            self._legs.pop(call_id, None)
            return await self._refuse(call_id, why_not)
        return ""

    async def press(self, command: PressKey) -> str:
        """A key of the pad on the page; why not, or nothing."""
        leg = self._legs.get(command.call_id)
        if leg is None:
            return NO_SUCH_CALL
        if command.digit not in KEYS:
            return NO_SUCH_KEY
        leg.press(command.digit)
        return ""

    async def close(self) -> None:
        await self._room.close()

    async def _hang_up(self, command: HangUpCall, desk: Desk) -> str:
        """Also of a call that nobody holds yet: it would ring on, and take somebody's place."""
        why_not = await desk.hang_up(command)
        if not why_not or command.call_id not in self._legs:
            return why_not
        leg = self._legs[command.call_id]
        if leg is None:
            self._left.add(command.call_id)
        else:
            await leg.leave()
        return ""

    async def _begin(self, command: StartBrowserCall, came_at: float) -> str:
        try:
            plan = await self._admission.waiting_plan(command.call_id)
        except AdmissionError as error:
            return error.detail
        if not isinstance(plan, CallPlan):
            return plan.detail or plan.reason.value if plan else NOT_WAITING
        try:
            leg, answer = await self._room.answer(command.sdp)
        except PeerError as error:
            return str(error)
        self._legs[command.call_id] = leg
        if command.call_id in self._left:
            await leg.leave()
        self._spawn(self._hold(leg, plan, came_at))
        await self._tell(BrowserCallAnswer(call_id=command.call_id, sdp=answer))
        return ""

    async def _hold(self, leg: WebRtcLeg, plan: CallPlan, came_at: float) -> None:
        structlog.contextvars.bind_contextvars(call=plan.call_id)
        # It cannot be transferred, so the agent shall not promise it.
        tools = msgspec.structs.replace(plan.tools, transfer_targets=())
        plan = filled(msgspec.structs.replace(plan, tools=tools))
        try:
            await self._calls.hold(leg, plan, self._activity, came_at)
        except Exception:
            log.exception("worker.call_failed")
            await leg.hang_up()
        finally:
            self._legs.pop(plan.call_id, None)

    async def _refuse(self, call_id: str, why: str) -> str:
        await self._tell(BrowserCallAnswer(call_id=call_id, refused=why))
        return why
