"""A telephone for tests and for `make call`: calls, plays, listens, obeys a transfer, answers.

`python -m media_worker.sip.phone` is the same as a process that is driven by JSON lines
(see `phone_process`), because pjsua2 is one endpoint a process.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from dataclasses import replace
from itertools import count
from time import monotonic
from typing import Any, Final

import pjsua2 as pj

from media_worker.audio.outlet import FrameQueue
from media_worker.audio.playout import Playout
from media_worker.conversation.leg import LineQuality
from media_worker.sip.call import CallRoom, PjCall, account_settings
from media_worker.sip.config import SipConfig, SipError
from media_worker.sip.engine import Engine, guarded, reason_of
from media_worker.sip.message import parse_address, parse_request, user_of
from media_worker.sip.port import PythonAudio
from media_worker.sip.recording import Recording

logger = logging.getLogger(__name__)

PHONE_CONFIG: Final = SipConfig(
    port=0, rtp_port=0, dials_tls=True, max_calls=4, media_timeout_seconds=0,
    srtp=False,
    user="phone", user_agent="pbxai test phone",
)  # fmt: skip
LISTEN_SECONDS: Final = 0.02
PLAY_SLACK_SECONDS: Final = 30.0
"""A sound may wait so long for the call's answer."""

PhoneEvent = Callable[[str, dict[str, Any]], None]
"""Name and what belongs to it; `at` is `time.monotonic()`."""


class PhoneCall:
    """One call of the phone. Methods on the event loop, `on_*` on the pjsip thread."""

    def __init__(self, phone: Phone, number: int, peer: str) -> None:
        self.number = number
        self.peer = peer
        self.sip_call_id = ""
        self.codec = ""
        self.heard = Recording()
        self.digits = ""
        self.answered: asyncio.Future[str] = phone.loop.create_future()
        """The codec. Never set when the call is refused."""
        self.ended: asyncio.Future[tuple[int, str]] = phone.loop.create_future()
        """Status and reason; a BYE has 200."""
        self.outlet = FrameQueue(phone.engine.config.clock_rate)
        self.playout = Playout(phone.engine.config.clock_rate, self.outlet)
        self._phone = phone
        self._plays = count(1)
        self.key = 0

    async def play(self, pcm: bytes) -> tuple[float, float]:
        """Say it (16-bit PCM at the clock rate); returns when its first and last frame went out."""
        item = f"play-{next(self._plays)}"
        self.playout.append(item, pcm)
        self.playout.finish(item)
        limit = len(pcm) / 2 / self.playout.clock_rate + PLAY_SLACK_SECONDS
        done = self.playout.is_done
        await self._until(lambda: done(item), limit, "the sound was not played")
        began = self.playout.first_played_at(item) or monotonic()
        return began, self.playout.last_played_at() or began

    async def wait_for_speech(self, timeout: float, since: float | None = None) -> float:  # noqa: ASYNC109
        """Until the far end speaks (after `since`, default now); when the last loud frame came."""
        since = monotonic() if since is None else since
        await self._until(lambda: self.heard.spoke_since(since), timeout, "no speech was heard")
        return self.heard.last_loud_at or since

    async def wait_for_silence(self, timeout: float, silence_ms: int = 800) -> float:  # noqa: ASYNC109
        """Until the far end has been silent for so long; when its last loud frame came."""
        await self._until(
            lambda: self.heard.silent_ms() >= silence_ms, timeout, "the other side did not stop"
        )
        return self.heard.last_loud_at or monotonic()

    async def dtmf(self, digits: str) -> None:
        """RFC 4733 telephone events."""
        await self._do(lambda call: call.dialDtmf(digits))

    async def hold(self) -> None:
        await self._do(lambda call: call.setHold(pj.CallOpParam(True)))

    async def unhold(self) -> None:
        def reinvite(call: PjCall) -> None:
            prm = pj.CallOpParam(True)
            prm.opt.flag = pj.PJSUA_CALL_UNHOLD
            call.reinvite(prm)

        await self._do(reinvite)

    async def hang_up(self) -> None:
        """BYE, or CANCEL before the answer; returns when the call has ended."""
        await self._do(lambda call: call.end())
        await self.ended

    async def _do(self, action: Callable[[PjCall], None]) -> None:
        def act() -> None:
            call = self._phone.room.get(self.key)
            if call is None:
                raise SipError("The call is over.")
            action(call)

        await self._phone.engine.run(act)

    async def _until(self, happened: Callable[[], bool], seconds: float, complaint: str) -> None:
        deadline = monotonic() + seconds
        while not happened():
            if self.ended.done():
                raise SipError(f"The call ended: {complaint}.")
            if monotonic() > deadline:
                raise SipError(f"In {seconds:g} s {complaint}.")
            await asyncio.sleep(LISTEN_SECONDS)

    # --- pjsip thread (CallEvents) ---------------------------------------------------------------

    def on_progress(self, status: int, reason: str) -> None:
        self._tell("progress", status=status, reason=reason)

    def on_answered(self, codec: str) -> None:
        self.codec = codec
        self._phone.engine.to_loop(_set, self.answered, codec)
        self._tell("answered", codec=codec)

    def on_held(self, held: bool) -> None:
        self._tell("held", held=held)

    def on_dtmf(self, digit: str) -> None:
        self.digits += digit
        self._tell("dtmf", digit=digit)

    def on_delay(self, delay_ms: float) -> None:
        """Of no interest to a phone."""

    def on_ended(self, status: int, reason: str, _quality: LineQuality | None) -> None:
        self._phone.engine.to_loop(_set, self.ended, (status, reason))
        self._tell("ended", status=status, reason=reason)

    def on_transfer_status(self, status: int, reason: str, final: bool) -> None:
        """The phone itself transfers nobody."""

    def on_transfer_request(self, uri: str) -> PjCall | None:
        if not self._phone.obeys_refer:
            self._tell("transfer_refused", target=uri)
            return None
        pj_call, call = self._phone.prepare(uri)
        self._tell("transfer_requested", target=uri, new_call=call.number)
        return pj_call

    def _tell(self, event: str, **facts: Any) -> None:
        self._phone.tell(event, call=self.number, **facts)


