"""Drives a test phone in a process of its own (`phone_lines`), from asyncio. Knows no pjsua2."""

from __future__ import annotations

import asyncio
import base64
import json
import sys
from itertools import count
from types import TracebackType
from typing import Any, Final, Self

from media_worker.sip.config import SipError

LONGEST_LINE: Final = 64 * 1024 * 1024
START_SECONDS: Final = 60.0
STOP_SECONDS: Final = 30.0

Event = dict[str, Any]


class PhoneProcess:
    """`async with PhoneProcess(...) as phone: call = await phone.call("sip:...")`.

    Options: address, port (0: any; a fixed one to be called on), tls_port, user, srtp, codecs,
    answers (status for incoming calls, 200 takes them), obeys_refer, log_level.
    """

    def __init__(self, **options: Any) -> None:
        self.options = options
        self.ports: dict[str, int] = {}
        self.events: list[Event] = []
        """All that happened, in order."""
        self._changed = asyncio.Condition()
        self._ids = count(1)
        self._answers: dict[int, asyncio.Future[Event]] = {}
        self._process: asyncio.subprocess.Process
        self._reader: asyncio.Task[None]

    async def __aenter__(self) -> Self:
        self._process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "media_worker.sip.phone_lines", json.dumps(self.options),
            stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, limit=LONGEST_LINE,
        )  # fmt: skip
        self._reader = asyncio.create_task(self._read())
        first = await self.event(("ready", "failed"), seconds=START_SECONDS)
        if first["event"] == "failed":
            await self.stop()
            raise SipError(first["error"])
        self.ports = first["ports"]
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.stop()

    async def stop(self) -> int:
        """Switch the phone off (BYE to all); its exit status."""
        if self._process.stdin is not None:
            self._process.stdin.close()
        try:
            async with asyncio.timeout(STOP_SECONDS):
                status = await self._process.wait()
        except TimeoutError:
            self._process.kill()
            status = await self._process.wait()
        await self._reader
        return status

    async def call(self, to: str, headers: dict[str, str] | None = None) -> RemoteCall:
        answer = await self.do("call", to=to, headers=headers)
        return RemoteCall(self, answer["call"], answer["sip_call_id"])

    async def incoming(self, seconds: float = 30.0) -> RemoteCall:
        """The first call that came in."""
        event = await self.event("incoming", seconds=seconds)
        return RemoteCall(self, event["call"], "")

    async def do(self, command: str, **arguments: Any) -> Event:
        """One command; raises SipError with what the phone says."""
        identity = next(self._ids)
        future = self._answers[identity] = asyncio.get_running_loop().create_future()
        line = json.dumps({"id": identity, "do": command, **arguments}) + "\n"
        if self._process.stdin is None or self._process.returncode is not None:
            raise SipError("The phone is switched off.")
        self._process.stdin.write(line.encode())
        answer: Event = await future
        if not answer["ok"]:
            raise SipError(answer["error"])
        return answer

    async def event(
        self, name: str | tuple[str, ...], *, seconds: float = 30.0, **facts: Any
    ) -> Event:
        """The first event of that name with these facts, past or to come; SipError if none."""
        names = (name,) if isinstance(name, str) else name

        def find() -> Event | None:
            return next(
                (
                    event
                    for event in self.events
                    if event["event"] in names and facts.items() <= event.items()
                ),
                None,
            )

        try:
            async with asyncio.timeout(seconds), self._changed:
                await self._changed.wait_for(lambda: find() or self._reader.done())
        except TimeoutError:
            raise SipError(f"In {seconds:g} s no event {name} {facts or ''}.") from None
        event = find()
        if event is None:
            raise SipError(f"The phone ended without an event {name}.")
        return event

    async def _read(self) -> None:
        stdout = self._process.stdout
        while stdout is not None and (line := await stdout.readline()):
            message: Event = json.loads(line)
            if "event" in message:
                async with self._changed:
                    self.events.append(message)
                    self._changed.notify_all()
            elif (future := self._answers.pop(message["id"], None)) and not future.done():
                future.set_result(message)
        for future in self._answers.values():
            if not future.done():
                future.set_exception(SipError("The phone ended."))
        asyncio.get_running_loop().call_soon(self._wake)

    def _wake(self) -> None:
        """Those who wait for an event learn that none will come."""

        async def notify() -> None:
            async with self._changed:
                self._changed.notify_all()

        self._waker = asyncio.ensure_future(notify())


class RemoteCall:
    """One call of a phone in another process."""

    def __init__(self, phone: PhoneProcess, number: int, sip_call_id: str) -> None:
        self.phone = phone
        self.number = number
        self.sip_call_id = sip_call_id

    async def answered(self, seconds: float = 30.0) -> str:
        """The codec, e.g. `PCMU/8000`; SipError with the status when the call is refused."""
        event = await self.phone.event(("answered", "ended"), seconds=seconds, call=self.number)
        if event["event"] == "ended":
            raise SipError(f"Not answered: {event['status']} {event['reason']}")
        return str(event["codec"])

    async def ended(self, seconds: float = 30.0) -> tuple[int, str]:
        event = await self.phone.event("ended", seconds=seconds, call=self.number)
        return event["status"], event["reason"]

    async def play(self, pcm: bytes) -> tuple[float, float]:
        """When the first and the last frame of it went out."""
        answer = await self._do("play", pcm=base64.b64encode(pcm).decode())
        return answer["began"], answer["ended"]

    async def wait_for_speech(self, seconds: float = 30.0, since: float | None = None) -> float:
        """When the far end was heard speaking, after `since` (default: now)."""
        return float((await self._do("wait_speech", seconds=seconds, since=since))["at"])

    async def wait_for_silence(self, seconds: float = 60.0, silence_ms: int = 800) -> float:
        """When the far end was last heard, once it has been silent for so long."""
        answer = await self._do("wait_silence", seconds=seconds, silence_ms=silence_ms)
        return float(answer["at"])

    async def heard(self, since: float = 0.0) -> Heard:
        answer = await self._do("heard", since=since)
        return Heard(base64.b64decode(answer["pcm"]), answer["times"], answer["speech_ms"])

    async def dtmf(self, digits: str) -> None:
        await self._do("dtmf", digits=digits)

    async def hold(self) -> None:
        await self._do("hold")

    async def unhold(self) -> None:
        await self._do("unhold")

    async def hang_up(self) -> None:
        await self._do("hang_up")

    async def _do(self, command: str, **arguments: Any) -> Event:
        return await self.phone.do(command, call=self.number, **arguments)


class Heard:
    """What a call has heard: PCM at 8000 Hz and the arrival time of each of its 20 ms frames."""

    def __init__(self, pcm: bytes, times: list[float], speech_ms: int) -> None:
        self.pcm = pcm
        self.times = times
        self.speech_ms = speech_ms

    def frames(self) -> list[tuple[float, bytes]]:
        return [(at, self.pcm[i * 320 : (i + 1) * 320]) for i, at in enumerate(self.times)]
