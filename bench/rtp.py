"""The callers' RTP: every call a packet each 20 ms on an absolute schedule, phases spread.

A row of one array is one call's next packet. The 20 ms are divided into slots of 1 ms; a slot's
calls lie side by side, so that a tick is one sendmmsg over a range of rows. All calls share one
UDP socket: the worker gives each its own port, which is how what comes back is told apart.
"""

from __future__ import annotations

import socket
import time
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from bench.datagrams import Batch, Receiver, Sender, udp_socket
from bench.speech import FRAME_SAMPLES, Speech

SLOTS: Final = 20
TICK_SECONDS: Final = 0.001
PCMU: Final = 0
_HEADER_BYTES: Final = 12
_PACKET: Final = np.dtype(
    [
        ("flags", "u1"),
        ("kind", "u1"),
        ("sequence", ">u2"),
        ("stamp", ">u4"),
        ("source", ">u4"),
        ("payload", "u1", FRAME_SAMPLES),
    ]
)
"""RFC 3550 section 5.1, with 20 ms of G.711."""
SILENCE_FROM: Final = 0x70
"""Low seven bits of a µ-law octet from here on: an amplitude of at most 132 of 32635."""


class Heard:
    """Every packet that came: call, sequence number, arrival, silent or not; some with payload."""

    def __init__(self, calls: int) -> None:
        self.count = 0
        self.call = np.zeros(1 << 16, np.int32)
        self.sequence = np.zeros(1 << 16, np.uint16)
        self.at = np.zeros(1 << 16, np.float64)
        self.quiet = np.zeros(1 << 16, np.bool_)
        self._kept: list[tuple[NDArray[Any], ...]] = []
        self.tracked = np.zeros(calls, np.bool_)
        """Calls whose payloads are kept."""

    def add(
        self,
        call: NDArray[np.int32],
        sequence: NDArray[np.uint16],
        at: NDArray[np.float64],
        payload: NDArray[np.uint8],
        quiet: NDArray[np.bool_],
    ) -> None:
        end = self.count + len(call)
        if end > len(self.call):
            self._grow(end)
        here = slice(self.count, end)
        self.call[here], self.sequence[here], self.at[here] = call, sequence, at
        self.quiet[here] = quiet
        self.count = end
        kept = self.tracked[call]
        if kept.any():
            self._kept.append((call[kept], sequence[kept], at[kept], payload[kept]))

    def packets_of(self, call: int) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any]]:
        """Sequence numbers, arrivals and payloads of a tracked call, in the order of arrival."""
        parts = [(of == call, rest) for of, *rest in self._kept]
        columns = zip(*([column[own] for column in rest] for own, rest in parts), strict=True)
        sequence, at, payload = (np.concatenate(column) for column in columns)
        return sequence, at, payload

    def _grow(self, least: int) -> None:
        size = max(least, 2 * len(self.call))
        for name in ("call", "sequence", "at", "quiet"):
            old = getattr(self, name)
            new = np.zeros(size, old.dtype)
            new[: len(old)] = old
            setattr(self, name, new)


