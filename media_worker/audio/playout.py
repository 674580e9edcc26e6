"""The agent's audio on its way from the event loop to RTP, and exactly how much of it was heard.

One thread hands frames out (`next_frame`, the media thread), one puts audio in and asks (the event
loop). There is no lock: a frame is taken off the deque in one atomic step and belongs to whoever
took it, so that what was heard is what the loop put in less what the loop got back.
"""

from __future__ import annotations

from collections import deque
from time import monotonic
from typing import Final

import msgspec

BYTES_A_SAMPLE: Final = 2
REMEMBERED_ITEMS: Final = 64
"""Items that are done stay known until so many newer ones are done too."""


class Cut(msgspec.Struct, frozen=True):
    """What a flush did to the item that was being played."""

    item_id: str
    heard_ms: int
    """Milliseconds of it that were handed out."""
    dropped_ms: int
    """Milliseconds of it that had been received and will not be heard."""
    unheard: tuple[str, ...] = ()
    """Items that waited behind it and were dropped whole."""


class _Item:
    """One item of speech. Positions count samples from its beginning."""

    __slots__ = ("cut_at", "finished", "first_played_at", "framed", "item_id", "played", "rest")

    def __init__(self, item_id: str) -> None:
        self.item_id = item_id
        self.rest = b""  # less than a frame, waits for more
        self.framed = 0  # samples cut into frames
        self.finished = False
        self.cut_at: int | None = None
        self.played = 0  # written by the media thread
        self.first_played_at: float | None = None  # written by the media thread

    @property
    def received(self) -> int:
        return self.framed + len(self.rest) // BYTES_A_SAMPLE

    @property
    def heard(self) -> int:
        return self.played if self.cut_at is None else self.cut_at

    @property
    def is_done(self) -> bool:
        return self.cut_at is not None or (self.finished and self.played >= self.framed)


_Frame = tuple[_Item, int, int, bytes]
"""Item, its first sample, the one after its last, 20 ms of PCM (the last of an item is padded)."""


