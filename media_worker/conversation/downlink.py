"""The agent's speech on its way from the provider to the leg."""

from __future__ import annotations

from media_worker.audio.formats import Decoder
from media_worker.audio.playout import Cut, Playout
from media_worker.contract import AudioFormat


class Downlink:
    """Decodes item by item. A format that turns out to be another one takes effect at once."""

    def __init__(self, playout: Playout) -> None:
        self._playout = playout
        self._format: AudioFormat | None = None
        self._decoder: Decoder | None = None
        self._item_id: str | None = None

    def audio(self, item_id: str, data: bytes, fmt: AudioFormat) -> None:
        if self._playout.is_done(item_id):
            return  # cut off, and the provider does not know yet
        if item_id != self._item_id:
            self._finish_current()
            self._item_id = item_id
        if self._decoder is None or fmt is not self._format:
            self._decoder = Decoder(fmt, self._playout.clock_rate)
            self._format = fmt
        self._playout.append(item_id, self._decoder.decode(data))

    def finish(self, item_id: str) -> None:
        """No more audio comes for this item."""
        if item_id == self._item_id:
            self._finish_current()
        else:
            self._playout.finish(item_id)

    def stop(self) -> Cut | None:
        """Be silent from the next frame on."""
        cut = self._playout.flush()
        if self._decoder is not None:
            self._decoder.reset()
        self._item_id = None
        return cut

    def _finish_current(self) -> None:
        if self._item_id is None:
            return
        rest = self._decoder.finish() if self._decoder is not None else b""
        self._playout.finish(self._item_id, rest)
        self._item_id = None