class RtpPort:
    """The callers' one socket. `capacity`: calls at once; calls are known by small numbers."""

    def __init__(self, speech: Speech, capacity: int, known_calls: int) -> None:
        self._speech = speech
        self._udp, self._rtcp = _port_pair()
        self.port = int(self._udp.getsockname()[1])
        self._room = -(-capacity // SLOTS) + 1
        rows = self._room * SLOTS
        self._packets = np.zeros(rows, _PACKET)
        self._packets["flags"], self._packets["kind"] = 0x80, PCMU
        self._sender = Sender(self._udp, self._packets.view(np.uint8).reshape(rows, -1))
        self._receiver = Receiver(self._udp)
        self._frame = np.zeros(rows, np.int64)
        self._call = np.zeros(rows, np.int32)
        self._used = [0] * SLOTS
        self._row_of: dict[int, int] = {}
        self._call_of_port = np.full(1 << 16, -1, np.int32)
        self._port_of: dict[int, int] = {}
        self.first_tick = np.zeros(known_calls, np.int64)
        self.first_frame = np.zeros(known_calls, np.int64)
        self.first_loud = np.full(known_calls, np.nan)
        self.last_loud = np.full(known_calls, np.nan)
        self.ticks: list[float] = []
        """When each tick's packets were handed to the kernel; tick 0 was due at `origin`."""
        self.origin = 0.0
        self.heard: Heard | None = None
        """Where what comes is written down; None: nowhere."""
        self.foreign = 0
        """Packets that belong to no call, or are no G.711."""

    def close(self) -> None:
        self._udp.close()
        self._rtcp.close()

    # --- calls -----------------------------------------------------------------------------------

    def add(self, call: int, host: str, port: int, *, frame: int) -> None:
        """Send this call's audio from now on, beginning with `frame` of the speech."""
        slot = min(range(SLOTS), key=self._used.__getitem__)
        row = slot * self._room + self._used[slot]
        self._used[slot] += 1
        packet = self._packets[row]
        packet["sequence"], packet["stamp"] = (call * 7919) & 0xFFFF, (call * 104729) & 0xFFFFFF
        packet["source"] = 0x50420000 | call & 0xFFFF
        self._sender.aim(row, host, port)
        self._frame[row], self._call[row] = frame, call
        self._row_of[call] = row
        self._port_of[call] = port
        self._call_of_port[port] = call
        next_tick = len(self.ticks)
        self.first_tick[call] = next_tick + (slot - next_tick) % SLOTS
        self.first_frame[call] = frame
        self.first_loud[call] = self.last_loud[call] = np.nan

    def remove(self, call: int) -> None:
        """Send no more; the slot's last row takes its place."""
        row = self._row_of.pop(call)
        port = self._port_of.pop(call)
        if self._call_of_port[port] == call:
            self._call_of_port[port] = -1
        slot = row // self._room
        self._used[slot] -= 1
        last = slot * self._room + self._used[slot]
        if last != row:
            self._packets[row], self._frame[row] = self._packets[last], self._frame[last]
            self._call[row] = self._call[last]
            self._sender.move(last, row)
            self._row_of[int(self._call[row])] = row

    def say(self, call: int, frame: int) -> None:
        """Go on with another frame of the speech from this call's next packet on."""
        self._frame[self._row_of[call]] = frame

    def next_packet(self, call: int) -> int:
        """Number of the packet that this call sends next; its first is 0."""
        return max(0, -(-(len(self.ticks) - int(self.first_tick[call])) // SLOTS))

    # --- time ------------------------------------------------------------------------------------

    def start(self) -> None:
        self.ticks.clear()
        self.origin = time.monotonic() + TICK_SECONDS

    def next_due(self) -> float:
        return self.origin + len(self.ticks) * TICK_SECONDS

    def tick(self) -> None:
        """Send what is due now, and read what came."""
        slot = len(self.ticks) % SLOTS
        count = self._used[slot]
        now = time.monotonic()
        if count:
            first = slot * self._room
            rows = slice(first, first + count)
            packets, frames = self._packets[rows], self._frame[rows]
            packets["payload"] = self._speech.frames[frames]
            now = time.monotonic()
            self._sender.send(first, first + count)
            packets["sequence"] += 1
            packets["stamp"] += FRAME_SAMPLES
            self._frame[rows] = self._speech.following[frames]
        self.ticks.append(now)
        for batch in self._receiver:
            self._take(batch)

    def sent_at(self, call: int, packet: NDArray[np.int64]) -> NDArray[np.float64]:
        """When the call's packets of these numbers (0: its first) were sent; NaN: not yet."""
        ticks = self.first_tick[call] + packet * SLOTS
        known = (ticks >= 0) & (ticks < len(self.ticks))
        times = self._times()[np.where(known, ticks, 0)]
        return np.where(known, times, np.nan)

    def pacing_errors(self, since: int) -> NDArray[np.float64]:
        """Seconds by which each tick from number `since` on came late."""
        due = self.origin + np.arange(since, len(self.ticks)) * TICK_SECONDS
        return self._times()[since:] - due

    def _times(self) -> NDArray[np.float64]:
        return np.array(self.ticks, dtype=np.float64)

    def _take(self, batch: Batch) -> None:
        call = self._call_of_port[batch.port]
        packets = batch.data[:, : _PACKET.itemsize]
        good = (call >= 0) & (batch.size == _PACKET.itemsize) & (packets[:, 1] & 0x7F == PCMU)
        if not good.all():
            self.foreign += int((~good).sum())
            if not good.any():
                return
        call, packets, at = call[good], packets[good], batch.at[good]
        payload = packets[:, _HEADER_BYTES:]
        quiet = ((payload & 0x7F) >= SILENCE_FROM).all(axis=1)
        loud = ~quiet
        if loud.any():
            loud_call, loud_at = call[loud], at[loud]
            self.last_loud[loud_call] = loud_at
            new = np.isnan(self.first_loud[loud_call])
            if new.any():  # backwards, so that the earliest of a call is what stays
                self.first_loud[loud_call[new][::-1]] = loud_at[new][::-1]
        if self.heard is not None:
            sequence = packets[:, 2].astype(np.uint16) << 8 | packets[:, 3]
            self.heard.add(call, sequence, at, payload, quiet)


def _port_pair() -> tuple[socket.socket, socket.socket]:
    """RTP, and RTCP one above: bound, so that nobody is told that it is closed; never read."""
    while True:
        rtp = udp_socket()
        try:
            return rtp, udp_socket(port=int(rtp.getsockname()[1]) + 1)
        except (OSError, OverflowError):
            rtp.close()
