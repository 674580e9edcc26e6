"""The agent's audio on its way from the event loop to RTP, and exactly how much of it was heard.

An outlet (`outlet.py`) hands frames to the media thread and counts them. Here stands which samples
of which item each frame holds, so that what was heard is what the outlet says was taken. All of it
belongs to the event loop.
"""

from __future__ import annotations

from collections import deque
from typing import Final

import msgspec
import numpy as np

from media_worker.audio.items import Item, Segment
from media_worker.audio.outlet import (
    BYTES_A_SAMPLE,
    FRAME_MS,
    FRAME_SECONDS,
    FrameQueue,
    Outlet,
    frame_bytes,
)

REMEMBERED_ITEMS: Final = 64
"""Items that are done stay known until so many newer ones are done too."""
QUIET_PEAK: Final = 256
"""A frame whose loudest sample is below this (-42 dB full scale) is a pause of the speech."""
KEPT_PAUSE_FRAMES: Final = 2
"""So much of a pause is always played: words are not glued together."""
CUSHION_FRAMES: Final = 3
"""Delay is given back only while more than this is queued when more comes: for late deltas."""


class Cut(msgspec.Struct, frozen=True):
    """What a flush did to the item that was being played."""

    item_id: str
    heard_ms: int
    """Milliseconds of it that were handed out."""
    dropped_ms: int
    """Milliseconds of it that had been received and will not be heard."""
    unheard: tuple[str, ...] = ()
    """Items that waited behind it and were dropped whole."""


class Progress(msgspec.Struct, frozen=True):
    """How far an item has come."""

    first_played_at: float | None = None
    """`time.monotonic()` when its first frame was taken."""
    heard_ms: int = 0
    """Milliseconds that the caller has heard, pauses left out included."""
    received_ms: int = 0
    """Milliseconds that came in before it was finished or flushed."""


