"""Which of the caller's audio goes to the provider where only speech shall. Pure."""

from __future__ import annotations

from typing import Final

from media_worker.contract import Settings, VadMode

LEAST_PRE_ROLL_MS: Final = 300
LAG_MS: Final = 200
"""Our own VAD knows of a beginning so long after it, with the frames of one chunk."""
SERVER_MARGIN_MS: Final = 500
"""Beyond the silence that the provider waits for: it may hear the end later than we do."""
SEMANTIC_TAIL_MS: Final = 2000
"""A model that weighs what was said needs to hear the pause after it."""


class Gate:
    """Lets speech through, with what came just before it and the silence that ends it."""

    def __init__(self, bytes_per_ms: int, *, pre_roll_ms: int, tail_ms: int) -> None:
        self._pre_roll = pre_roll_ms * bytes_per_ms
        self._tail = tail_ms * bytes_per_ms
        self._tail_left = 0
        self._kept = bytearray()

    @property
    def kept_bytes(self) -> int:
        """Not sent so far, but may be yet."""
        return len(self._kept)

    def feed(self, pcm: bytes) -> None:
        self._kept += pcm

    def release(self, *, is_open: bool) -> tuple[bytes, int]:
        """What goes out now, and how many bytes after it never will."""
        if is_open:
            self._tail_left = self._tail
            return self._take(len(self._kept)), 0
        out = self._take(min(self._tail_left, len(self._kept)))
        self._tail_left -= len(out)
        surplus = max(0, len(self._kept) - self._pre_roll)
        del self._kept[:surplus]
        return out, surplus

    def clear(self) -> int:
        """What waits will never be sent; how many bytes that is."""
        self._tail_left = 0
        return len(self._take(len(self._kept)))

    def _take(self, size: int) -> bytes:
        taken = bytes(self._kept[:size])
        del self._kept[:size]
        return taken


def gate_of(settings: Settings, clock_rate: int) -> Gate:
    """`tail_ms` counts from where our own VAD says the end, `silence_duration_ms` after it."""
    match settings.vad_mode:
        case VadMode.SERVER:
            tail_ms = SERVER_MARGIN_MS
        case VadMode.SEMANTIC:
            tail_ms = max(0, SEMANTIC_TAIL_MS - settings.silence_duration_ms)
        case VadMode.LOCAL:
            tail_ms = 0
    pre_roll_ms = max(LEAST_PRE_ROLL_MS, settings.prefix_padding_ms) + LAG_MS
    return Gate(clock_rate * 2 // 1000, pre_roll_ms=pre_roll_ms, tail_ms=tail_ms)