class Phone:
    """A SIP phone without registration. One a process.

    `answers`: status for incoming calls, 200 to take them. `obeys_refer`: follow a transfer by
    really calling its target. `on_event` hears of everything, on the event loop's thread.
    """

    def __init__(
        self,
        config: SipConfig = PHONE_CONFIG,
        *,
        answers: int = 200,
        obeys_refer: bool = True,
        on_event: PhoneEvent | None = None,
    ) -> None:
        self.engine = Engine(config)
        self.room = CallRoom(self.engine)
        self.obeys_refer = obeys_refer
        self.calls: dict[int, PhoneCall] = {}
        self.loop: asyncio.AbstractEventLoop
        self._answers = answers
        self._on_event = on_event
        self._numbers = count(1)
        self.engine.setup = self._open_account
        self.engine.goodbye = lambda: self.room.hang_up_all("Phone switched off")
        self.engine.is_quiet = lambda: not self.room.calls
        self.engine.teardown = self.room.close

    async def start(self) -> None:
        self.loop = asyncio.get_running_loop()
        await self.engine.start()

    async def stop(self) -> None:
        await self.engine.stop()

    @property
    def ports(self) -> dict[str, int]:
        return dict(self.engine.ports)

    async def call(self, uri: str, headers: dict[str, str] | None = None) -> PhoneCall:
        """Dial `sip:user@host:port[;transport=udp|tcp|tls]`; raises SipError for what is no URI."""
        return await self.engine.run(lambda: self._dial(uri, headers or {}))

    def tell(self, event: str, **facts: Any) -> None:
        """From any thread."""
        if self._on_event is not None:
            self.engine.to_loop(self._on_event, event, {"at": monotonic(), **facts})

    # --- pjsip thread ----------------------------------------------------------------------------

    def prepare(self, peer: str, call_id: int = pj.PJSUA_INVALID_ID) -> tuple[PjCall, PhoneCall]:
        """A call object that pjsua fills in, and ours."""
        call = PhoneCall(self, next(self._numbers), peer)
        audio = PythonAudio(
            self.engine.copy,
            self.engine.config.clock_rate,
            put=call.heard.put,
            outlet=call.outlet,
        )
        pj_call = PjCall(self.room, call, audio=audio, call_id=call_id)
        call.key = pj_call.key
        self.calls[call.number] = call
        return pj_call, call

    def _dial(self, uri: str, headers: dict[str, str]) -> PhoneCall:
        pj_call, call = self.prepare(uri)
        try:
            pj_call.dial(uri, headers)
        except pj.Error as error:
            self.room.remove(pj_call)
            raise SipError(f"Cannot call {uri}: {reason_of(error)}") from None
        call.sip_call_id = pj_call.getInfo().callIdString
        self.tell("calling", call=call.number, to=uri, sip_call_id=call.sip_call_id)
        return call

    def _open_account(self) -> None:
        account = _PhoneAccount(self._take)
        account.create(account_settings(self.engine), True)
        self.room.account = account

    def _take(self, call_id: int, text: str) -> None:
        request = parse_request(text)
        caller = parse_address(request.header("From"))
        pj_call, call = self.prepare(caller.uri, call_id)
        call.sip_call_id = request.header("Call-ID")
        self.tell("incoming", call=call.number, called=user_of(request.uri), calling=caller.user)
        if self._answers < 300:
            pj_call.respond(180)
            pj_call.respond(self._answers)
        else:
            pj_call.end(self._answers)


class _PhoneAccount(pj.Account):
    def __init__(self, take: Callable[[int, str], None]) -> None:
        super().__init__()
        self._take = take

    @guarded
    def onIncomingCall(self, prm: Any) -> None:  # noqa: N802 - pjsua2's name
        self._take(prm.callId, prm.rdata.wholeMsg)


def _set(future: asyncio.Future[Any], value: Any) -> None:
    if not future.done():
        future.set_result(value)


def callee_config(port: int, user: str = "callee") -> SipConfig:
    """For a phone that waits for calls on a known port."""
    return replace(PHONE_CONFIG, port=port, user=user)
