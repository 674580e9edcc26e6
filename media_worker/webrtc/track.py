"""The agent's speech on its way to a browser, as a track that aiortc's sender asks for frames."""

from __future__ import annotations

import asyncio
from fractions import Fraction
from typing import Any, Final

from aiortc import MediaStreamTrack
from aiortc.mediastreams import MediaStreamError
from av import AudioFrame, Packet

from media_worker.audio.g711 import encode_mu_law
from media_worker.audio.outlet import FRAME_MS

WAITING_FRAMES: Final = 5
"""For a sender that is held up; beyond it the oldest goes, so that nothing is said late."""


class AgentTrack(MediaStreamTrack):
    """Gives what it is given, and no faster: the sender asks again as soon as it is answered.

    `is_pcmu`: frames at 8 kHz are encoded here, without a hop to another thread for each.
    """

    kind = "audio"

    def __init__(self, clock_rate: int) -> None:
        super().__init__()
        self.is_pcmu = False
        self._clock_rate = clock_rate
        self._time_base = Fraction(1, clock_rate)
        self._samples = clock_rate * FRAME_MS // 1000
        self._frames: asyncio.Queue[bytes] = asyncio.Queue()
        self._pts = 0

    def put(self, pcm: bytes) -> None:
        """20 ms of 16-bit mono PCM, to be sent now."""
        if self._frames.qsize() >= WAITING_FRAMES:
            self._frames.get_nowait()
            self._pts += self._samples
        self._frames.put_nowait(pcm)

    async def recv(self) -> AudioFrame | Packet[Any]:
        if self.readyState != "live":
            raise MediaStreamError
        pcm = await self._frames.get()
        frame = self._packet(pcm) if self.is_pcmu else self._frame(pcm)
        frame.pts, frame.time_base = self._pts, self._time_base
        self._pts += self._samples
        return frame

    def _packet(self, pcm: bytes) -> Packet[Any]:
        return Packet(encode_mu_law(pcm))

    def _frame(self, pcm: bytes) -> AudioFrame:
        frame = AudioFrame(format="s16", layout="mono", samples=self._samples)
        frame.planes[0].update(pcm)
        frame.sample_rate = self._clock_rate
        return frame
