"""The test phone as a process: commands in, answers and events out, one JSON object a line.

    -> {"id": 1, "do": "call", "to": "sip:100@127.0.0.1:5060;transport=tcp"}
    <- {"event": "calling", "at": 5.1, "call": 1, "to": "...", "sip_call_id": "..."}
    <- {"id": 1, "ok": true, "call": 1, "sip_call_id": "..."}
    <- {"event": "answered", "at": 5.2, "call": 1, "codec": "PCMU/8000"}

First line out: {"event": "ready", "ports": {"udp": ..., "tcp": ..., "tls": ...}}. Times are
CLOCK_MONOTONIC seconds, the same in every process of the machine. Audio is base64 of 16-bit PCM at
`clock_rate`, 8000 Hz where none is given. A command that fails is answered {"id": ...,
"ok": false, "error": "..."}. Commands run side by side: a long one (play, wait_*) does not hold up
the next. End of input switches it off.

Commands and what their answers add:
    call {to, headers?}                      call, sip_call_id
    play {call, pcm}                         began, ended     when it has been played
    wait_speech {call, seconds, since?}      at               of the latest loud frame
    wait_silence {call, seconds, silence_ms?} at              of the last loud frame
    heard {call, since?}                     pcm, times, speech_ms
    dtmf {call, digits} | hold {call} | unhold {call} | hang_up {call}
Events: calling, incoming (called, calling), progress (status), answered (codec), held (held),
    dtmf (digit), transfer_requested (target, new_call), transfer_refused, ended (status, reason)
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
import sys
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any, Final

from media_worker.sip.config import SipError
from media_worker.sip.phone import PHONE_CONFIG, Phone, PhoneCall

LONGEST_LINE: Final = 64 * 1024 * 1024
_OPTIONS: Final = (
    "address",
    "port",
    "tls_port",
    "user",
    "srtp",
    "codecs",
    "clock_rate",
    "log_level",
)

Answer = dict[str, Any]


class PhoneLines:
    """One phone and the commands that drive it."""

    def __init__(self, options: dict[str, Any]) -> None:
        known = {name: options[name] for name in _OPTIONS if name in options}
        if "codecs" in known:
            known["codecs"] = tuple(known["codecs"])
        self._phone = Phone(
            replace(PHONE_CONFIG, **known),
            answers=int(options.get("answers", 200)),
            obeys_refer=bool(options.get("obeys_refer", True)),
            on_event=lambda event, facts: _say({"event": event, **facts}),
        )
        self._tasks: set[asyncio.Task[None]] = set()
        self._commands: dict[str, Callable[..., Awaitable[Answer | None]]] = {
            "call": self._call,
            "play": self._play,
            "wait_speech": self._wait_speech,
            "wait_silence": self._wait_silence,
            "heard": self._heard,
            "dtmf": lambda call, digits: self._of(call).dtmf(digits),
            "hold": lambda call: self._of(call).hold(),
            "unhold": lambda call: self._of(call).unhold(),
            "hang_up": lambda call: self._of(call).hang_up(),
        }

    async def serve(self) -> None:
        await self._phone.start()
        _say({"event": "ready", "ports": self._phone.ports})
        reader = asyncio.StreamReader(limit=LONGEST_LINE)
        await asyncio.get_running_loop().connect_read_pipe(
            lambda: asyncio.StreamReaderProtocol(reader), sys.stdin
        )
        while line := await reader.readline():
            task = asyncio.create_task(self._obey(line))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        await self._phone.stop()

    async def _obey(self, line: bytes) -> None:
        identity = None
        try:
            command = json.loads(line)
            identity = command.pop("id")
            answer = await self._commands[command.pop("do")](**command)
        except (SipError, ValueError, TypeError, KeyError) as error:
            _say({"id": identity, "ok": False, "error": str(error) or repr(error)})
        else:
            _say({"id": identity, "ok": True, **(answer or {})})

    def _of(self, number: int) -> PhoneCall:
        call = self._phone.calls.get(number)
        if call is None:
            raise SipError(f"There is no call {number}.")
        return call

    async def _call(self, to: str, headers: dict[str, str] | None = None) -> Answer:
        call = await self._phone.call(to, headers)
        return {"call": call.number, "sip_call_id": call.sip_call_id}

    async def _play(self, call: int, pcm: str) -> Answer:
        began, ended = await self._of(call).play(base64.b64decode(pcm))
        return {"began": began, "ended": ended}

    async def _wait_speech(self, call: int, seconds: float, since: float | None = None) -> Answer:
        return {"at": await self._of(call).wait_for_speech(seconds, since)}

    async def _wait_silence(self, call: int, seconds: float, silence_ms: int = 800) -> Answer:
        return {"at": await self._of(call).wait_for_silence(seconds, silence_ms)}

    async def _heard(self, call: int, since: float = 0.0) -> Answer:
        recording = self._of(call).heard
        recording.listen()
        frames = [(at, frame) for at, frame in recording.frames[:] if at >= since]
        return {
            "pcm": base64.b64encode(b"".join(frame for _, frame in frames)).decode(),
            "times": [round(at, 4) for at, _ in frames],
            "speech_ms": recording.speech_ms,
        }


def _say(line: dict[str, Any]) -> None:
    with contextlib.suppress(BrokenPipeError):  # whoever drove the phone is gone
        sys.stdout.write(json.dumps(line) + "\n")
        sys.stdout.flush()


def main() -> None:
    options = json.loads(sys.argv[1]) if len(sys.argv) > 1 else {}
    with contextlib.suppress(KeyboardInterrupt):
        try:
            asyncio.run(PhoneLines(options).serve())
        except SipError as error:
            _say({"event": "failed", "error": str(error)})
            raise SystemExit(1) from None


if __name__ == "__main__":
    main()
