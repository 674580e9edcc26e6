"""A caller without a telephone: `python -m media_worker.phone --to sip:... --say "a | b"`.

Dials, waits until the agent has finished speaking, says the next sentence, and so on; hangs up
after the last reply, or follows a transfer. Prints JSON lines: calling (sip_call_id), answered
(codec), heard (ms of speech), said (text), transferring (target), transferred (target),
transfer_failed (target, status), ended (status, reason), failed (error). Exit status 0 only when
the call was answered and the agent was heard.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import logging
import signal
import sys
import wave
from pathlib import Path
from typing import Any, Final

from media_worker import speech
from media_worker.sip.config import SipError
from media_worker.sip.phone import Phone, PhoneCall

RATE: Final = 8000
FIRST_CALL: Final = 1
RING_SECONDS: Final = 30.0
TRANSFER_SECONDS: Final = 30.0
"""A transfer that was asked for is followed for so long."""
LONGEST_SPEECH_SECONDS: Final = 120.0
INTERRUPTED: Final = 130
PAUSE_MS: Final = 800
"""Silence after speech that means the agent has finished."""


class Caller:
    """One call with sentences to say."""

    def __init__(self, sentences: list[str], language: str, reply_seconds: float) -> None:
        self._sentences = sentences
        self._language = language
        self._reply_seconds = reply_seconds
        self._phone = Phone(on_event=self._note)
        self._heard_ms = 0
        self._targets: dict[int, str] = {}
        """Transfers under way, by the number of the call to the target."""

    async def run(self, to: str, wav_out: Path | None) -> bool:
        """Whether the call was answered and the agent was heard. Hangs up at SIGTERM and Ctrl-C."""
        task = asyncio.current_task()
        assert task is not None  # noqa: S101 - a coroutine that runs is in a task
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
        spoken = [
            (text, await asyncio.to_thread(speech.render, text, self._language, RATE))
            for text in self._sentences
        ]
        await self._phone.start()
        call: PhoneCall | None = None
        try:
            call = await self._phone.call(to)
            await self._talk(call, spoken)
        finally:
            await self._phone.stop()
            if call is not None and wav_out is not None:
                _write_wav(wav_out, call.heard.pcm())
        return call.answered.done() and call.heard.speech_ms > 0

    async def _talk(self, call: PhoneCall, spoken: list[tuple[str, bytes]]) -> None:
        if not await self._is_answered(call):
            return
        try:
            await self._listen(call, since=0.0)
            for text, pcm in spoken:
                say({"event": "said", "text": text})
                _, ended = await call.play(pcm)
                await self._listen(call, since=ended)
            if self._targets:
                await asyncio.wait([call.ended], timeout=TRANSFER_SECONDS)
        except SipError as error:
            if not call.ended.done():
                say({"event": "failed", "error": str(error)})
        if not call.ended.done():
            await call.hang_up()

    async def _is_answered(self, call: PhoneCall) -> bool:
        outcomes: list[asyncio.Future[Any]] = [call.answered, call.ended]
        await asyncio.wait(outcomes, timeout=RING_SECONDS, return_when=asyncio.FIRST_COMPLETED)
        if not call.answered.done() and not call.ended.done():
            say({"event": "failed", "error": f"No answer in {RING_SECONDS:g} s."})
            await call.hang_up()
        return call.answered.done()

    async def _listen(self, call: PhoneCall, *, since: float) -> None:
        """Until the agent has spoken and stopped."""
        await call.wait_for_speech(self._reply_seconds, since)
        await call.wait_for_silence(LONGEST_SPEECH_SECONDS, PAUSE_MS)
        heard = call.heard.speech_ms
        say({"event": "heard", "ms": heard - self._heard_ms})
        self._heard_ms = heard

    def _note(self, event: str, facts: dict[str, Any]) -> None:
        number = facts.get("call")
        target = self._targets.get(number or 0)
        if event == "transfer_requested":
            self._targets[facts["new_call"]] = facts["target"]
            say({"event": "transferring", "at": facts["at"], "target": facts["target"]})
        elif target and event == "answered":
            say({"event": "transferred", "at": facts["at"], "target": target})
        elif target and event == "ended" and facts["status"] >= 300:
            del self._targets[facts["call"]]
            say(
                {
                    "event": "transfer_failed",
                    "at": facts["at"],
                    "target": target,
                    "status": facts["status"],
                }
            )
        elif number == FIRST_CALL and event in ("calling", "answered", "ended"):
            say({"event": event, **facts})


def say(line: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(line, ensure_ascii=False) + "\n")
    sys.stdout.flush()


def _write_wav(path: Path, pcm: bytes) -> None:
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(RATE)
        file.writeframes(pcm)


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="media_worker.phone", description=__doc__)
    parser.add_argument("--to", required=True, help="sip:user@host:port[;transport=udp|tcp|tls]")
    parser.add_argument("--say", default="", help='sentences, e.g. "hello | sales please"')
    parser.add_argument("--language", default="en", help="of the sentences (ISO 639-1)")
    parser.add_argument(
        "--reply-seconds", type=float, default=30.0, help="how long the agent may take to speak"
    )
    parser.add_argument("--wav-out", type=Path, help="write what was heard to this file")
    options = parser.parse_args(arguments)
    logging.basicConfig(stream=sys.stderr, level=logging.WARNING)
    sentences = [text.strip() for text in options.say.split("|") if text.strip()]
    try:
        caller = Caller(sentences, options.language, options.reply_seconds)
        heard = asyncio.run(caller.run(options.to, options.wav_out))
    except (SipError, speech.SpeechError) as error:
        say({"event": "failed", "error": str(error)})
        return 1
    except (KeyboardInterrupt, asyncio.CancelledError):
        return INTERRUPTED
    return 0 if heard else 1


if __name__ == "__main__":
    raise SystemExit(main())
