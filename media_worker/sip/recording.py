"""What a test phone hears: frames with the time they came, and whether somebody speaks in them."""

from __future__ import annotations

from time import monotonic
from typing import Final

from media_worker.audio.vad import FRAME_MS, level_db

SPEECH_DB: Final = -45.0
"""Louder than this is speech; the far end of a test sends digital silence otherwise."""
_SURE_FRAMES: Final = 3
"""So many loud frames in a row are speech, not a click."""


class Recording:
    """Frames of 20 ms; `put` belongs to the media thread, all else to the event loop."""

    def __init__(self) -> None:
        self.frames: list[tuple[float, bytes]] = []
        """`time.monotonic()` of arrival, 16-bit PCM at 8000 Hz."""
        self.speech_ms = 0
        """Milliseconds of speech heard so far."""
        self.last_loud_at: float | None = None
        self._read = 0
        self._run = 0
        self._loud_frames = 0
        """Frames up to the last loud one."""

    def put(self, frame: bytes) -> None:
        self.frames.append((monotonic(), frame))

    def pcm(self, since: float = 0.0) -> bytes:
        """All audio that came at `since` or later."""
        return b"".join(frame for at, frame in self.frames[:] if at >= since)

    def listen(self) -> None:
        """Look at what came since the last call."""
        for at, frame in self.frames[self._read :]:
            self._read += 1
            self._run = self._run + 1 if level_db(frame) > SPEECH_DB else 0
            if self._run >= _SURE_FRAMES:
                self.speech_ms += FRAME_MS * (_SURE_FRAMES if self._run == _SURE_FRAMES else 1)
                self.last_loud_at = at
                self._loud_frames = self._read

    def spoke_since(self, moment: float) -> bool:
        self.listen()
        return self.last_loud_at is not None and self.last_loud_at > moment

    def silent_ms(self) -> int:
        """For how much audio nobody has spoken; 0 before anything was heard. A moment without any
        frames, on a busy machine, is not silence."""
        self.listen()
        return (self._read - self._loud_frames) * FRAME_MS if self._loud_frames else 0
