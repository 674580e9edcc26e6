"""What a run's records say: delays, gaps, late frames. Pure functions over arrays.

Delays are found by the sound itself. A stretch of 40 ms of what arrived is looked for in what was
sent (normalised correlation); from the place follows which packet or chunk it was, and when that
was sent. The place moves only when audio is lost, inserted or held back, so the last known shift is
tried first.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from bench.rtp import Heard
from bench.speech import FRAME_SAMPLES, RATE

FRAME_MS: Final = 20.0
WINDOW: Final = 320
"""Samples compared: 40 ms."""
ALIKE: Final = 0.8
"""Least normalised correlation of one sound with itself, resampled and back."""
REACH: Final = 6000
"""Samples to either side of the expected place that are searched: 750 ms."""

Samples = NDArray[np.float32]
Places = NDArray[np.int64]
Times = NDArray[np.float64]


class Finder:
    """Looks pieces of one recording up in another."""

    def __init__(self, source: NDArray[Any]) -> None:
        self._source = np.asarray(source, np.float32)
        squares = np.concatenate([[0.0], np.cumsum(self._source.astype(np.float64) ** 2)])
        self._power = squares[WINDOW:] - squares[:-WINDOW]
        """Energy of the window that begins at each sample."""
        self._shift: int | None = None

    def find(self, piece: NDArray[Any], at: int, expected: int) -> int:
        """Where `piece` (WINDOW samples, taken at `at`) stands in the source; -1: nowhere.

        `expected` is where it is looked for first when the last shift does not fit.
        """
        piece = np.asarray(piece, np.float32)
        energy = float(piece @ piece)
        if energy == 0.0 or len(piece) < WINDOW:
            return -1
        if self._shift is not None and self._alike(piece, energy, at + self._shift) >= ALIKE:
            return at + self._shift
        place = self._search(piece, energy, expected)
        if place >= 0:
            self._shift = place - at
        return place

    def _alike(self, piece: Samples, energy: float, place: int) -> float:
        if not 0 <= place < len(self._power) or self._power[place] <= 0:
            return 0.0
        other = self._source[place : place + WINDOW]
        return float(piece @ other) / float(np.sqrt(energy * self._power[place]))

    def _search(self, piece: Samples, energy: float, expected: int) -> int:
        low = max(0, expected - REACH)
        part = self._source[low : expected + REACH + WINDOW]
        if len(part) < WINDOW:
            return -1
        size = 1 << (len(part) + WINDOW).bit_length()
        product = np.fft.rfft(part, size) * np.conj(np.fft.rfft(piece, size))
        likeness = np.fft.irfft(product, size)[: len(part) - WINDOW + 1]
        power = self._power[low : low + len(likeness)]
        likeness = likeness / np.sqrt(np.maximum(power, 1.0) * energy)
        best = int(np.argmax(likeness))
        return low + best if likeness[best] >= ALIKE else -1


@dataclass(frozen=True)
class Stream:
    """A recording with the time of each of its parts (chunks, packets): sent or arrived."""

    pcm: NDArray[np.int16]
    begins: Places
    """First sample of each part."""
    at: Times

    def part_of(self, sample: Places) -> Places:
        return np.clip(np.searchsorted(self.begins, sample, side="right") - 1, 0, None)

    def sample_at(self, time: float) -> int:
        """Roughly the sample that was current at this time."""
        part = int(np.clip(np.searchsorted(self.at, time), 0, len(self.at) - 1))
        return int(self.begins[part] + (time - self.at[part]) * RATE)


def stream(pieces: list[NDArray[np.int16]], at: list[float] | Times) -> Stream:
    sizes = np.array([len(piece) for piece in pieces], np.int64)
    begins = np.concatenate([[0], np.cumsum(sizes)[:-1]]) if len(sizes) else sizes
    pcm = np.concatenate(pieces) if pieces else np.zeros(0, np.int16)
    return Stream(pcm, begins.astype(np.int64), np.asarray(at, np.float64))


def places(source: Stream, heard: Stream, *, usual_delay: float = 0.15) -> tuple[Places, Places]:
    """Each 20 ms of `heard`: the sample where it begins, and where that stands in `source`."""
    at = np.arange(0, max(0, len(heard.pcm) - WINDOW), FRAME_SAMPLES)
    parts = heard.part_of(at)
    finder = Finder(source.pcm)
    found = np.empty(len(at), np.int64)
    for number, sample in enumerate(at):
        expected = source.sample_at(float(heard.at[parts[number]]) - usual_delay)
        piece = heard.pcm[sample : sample + WINDOW]
        found[number] = finder.find(piece, int(sample), max(0, expected))
    return at, found


@dataclass(frozen=True)
class Way:
    """One direction of one call. `delays` in seconds; `at`: when each was measured."""

    delays: Times
    at: Times
    lost_ms: float
    """Of the sound sent, what never arrived."""
    longest_skip_ms: float
    unknown: int
    """Stretches of 20 ms that were found nowhere: silence, or concealed."""


def upward(sent: Stream, chunks: Stream) -> Way:
    """Caller to provider: from the sending of each RTP packet to the arrival of its chunk."""
    at, found = places(sent, chunks)
    known = found >= 0
    arrived = chunks.at[chunks.part_of(at[known])]
    delays = arrived - sent.at[sent.part_of(found[known])]
    return _way(delays, arrived, found, at)


def downward(chunks: Stream, packets: Stream) -> Way:
    """Provider to caller: from the sending of each chunk to the first RTP packet that has of it."""
    at, found = places(chunks, packets)
    known = found >= 0
    order = np.argsort(found[known], kind="stable")
    ends = found[known][order] + FRAME_SAMPLES
    arrived = packets.at[packets.part_of(at[known])][order]
    first = np.searchsorted(ends, chunks.begins, side="right")
    last = np.append(chunks.begins[1:], len(chunks.pcm))
    heard = first < len(ends)
    heard[heard] = ends[first[heard]] - FRAME_SAMPLES < last[heard]
    # Of a chunk that began before the recording of packets did, the first packet is not known.
    heard &= chunks.begins >= (ends[0] - FRAME_SAMPLES if len(ends) else 0)
    delays = arrived[first[heard]] - chunks.at[heard]
    return _way(delays, chunks.at[heard], found, at)


def _way(delays: Times, at: Times, found: Places, heard_at: Places) -> Way:
    known = found >= 0
    skips = np.diff(found[known]) - np.diff(heard_at[known])
    # Forward in the source but not in what was heard: lost. A pause of silence is no loss.
    skips = np.maximum(skips, 0) / RATE * 1000
    return Way(
        delays=delays,
        at=at,
        lost_ms=float(skips.sum()),
        longest_skip_ms=float(skips.max()) if len(skips) else 0.0,
        unknown=int((~known).sum()),
    )


@dataclass(frozen=True)
class Flow:
    """The RTP of one call as it came back."""

    packets: int
    missing: int
    """Sequence numbers that never came."""
    late: int
    """Packets more than a frame later than their place in the stream's own schedule."""
    longest_gap_ms: float
    """The longest time without sound: silent packets, missing ones, or a wait beyond 20 ms."""


