"""Is the agent's audio what the provider declared? PCM played as G.711 is loud noise.

REALTIME.md section 5 ("format silently kept"). Pure: no I/O.
"""

from __future__ import annotations

from typing import Final

from media_worker.audio.formats import cannot_be_pcm16, is_surely_g711, looks_like_pcm16
from media_worker.contract import AudioFormat

NEEDED_BYTES: Final = 1600
"""200 ms of G.711, 33 ms of PCM at 24 kHz: enough to tell them apart."""
_G711: Final = frozenset({AudioFormat.PCMU, AudioFormat.PCMA})


class AudioCheck:
    """Holds the first speech of a session back until it is known to be what was declared."""

    def __init__(self, declared: AudioFormat) -> None:
        self.is_settled = declared not in _G711
        self._declared = declared
        self.is_pcm = False
        """Declared as G.711, but 16-bit PCM."""
        self._held: dict[str, bytes] = {}

    def feed(self, item_id: str, data: bytes) -> bytes:
        """What may be played now of this item; empty while it is held back."""
        if self.is_settled and not self._held:
            return data
        held = self._held.pop(item_id, b"") + data
        if self.is_settled or len(held) >= NEEDED_BYTES:
            return self._judge(held)
        if _is_silence(held):
            return held
        # whoever paces its audio would stay late by what is held back
        self.is_settled = is_surely_g711(held)
        if self.is_settled or cannot_be_pcm16(held, self._declared):
            return held
        self._held[item_id] = held
        return b""

    def finish(self, item_id: str) -> bytes:
        """The item ends: what is still held back of it."""
        held = self._held.pop(item_id, b"")
        return self._judge(held) if held else b""

    def _judge(self, held: bytes) -> bytes:
        if not self.is_settled:
            self.is_pcm = looks_like_pcm16(held)
            # silence says nothing: judge what comes next
            self.is_settled = self.is_pcm or (len(held) >= NEEDED_BYTES and not _is_silence(held))
        return held


def _is_silence(data: bytes) -> bool:
    """At rest in either reading: hardly more than one value."""
    return len(set(data)) <= 4