class Playout:
    """Queue of the agent's speech; 16-bit mono PCM at `clock_rate`.

    A stall (of the provider, the network or our own loop) inside an item leaves the speech behind
    by as much; where the provider paces its audio, what it sends meanwhile waits and that delay
    would last. It is given back by leaving out pauses of the speech that exceed 40 ms, as long as
    audio waits. Speech that never stalled keeps its pauses.
    """

    frame_ms: Final = FRAME_MS

    def __init__(self, clock_rate: int, outlet: Outlet | None = None) -> None:
        self.clock_rate = clock_rate
        self.underruns = 0
        """How often audio of an item came after the item had run dry: audible gaps."""
        self.starved_ms = 0
        """Silence that the caller heard in those gaps."""
        self.given_back_ms = 0
        """Pauses left out to make good for them."""
        self.outlet: Outlet = outlet or FrameQueue(clock_rate)
        self._frame_bytes = frame_bytes(clock_rate)
        self._frame_samples = self._frame_bytes // BYTES_A_SAMPLE
        self._items: dict[str, Item] = {}
        self._filling: Item | None = None
        self._waiting: deque[Segment] = deque()
        """The outlet had no room for them."""
        self._waiting_frames = 0
        self._queued: deque[Segment] = deque()
        """In the outlet, not known to be played."""
        self._put = 0
        """Frames that the outlet was given."""
        self._silent_before = 0
        """Of the outlet's count, when audio last went into it."""
        self._debt = 0
        """Frames of delay to be given back."""
        self._quiet_run = 0

    # --- in --------------------------------------------------------------------------------------

    def append(self, item_id: str, pcm: bytes) -> None:
        """Queue more of an item. What comes for an item that was flushed or finished is ignored."""
        item = self._item(item_id)
        if item.finished or item.cut_at is not None:
            return
        self._sync()
        if self._filling is item:
            self._note_stall(item, pcm)
        else:
            self._begin(item)
        data = item.rest + pcm if item.rest else pcm
        whole = len(data) - len(data) % self._frame_bytes
        item.rest = data[whole:]
        if whole:
            self._queue_whole(item, data[:whole] if item.rest else data)

    def finish(self, item_id: str, rest: bytes = b"") -> None:
        """No more audio will come for this item but `rest`, which a decoder had held back.

        Its last frame is filled up with silence.
        """
        item = self._item(item_id)
        if item.cut_at is None and not item.finished:
            item.rest += rest
            self._pad(item)
        item.finished = True
        if self._filling is item:
            self._filling = None
        self._forget_old()

    def pause(self) -> None:
        """Silence from the very next frame on; what is queued, and what comes, waits."""
        self.outlet.paused = True

    def resume(self) -> None:
        """Go on with the sample after the last one that was heard."""
        self.outlet.paused = False

    def flush(self) -> Cut | None:
        """Drop all that is queued: the very next frame is silence. Ends a pause.

        Returns what became of the item being played (or next to be), None when there was none.
        """
        self._settle(self.outlet.take_back())
        self._queued.clear()
        self._waiting.clear()
        self._waiting_frames = 0
        self._filling = None
        self._debt = 0
        self.outlet.paused = False
        cut: Cut | None = None
        unheard = []
        for item in [item for item in self._items.values() if not item.is_done]:
            received = item.received
            item.cut_at, item.framed, item.rest = item.played, received, b""
            if cut is None:
                heard = self._ms(item.played)
                cut = Cut(item.item_id, heard, self._ms(received) - heard)
            else:
                unheard.append(item.item_id)
        self._forget_old()
        return msgspec.structs.replace(cut, unheard=tuple(unheard)) if cut and unheard else cut

    # --- out -------------------------------------------------------------------------------------

    @property
    def is_paused(self) -> bool:
        return self.outlet.paused

    @property
    def late_frames(self) -> int:
        """Frames that the media thread wanted more than a frame's time late."""
        return self.outlet.late

    def progress(self, item_id: str) -> Progress:
        """All of it at one look; zeros for an item not known."""
        self._sync()
        item = self._items.get(item_id)
        if item is None:
            return Progress()
        return Progress(item.first_played_at, self._ms(item.heard), self._ms(item.received))

    def heard_ms(self, item_id: str) -> int:
        """How far into this item the caller has heard, pauses left out included; 0: not known."""
        self._sync()
        item = self._items.get(item_id)
        return self._ms(item.heard) if item else 0

    def received_ms(self, item_id: str) -> int:
        """Milliseconds of this item that came in before it was finished or flushed."""
        item = self._items.get(item_id)
        return self._ms(item.received) if item else 0

    def is_done(self, item_id: str) -> bool:
        """Finished and all of it played, or flushed. False for an item not known."""
        self._sync()
        item = self._items.get(item_id)
        return item is not None and item.is_done

    def first_played_at(self, item_id: str) -> float | None:
        """`time.monotonic()` when the item's first frame was taken; None before."""
        self._sync()
        item = self._items.get(item_id)
        return item.first_played_at if item else None

    def last_played_at(self) -> float | None:
        """`time.monotonic()` when the latest frame of any item was taken."""
        return self.outlet.taken_at or None

    @property
    def asked_at(self) -> float:
        """`time.monotonic()` when the media thread last wanted a frame; 0.0: its clock stands."""
        return self.outlet.asked_at

    @property
    def queued_ms(self) -> int:
        """Milliseconds that wait to be played."""
        rest = self._filling.rest if self._filling else b""
        return self._depth() * FRAME_MS + self._ms(len(rest) // BYTES_A_SAMPLE)

    @property
    def is_idle(self) -> bool:
        """Nothing is queued and no item waits for its rest."""
        return self._filling is None and not self._depth()

    # --- inside ----------------------------------------------------------------------------------

    def _item(self, item_id: str) -> Item:
        item = self._items.get(item_id)
        if item is None:
            item = self._items[item_id] = Item(item_id)
        return item

    def _begin(self, item: Item) -> None:
        """Another item begins: what is left of the one before it is played first."""
        if self._filling is not None:
            self._pad(self._filling)
        self._filling = item
        self._quiet_run = 0
        if not self._depth():
            self._debt = 0  # its speech starts now, late for nothing

    def _depth(self) -> int:
        """Frames that are queued."""
        return self._put - self.outlet.taken + self._waiting_frames

    def _note_stall(self, item: Item, pcm: bytes) -> None:
        """More of an item comes; what the media thread wanted meanwhile and did not get is delay.

        Not for the few samples that a resampler lets go of when the item is as good as over.
        """
        silent = self.outlet.silent
        starved, self._silent_before = silent - self._silent_before, silent
        if starved and pcm and item.framed:
            self.underruns += 1
            self.starved_ms += starved * FRAME_MS
            self._debt += starved

    def _queue_whole(self, item: Item, pcm: bytes) -> None:
        # a paced provider's next delta is as long as this one
        spare = self._depth() - CUSHION_FRAMES if self._debt else 0
        if spare <= 0:
            self._quiet_run = 0
            self._queue(item, pcm, len(pcm) // BYTES_A_SAMPLE)
            return
        size = self._frame_bytes
        kept = bytearray()
        for at, is_quiet in zip(range(0, len(pcm), size), _quiet_frames(pcm, size), strict=True):
            frame = pcm[at : at + size]
            self._quiet_run = self._quiet_run + 1 if is_quiet else 0
            if self._quiet_run <= KEPT_PAUSE_FRAMES or not self._debt or spare <= 0:
                kept += frame
                continue
            self._queue(item, bytes(kept), len(kept) // BYTES_A_SAMPLE)
            kept.clear()
            self._queue(item, b"", self._frame_samples)
            self._debt -= 1
            spare -= 1
            self.given_back_ms += FRAME_MS
        self._queue(item, bytes(kept), len(kept) // BYTES_A_SAMPLE)

    def _queue(self, item: Item, pcm: bytes, samples: int) -> None:
        """`pcm` is whole frames; `samples` of the item go with it, heard or left out."""
        if not samples:
            return
        start, item.framed = item.framed, item.framed + samples
        self._waiting.append(Segment(item, start, item.framed, pcm))
        self._waiting_frames += len(pcm) // self._frame_bytes
        self._fill_outlet()

    def _pad(self, item: Item) -> None:
        samples = len(item.rest) // BYTES_A_SAMPLE
        if samples:
            frames = -(-samples // self._frame_samples)
            pcm = item.rest[: samples * BYTES_A_SAMPLE].ljust(frames * self._frame_bytes, b"\0")
            self._queue(item, pcm, samples)
        item.rest = b""

    def _fill_outlet(self) -> None:
        """Give the outlet what it has room for."""
        while self._waiting:
            segment = self._waiting[0]
            count = self.outlet.put(segment.pcm) if segment.pcm else 0
            if count:
                self._silent_before = self.outlet.silent
            if count * self._frame_bytes < len(segment.pcm):
                self._split(segment, count)
                return
            self._waiting.popleft()
            self._note_queued(segment, count)

    def _split(self, segment: Segment, count: int) -> None:
        """Only the first `count` frames of a segment found room."""
        if not count:
            return
        middle = segment.start + count * self._frame_samples
        head = Segment(segment.item, segment.start, middle, b"")
        segment.start, segment.pcm = middle, segment.pcm[count * self._frame_bytes :]
        self._note_queued(head, count)

    def _note_queued(self, segment: Segment, count: int) -> None:
        segment.pcm = b""
        self._waiting_frames -= count
        segment.first, self._put = self._put, self._put + count
        segment.last = self._put
        self._queued.append(segment)

    def _sync(self) -> None:
        """Learn what was played since the last look, and go on filling."""
        if self._queued:
            self._settle(self.outlet.taken)
        if self._waiting:
            self._fill_outlet()

    def _settle(self, taken: int) -> None:
        queued = self._queued
        while queued:
            segment = queued[0]
            if taken <= segment.first and segment.last > segment.first:
                return
            item = segment.item
            if item.first_played_at is None and taken > segment.first:
                ago = (taken - segment.first - 1) * FRAME_SECONDS
                item.first_played_at = self.outlet.taken_at - ago
            if taken < segment.last:
                played = segment.start + (taken - segment.first) * self._frame_samples
                item.played = min(segment.end, played)
                return
            item.played = segment.end
            queued.popleft()

    def _forget_old(self) -> None:
        if len(self._items) <= REMEMBERED_ITEMS:
            return
        self._sync()
        done = [item_id for item_id, item in self._items.items() if item.is_done]
        for item_id in done[: max(0, len(done) - REMEMBERED_ITEMS)]:
            del self._items[item_id]

    def _ms(self, samples: int) -> int:
        return samples * 1000 // self.clock_rate


def _quiet_frames(pcm: bytes, frame_bytes: int) -> list[bool]:
    frames = np.frombuffer(pcm, dtype="<i2").reshape(-1, frame_bytes // BYTES_A_SAMPLE)
    peaks: list[int] = np.abs(frames.astype(np.int32)).max(axis=1).tolist()
    return [peak < QUIET_PEAK for peak in peaks]
