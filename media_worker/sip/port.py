"""The two callbacks of the media thread. They move bytes and do nothing else."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import pjsua2 as pj

from media_worker.sip.frames import FrameCopy

FRAME_MS: Final = 20


class AudioPort(pj.AudioMediaPort):
    """Takes the peer's audio frame by frame, and gives ours.

    `take` gets 20 ms of 16-bit mono PCM each 20 ms while the port is `open`, silence where the peer
    sent nothing; `give` must return 20 ms. Both run on the media thread: no lock, no log, no wait.
    """

    def __init__(
        self,
        copy: FrameCopy,
        clock_rate: int,
        *,
        take: Callable[[bytes], None],
        give: Callable[[], bytes],
    ) -> None:
        super().__init__()
        self.open = False
        """Closed before the call is answered and while it is held: no audio either way."""
        self._read = copy.read
        self._write = copy.new_writer()
        self._take = take
        self._give = give
        self._silence = bytes(clock_rate * FRAME_MS // 1000 * 2)
        self._frame_bytes = len(self._silence)

    def create(self, name: str, clock_rate: int) -> None:
        """Join the conference bridge; frames may come from now on."""
        fmt = pj.MediaFormatAudio()
        fmt.type = pj.PJMEDIA_TYPE_AUDIO
        fmt.clockRate, fmt.channelCount, fmt.bitsPerSample = clock_rate, 1, 16
        fmt.frameTimeUsec = FRAME_MS * 1000
        self.createPort(name, fmt)

    def destroy(self) -> None:
        """Leave the bridge and free the C++ part, while the Python part is still whole.

        Left to Python, an instance loses its attributes first, and the media thread may be in a
        callback just then. pjsip thread only.
        """
        pj.AudioMediaPort.__swig_destroy__(self)

    def onFrameReceived(self, frame: Any) -> None:  # noqa: N802 - pjsua2's name
        if not self.open:
            return
        size = frame.size
        data = self._read(frame.buf) if size else self._silence
        self._take(data if len(data) == self._frame_bytes else self._silence)

    def onFrameRequested(self, frame: Any) -> None:  # noqa: N802 - pjsua2's name
        frame.type = pj.PJMEDIA_FRAME_TYPE_AUDIO
        self._write(frame, self._give() if self.open else self._silence)
