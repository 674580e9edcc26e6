"""A browser for tests: aiortc with a microphone that says what the test wants."""

from __future__ import annotations

import asyncio
from typing import Self

import numpy as np
from aiortc import MediaStreamTrack, RTCConfiguration, RTCPeerConnection, RTCSessionDescription
from aiortc.mediastreams import MediaStreamError
from av import AudioFrame, AudioResampler

from media_worker.webrtc.track import AgentTrack
from tests.support.wait import until

RATE = 8000
FRAME = RATE // 50 * 2
LOUD = 500


class Browser:
    """Sends silence, or what `says` is given, at 8 kHz; keeps what it hears."""

    def __init__(self) -> None:
        self.connection = RTCPeerConnection(RTCConfiguration(iceServers=[]))
        self.says = b""
        self.heard = bytearray()
        self._microphone = AgentTrack(RATE)
        self._tasks: list[asyncio.Task[None]] = []

    async def __aenter__(self) -> Self:
        self.connection.addTrack(self._microphone)
        self.connection.on("track", self._on_track)
        self._tasks.append(asyncio.create_task(self._speak()))
        return self

    async def __aexit__(self, *_: object) -> None:
        for task in self._tasks:
            task.cancel()
        await self.connection.close()

    async def offer(self) -> str:
        await self.connection.setLocalDescription(await self.connection.createOffer())
        return self.connection.localDescription.sdp

    async def take(self, answer: str) -> None:
        await self.connection.setRemoteDescription(RTCSessionDescription(answer, "answer"))

    def vanish(self) -> None:
        """The network is gone: nothing comes or goes any more, and nobody says so."""
        for transceiver in self.connection.getTransceivers():
            for protocol in transceiver.receiver.transport.transport._connection._protocols:
                protocol.transport.abort()

    async def state(self, *wanted: str) -> None:
        await until(lambda: self.connection.connectionState in wanted)

    @property
    def speech_ms(self) -> int:
        """How much of what it has heard was sound."""
        frames = [self.heard[at : at + FRAME] for at in range(0, len(self.heard), FRAME)]
        loud = sum(bool(np.abs(np.frombuffer(one, "<i2")).max() > LOUD) for one in frames)
        return loud * 20

    def _on_track(self, track: MediaStreamTrack) -> None:
        self._tasks.append(asyncio.create_task(self._listen(track)))

    async def _listen(self, track: MediaStreamTrack) -> None:
        resampler = AudioResampler(format="s16", layout="mono", rate=RATE)
        while True:
            try:
                frame = await track.recv()
            except MediaStreamError:
                return
            assert isinstance(frame, AudioFrame)
            for part in resampler.resample(frame):
                self.heard += bytes(part.planes[0])[: part.samples * 2]

    async def _speak(self) -> None:
        loop = asyncio.get_running_loop()
        due = loop.time()
        while True:
            due += 0.02
            await asyncio.sleep(due - loop.time())
            frame, self.says = self.says[:FRAME], self.says[FRAME:]
            self._microphone.put(frame.ljust(FRAME, b"\0"))
