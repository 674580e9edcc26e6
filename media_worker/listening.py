"""Listening in: the sound of a call on its way to somebody who watches it.

It comes from behind the recorder, whose thread takes what goes each way out of the call's tap; the
media thread and the call itself know nothing of it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final

import numpy as np
import structlog

from media_worker.audio.formats import Encoder
from media_worker.calls import Calls
from media_worker.contract import (
    AudioFormat,
    Frame,
    ListenAudio,
    ListenEnded,
    StartListening,
    StopListening,
)
from media_worker.desk import NO_SUCH_CALL, Desk
from media_worker.recording.recorder import Recording

log = structlog.get_logger(__name__)

MOST_LISTENERS: Final = 4
PIECE_MS: Final = 100
PIECE_OCTETS: Final = 800
"""Of PCMU, 8 an ms."""
FULL: Final = "As many people as possible listen on this media worker already."
NOT_ANSWERED: Final = "The call has not been answered yet."


class _Listener:
    """Makes pieces of what the recorder's thread gives it."""

    def __init__(
        self, listen_id: str, recording: Recording, send: Callable[[ListenAudio], None]
    ) -> None:
        self.listen_id = listen_id
        self.recording = recording
        self._send = send
        rate = recording.tap.clock_rate
        self._encoders = [Encoder(AudioFormat.PCMU, rate) for _ in range(2)]
        self._sides = [bytearray(), bytearray()]
        self._began_ms: int | None = None
        self._seq = 0

    def take(self, at_ms: int, pcm: bytes) -> None:
        """Stereo PCM, caller left, that begins at `at_ms` of the call. Recorder's thread."""
        if self._began_ms is None:
            self._began_ms = at_ms
        frames = np.frombuffer(pcm, "<i2").reshape(-1, 2)
        for number, encoder in enumerate(self._encoders):
            self._sides[number] += encoder.encode(np.ascontiguousarray(frames[:, number]).tobytes())
        while min(map(len, self._sides)) >= PIECE_OCTETS:
            caller, agent = (bytes(side[:PIECE_OCTETS]) for side in self._sides)
            for side in self._sides:
                del side[:PIECE_OCTETS]
            self._send(self._piece(caller, agent))

    def _piece(self, caller: bytes, agent: bytes) -> ListenAudio:
        self._seq += 1
        at_ms = (self._began_ms or 0) + (self._seq - 1) * PIECE_MS
        return ListenAudio(
            listen_id=self.listen_id, seq=self._seq, at_ms=at_ms, caller=caller, agent=agent
        )


class Listening:
    """`hear` sends a piece when there is room for it, `tell` sends a frame surely."""

    def __init__(
        self,
        calls: Calls,
        *,
        hear: Callable[[ListenAudio], None],
        tell: Callable[[Frame], None],
    ) -> None:
        self._calls = calls
        self._hear = hear
        self._tell = tell
        self._loop = asyncio.get_running_loop()
        self._listeners: dict[str, tuple[str, _Listener]] = {}
        """By listen_id: the call, and who makes its pieces."""
        calls.on_over = self._call_over

    def join(self, desk: Desk) -> None:
        """Take on the commands that are about listening."""
        desk.take_on(StartListening, self._start)
        desk.take_on(StopListening, self._stop)

    async def _start(self, command: StartListening) -> str:
        call_id, listen_id = command.call_id, command.listen_id
        if listen_id in self._listeners:
            return ""
        if len(self._listeners) >= MOST_LISTENERS:
            return FULL
        if call_id not in self._calls.by_id:
            return NO_SUCH_CALL
        recording = await self._calls.overheard(call_id)
        if recording is None:
            return NOT_ANSWERED
        listener = _Listener(listen_id, recording, self._post)
        self._listeners[listen_id] = call_id, listener
        recording.sinks = (*recording.sinks, listener.take)
        return ""

    async def _stop(self, command: StopListening) -> str:
        self._leave(command.listen_id)
        return ""

    def _leave(self, listen_id: str) -> None:
        _, listener = self._listeners.pop(listen_id, ("", None))
        if listener is not None:
            sinks = listener.recording.sinks
            listener.recording.sinks = tuple(sink for sink in sinks if sink != listener.take)

    def _call_over(self, call_id: str) -> None:
        for listen_id in [one for one, (of, _) in self._listeners.items() if of == call_id]:
            self._leave(listen_id)
            self._tell(ListenEnded(listen_id=listen_id))

    def _post(self, piece: ListenAudio) -> None:
        """Recorder's thread."""
        self._loop.call_soon_threadsafe(self._hear, piece)