class Playout:
    """Queue of the agent's speech; 16-bit mono PCM at `clock_rate`, whole frames of 20 ms out."""

    frame_ms: Final = 20

    def __init__(self, clock_rate: int) -> None:
        self.clock_rate = clock_rate
        self.underruns = 0
        """How often an item that had begun ran dry before its end."""
        self._frame_bytes = clock_rate * self.frame_ms // 1000 * BYTES_A_SAMPLE
        self._silence = bytes(self._frame_bytes)
        self._frames: deque[_Frame] = deque()
        self._items: dict[str, _Item] = {}
        self._filling: _Item | None = None
        self._starved = False
        self._paused = False
        self._last_played_at: float | None = None

    def next_frame(self) -> bytes:
        """Exactly 20 ms to send now; silence when nothing is queued. Media thread."""
        if self._paused:
            return self._silence
        try:
            item, _, end, pcm = self._frames.popleft()
        except IndexError:
            self._note_starving()
            return self._silence
        now = monotonic()
        if item.first_played_at is None:
            item.first_played_at = now
        item.played = end
        self._last_played_at = now
        self._starved = False
        return pcm

    def append(self, item_id: str, pcm: bytes) -> None:
        """Queue more of an item. What comes for an item that was flushed or finished is ignored."""
        item = self._item(item_id)
        if item.finished or item.cut_at is not None:
            return
        if self._filling is not item:
            self._close_filling()
            self._filling = item
        data = item.rest + pcm
        size = self._frame_bytes
        whole = len(data) - len(data) % size
        for start in range(0, whole, size):
            self._queue(item, data[start : start + size], size // BYTES_A_SAMPLE)
        item.rest = data[whole:]

    def finish(self, item_id: str) -> None:
        """No more audio will come for this item; its last frame is filled up with silence."""
        item = self._item(item_id)
        if item.cut_at is None:
            self._pad(item)
        item.finished = True
        if self._filling is item:
            self._filling = None
        self._forget_old()

    def pause(self) -> None:
        """Silence from the very next frame on; what is queued, and what comes, waits."""
        self._paused = True

    def resume(self) -> None:
        """Go on with the sample after the last one that was heard."""
        self._paused = False

    @property
    def is_paused(self) -> bool:
        return self._paused

    def flush(self) -> Cut | None:
        """Drop all that is queued: the very next frame is silence. Ends a pause.

        Returns what became of the item being played (or next to be), None when there was none.
        """
        self._filling = None
        starts = self._take_back()
        cut: Cut | None = None
        unheard = []
        for item in [item for item in self._items.values() if not item.is_done]:
            heard = starts.get(item, item.framed)
            if item.finished and heard >= item.framed:
                continue  # its last frame is out; the media thread is about to say so
            received = item.received
            item.cut_at, item.framed, item.rest = heard, received, b""
            if cut is None:
                cut = Cut(item.item_id, self._ms(heard), self._ms(received) - self._ms(heard))
            else:
                unheard.append(item.item_id)
        self._forget_old()
        self._paused = False
        return msgspec.structs.replace(cut, unheard=tuple(unheard)) if cut and unheard else cut

    def heard_ms(self, item_id: str) -> int:
        """Milliseconds of this item handed to RTP; 0 for one not known."""
        item = self._items.get(item_id)
        return self._ms(item.heard) if item else 0

    def received_ms(self, item_id: str) -> int:
        """Milliseconds of this item that came in before it was finished or flushed."""
        item = self._items.get(item_id)
        return self._ms(item.received) if item else 0

    def is_done(self, item_id: str) -> bool:
        """Finished and all of it played, or flushed. False for an item not known."""
        item = self._items.get(item_id)
        return item is not None and item.is_done

    def first_played_at(self, item_id: str) -> float | None:
        """`time.monotonic()` when the item's first frame was taken; None before."""
        item = self._items.get(item_id)
        return item.first_played_at if item else None

    def last_played_at(self) -> float | None:
        """`time.monotonic()` when the latest frame of any item was taken."""
        return self._last_played_at

    @property
    def queued_ms(self) -> int:
        """Milliseconds that wait to be played."""
        rest = self._filling.rest if self._filling else b""
        return len(self._frames) * self.frame_ms + self._ms(len(rest) // BYTES_A_SAMPLE)

    @property
    def is_idle(self) -> bool:
        """Nothing is queued and no item waits for its rest."""
        return not self._frames and self._filling is None

    def _item(self, item_id: str) -> _Item:
        return self._items.setdefault(item_id, _Item(item_id))

    def _queue(self, item: _Item, pcm: bytes, samples: int) -> None:
        start, item.framed = item.framed, item.framed + samples
        self._frames.append((item, start, item.framed, pcm))

    def _pad(self, item: _Item) -> None:
        samples = len(item.rest) // BYTES_A_SAMPLE
        if samples:
            self._queue(item, item.rest[: samples * 2].ljust(self._frame_bytes, b"\0"), samples)
        item.rest = b""

    def _close_filling(self) -> None:
        """Another item begins: what is left of the one before it is played first."""
        if self._filling is not None:
            self._pad(self._filling)

    def _take_back(self) -> dict[_Item, int]:
        """Empty the queue; for each item met, the position from where it will not be heard."""
        starts: dict[_Item, int] = {}
        while True:
            try:
                item, start, _, _ = self._frames.pop()
            except IndexError:
                return starts
            starts[item] = start

    def _note_starving(self) -> None:
        filling = self._filling
        if filling is not None and filling.first_played_at is not None and not self._starved:
            self._starved = True
            self.underruns += 1

    def _forget_old(self) -> None:
        done = [item_id for item_id, item in self._items.items() if item.is_done]
        for item_id in done[: max(0, len(done) - REMEMBERED_ITEMS)]:
            del self._items[item_id]

    def _ms(self, samples: int) -> int:
        return samples * 1000 // self.clock_rate