def flows(heard: Heard) -> dict[int, Flow]:
    """By call."""
    count = heard.count
    call = heard.call[:count]
    order = np.argsort(call, kind="stable")
    calls, begins = np.unique(call[order], return_index=True)
    if not count:
        return {}
    parts = np.split(order, begins[1:])
    return {
        int(number): flow(heard.sequence[part], heard.at[part], heard.quiet[part])
        for number, part in zip(calls, parts, strict=True)
    }


def flow(
    sequence: NDArray[np.uint16], at: Times, quiet: NDArray[np.bool_], *, frame_ms: float = FRAME_MS
) -> Flow:
    """`sequence` and `at` in the order of arrival."""
    places = unwrapped(sequence)
    order = np.argsort(places, kind="stable")
    places, at, quiet = places[order], at[order], quiet[order]
    missing = int(places[-1] - places[0] + 1 - len(np.unique(places)))
    schedule = at - places * (frame_ms / 1000)
    lateness = (schedule - np.median(schedule)) * 1000
    return Flow(
        packets=len(at),
        missing=missing,
        late=int((lateness > frame_ms).sum()),
        longest_gap_ms=longest_gap(places, at, quiet, frame_ms),
    )


def longest_gap(
    places: Places, at: Times, quiet: NDArray[np.bool_], frame_ms: float = FRAME_MS
) -> float:
    """Milliseconds between two packets with sound, less the one frame that is due between them.

    Both as heard at once (arrival) and as heard through a jitter buffer (place in the stream),
    whichever is longer.
    """
    loud = ~quiet
    if loud.sum() < 2:
        return float(len(at) * frame_ms)
    by_arrival = np.diff(at[loud]).max() * 1000 - frame_ms
    by_place = (np.diff(places[loud]).max() - 1) * frame_ms
    return float(max(0.0, by_arrival, by_place))


def unwrapped(sequence: NDArray[np.uint16]) -> Places:
    """RTP sequence numbers without their wrap at 65,536; small steps back are reordering."""
    steps = np.diff(sequence).astype(np.int16).astype(np.int64)  # both wrap at 16 bits
    return np.concatenate([[0], np.cumsum(steps)]) + int(sequence[0])


def percentile_ms(values: Times, percent: float) -> float:
    """Of seconds; NaN when there are none."""
    return float(np.percentile(values, percent)) * 1000 if len(values) else float("nan")
