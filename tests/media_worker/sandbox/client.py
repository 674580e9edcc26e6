"""A realtime client that knows nothing but WebSockets and JSON, and checks all that it gets."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from websockets.asyncio.client import ClientConnection, connect

from media_worker.audio import g711
from media_worker.sandbox import SandboxServer
from media_worker.speech import render
from tests.media_worker.sandbox.strict import validate

SECONDS = 60.0
GA_MODEL = "gpt-realtime-2.1"
BETA_MODEL = "gpt-4o-realtime-preview"
TRANSFER = {
    "type": "function",
    "name": "transfer_call",
    "description": "Connect the caller. Targets: sales: the sales department; support: help.",
    "parameters": {
        "type": "object",
        "properties": {"target": {"type": "string", "enum": ["sales", "support"]}},
        "required": ["target"],
    },
}
HANG_UP = {"type": "function", "name": "hang_up", "parameters": {"type": "object"}}


def encoded(pcm: bytes, fmt: str) -> bytes:
    """PCM16 at 8 kHz, or at 24 kHz for pcm, in a format of the wire."""
    if "pcma" in fmt or "alaw" in fmt:
        return g711.encode_a_law(pcm)
    return g711.encode_mu_law(pcm) if "pcmu" in fmt or "ulaw" in fmt else pcm


class Client:
    """`format` is the input format's name on the wire; `events` all that came, in order."""

    def __init__(self, socket: ClientConnection, *, beta: bool, check: bool) -> None:
        self.socket = socket
        self.beta = beta
        self.format = "pcm16" if beta else "audio/pcm"
        self.events: list[dict[str, Any]] = []
        self.session_id = ""
        self._check = check
        self._read = 0

    async def send(self, type_: str, **members: Any) -> None:
        await self.socket.send(json.dumps({"type": type_, **members}))

    async def next(self) -> dict[str, Any]:
        async with asyncio.timeout(SECONDS):
            frame = await self.socket.recv()
        if self._check:
            validate(frame, beta=self.beta)
        event: dict[str, Any] = json.loads(frame)
        self.events.append(event)
        return event

    async def until(self, type_: str) -> dict[str, Any]:
        """The next event of this type that comes from now on."""
        while True:
            event = await self.next()
            if event["type"] == type_:
                return event

    async def until_all(self, *types: str) -> dict[str, dict[str, Any]]:
        """One of each of these types, in any order."""
        found: dict[str, dict[str, Any]] = {}
        while len(found) < len(types):
            event = await self.next()
            if event["type"] in types:
                found.setdefault(event["type"], event)
        return found

    async def update(self, **session: Any) -> dict[str, Any]:
        """The session as it then stands."""
        body = session if self.beta else {"type": "realtime", **session}
        await self.send("session.update", session=body)
        updated = (await self.until("session.updated"))["session"]
        self.format = (
            updated["input_audio_format"]
            if self.beta
            else updated["audio"]["input"]["format"]["type"]
        )
        return updated

    async def refused(self, type_: str, **members: Any) -> dict[str, Any]:
        """The error that this event gets."""
        await self.send(type_, event_id="mine", **members)
        error = (await self.until("error"))["error"]
        assert error["event_id"] == "mine"
        return error

    async def append(self, pcm: bytes) -> None:
        """PCM16 at the input format's rate, in events of 100 ms, faster than real time."""
        data = encoded(pcm, self.format)
        size = 4800 if self.rate == 24000 else 800
        for start in range(0, len(data), size):
            audio = base64.b64encode(data[start : start + size]).decode()
            await self.send("input_audio_buffer.append", audio=audio)

    @property
    def rate(self) -> int:
        return 24000 if self.format in ("audio/pcm", "pcm16") else 8000

    async def silence(self, milliseconds: int) -> None:
        await self.append(bytes(self.rate // 1000 * 2 * milliseconds))

    async def say(self, words: str, *, before_ms: int = 300, after_ms: int = 800) -> None:
        """Speak, with silence around it."""
        await self.silence(before_ms)
        await self.append(render(words, "en", self.rate))
        await self.silence(after_ms)

    async def respond(self, **response: Any) -> dict[str, Any]:
        """The finished response."""
        await self.send("response.create", **({"response": response} if response else {}))
        return (await self.until("response.done"))["response"]

    def since(self, type_: str) -> list[dict[str, Any]]:
        """Events after the last one of this type."""
        places = [n for n, event in enumerate(self.events) if event["type"] == type_]
        return self.events[places[-1] + 1 :]

    def of(self, type_: str) -> list[dict[str, Any]]:
        return [event for event in self.events if event["type"] == type_]

    def audio(self, response_id: str) -> bytes:
        """All speech of a response, as it came."""
        return b"".join(
            base64.b64decode(event["delta"])
            for event in self.events
            if event["type"] in ("response.output_audio.delta", "response.audio.delta")
            and event["response_id"] == response_id
        )

    def words(self, response: dict[str, Any]) -> str:
        """What the agent said in a response."""
        return " ".join(
            part.get("transcript") or part.get("text") or ""
            for item in response["output"]
            for part in item.get("content", [])
        )


@asynccontextmanager
async def connected(
    server: SandboxServer, *, beta: bool = False, misbehave: str = "", check: bool = True
) -> AsyncIterator[Client]:
    """A session that has begun; `check`: every event must be of the API's types."""
    headers = {"Authorization": "Bearer sandbox-test"}
    if beta:
        headers["OpenAI-Beta"] = "realtime=v1"
    url = f"{server.url}?model={BETA_MODEL if beta else GA_MODEL}&misbehave={misbehave}"
    async with connect(url, additional_headers=headers, max_size=None, compression=None) as socket:
        client = Client(socket, beta=beta, check=check)
        client.session_id = (await client.until("session.created"))["session"]["id"]
        yield client
