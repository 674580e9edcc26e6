"""A call's end of the conference bridge in Python: two callbacks of the media thread.

Every build can do this; the build of `make pjsua2` has a port without Python (`ring.py`), which is
used for calls where it is there.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

import pjsua2 as pj

from media_worker.audio.capture import Capture, FrameSource
from media_worker.audio.outlet import FRAME_MS, FrameQueue, Outlet, frame_bytes
from media_worker.audio.tap import Tap
from media_worker.sip.frames import FrameCopy


class Port(Protocol):
    """A port of the bridge. On the pjsip thread only."""

    def connect(self, audio: Any) -> None:
        """Join a call's stream (pj.AudioMedia) both ways; harmless when it is joined."""
        ...

    def record(self, tap: Tap) -> None:
        """From now on `tap` gets what goes each way."""
        ...

    def open(self) -> None:
        """Audio flows from now on."""
        ...

    def close(self) -> None:
        """No audio either way: the call is held, or over."""
        ...

    def destroy(self) -> None: ...


class CallAudio(Protocol):
    """Both directions of a call's audio, and the port that moves them."""

    @property
    def capture(self) -> FrameSource: ...

    @property
    def outlet(self) -> Outlet: ...

    def new_port(self, name: str) -> Port:
        """Join the bridge. On the pjsip thread."""
        ...


class PythonAudio:
    """A call's audio through Python callbacks. `put` takes the frames instead of `capture`."""

    def __init__(
        self,
        copy: FrameCopy,
        clock_rate: int,
        *,
        put: Callable[[bytes], None] | None = None,
        outlet: FrameQueue | None = None,
    ) -> None:
        self.clock_rate = clock_rate
        self.capture = Capture(clock_rate)
        self.outlet = outlet or FrameQueue(clock_rate)
        self._put = put or self.capture.put
        self._copy = copy

    def new_port(self, name: str) -> AudioPort:
        port = AudioPort(
            self._copy,
            self.clock_rate,
            take=self._put,
            give=self.outlet.next_frame,
            start_clock=self.outlet.start_clock,
        )
        port.create(name)
        return port


class AudioPort(pj.AudioMediaPort):
    """Takes the peer's audio frame by frame, and gives ours.

    `take` gets 20 ms of 16-bit mono PCM each 20 ms while the port is open, silence where the peer
    sent nothing; `give` must return 20 ms. Both run on the media thread: no lock, no log, no wait.
    """

    def __init__(
        self,
        copy: FrameCopy,
        clock_rate: int,
        *,
        take: Callable[[bytes], None],
        give: Callable[[], bytes],
        start_clock: Callable[[], None],
    ) -> None:
        super().__init__()
        self._is_open = False
        self._clock_rate = clock_rate
        self._read = copy.read
        self._write = copy.new_writer()
        self._take = take
        self._give = give
        self._start_clock = start_clock
        self._frame_bytes = frame_bytes(clock_rate)
        self._silence = bytes(self._frame_bytes)
        self._given = self._silence
        self._tap: Tap | None = None

    def create(self, name: str) -> None:
        """Join the conference bridge; frames may come from now on."""
        fmt = pj.MediaFormatAudio()
        fmt.type = pj.PJMEDIA_TYPE_AUDIO
        fmt.clockRate, fmt.channelCount, fmt.bitsPerSample = self._clock_rate, 1, 16
        fmt.frameTimeUsec = FRAME_MS * 1000
        self.createPort(name, fmt)

    def connect(self, audio: Any) -> None:
        audio.startTransmit(self)
        self.startTransmit(audio)

    def record(self, tap: Tap) -> None:
        self._tap = tap

    def open(self) -> None:
        if not self._is_open:
            self._start_clock()
            self._is_open = True

    def close(self) -> None:
        self._is_open = False

    def destroy(self) -> None:
        """Leave the bridge and free the C++ part, while the Python part is still whole.

        Left to Python, an instance loses its attributes first, and the media thread may be in a
        callback just then. pjsip thread only.
        """
        pj.AudioMediaPort.__swig_destroy__(self)

    def onFrameReceived(self, frame: Any) -> None:  # noqa: N802 - pjsua2's name
        if not self._is_open:
            return
        data = self._read(frame.buf) if frame.size else self._silence
        if len(data) != self._frame_bytes:
            data = self._silence
        self._take(data)
        if self._tap is not None:
            self._tap.put(data, self._given)

    def onFrameRequested(self, frame: Any) -> None:  # noqa: N802 - pjsua2's name
        """Comes before `onFrameReceived` at each tick."""
        frame.type = pj.PJMEDIA_FRAME_TYPE_AUDIO
        self._given = self._give() if self._is_open else self._silence
        self._write(frame, self._given)
