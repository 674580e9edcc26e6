"""Items of the agent's speech, and which of their samples lie in which frames of an outlet."""

from __future__ import annotations

from media_worker.audio.outlet import BYTES_A_SAMPLE


class Item:
    """One item of speech. Positions count samples from its beginning."""

    __slots__ = ("cut_at", "finished", "first_played_at", "framed", "item_id", "played", "rest")

    def __init__(self, item_id: str) -> None:
        self.item_id = item_id
        self.rest = b""  # less than a frame, waits for more
        self.framed = 0  # samples cut into frames
        self.finished = False
        self.cut_at: int | None = None
        self.played = 0
        self.first_played_at: float | None = None

    @property
    def received(self) -> int:
        return self.framed + len(self.rest) // BYTES_A_SAMPLE

    @property
    def heard(self) -> int:
        return self.played if self.cut_at is None else self.cut_at

    @property
    def is_done(self) -> bool:
        return self.cut_at is not None or (self.finished and self.played >= self.framed)


class Segment:
    """Samples `start` to `end` of an item in whole frames: `first` to `last` of the outlet's count,
    where the last may be padded; or none at all, for a pause that is left out."""

    __slots__ = ("end", "first", "item", "last", "pcm", "start")

    def __init__(self, item: Item, start: int, end: int, pcm: bytes) -> None:
        self.item, self.start, self.end, self.pcm = item, start, end, pcm
        self.first = self.last = 0
