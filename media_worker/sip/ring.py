"""A call's end of the conference bridge without Python: rings that C fills and empties.

`deploy/pjsua2/ring_port.c` is part of the pjsua2 that `make pjsua2` builds. No frame waits for the
interpreter, and no frame costs it anything: Python moves some frames at a time, when it likes.
"""

from __future__ import annotations

import ctypes
import functools
import sys
import weakref
from ctypes import POINTER, byref, c_char_p, c_int, c_int64, c_uint, c_void_p
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from media_worker.audio.capture import FRAMES_A_READ
from media_worker.audio.outlet import FRAME_MS, frame_bytes
from media_worker.audio.tap import Tap
from media_worker.sip.config import SipError
from media_worker.sip.library import c_library, library_path

RING_FRAMES: Final = 128
KEPT_TICKS: Final = 256
"""Both as in ring_port.c."""


class _State(ctypes.Structure):
    """The first fields of `pbxai_ring`."""

    _fields_ = [
        (name, c_int64)
        for name in (
            "received",
            "queued",
            "taken",
            "silent",
            "late",
            "taken_at",
            "asked_at",
            "is_open",
            "is_paused",
        )
    ]


@functools.cache
def rings() -> Any:
    """The functions of ring_port.c, called with the interpreter lock held: they take no time.

    None where this build of pjsua2 has not all of them.
    """
    if not hasattr(c_library(), "pbxai_rings_copy"):  # the latest of them
        return None
    library = ctypes.PyDLL(library_path())
    library.pbxai_ring_create.argtypes = [c_uint]
    library.pbxai_ring_create.restype = POINTER(_State)
    library.pbxai_ring_release.argtypes = [POINTER(_State)]
    library.pbxai_ring_release.restype = None
    library.pbxai_ring_keep.argtypes = [POINTER(_State)]
    library.pbxai_ring_queue.argtypes = [POINTER(_State), c_char_p, c_int]
    library.pbxai_ring_take_back.argtypes = [POINTER(_State)]
    library.pbxai_ring_take_back.restype = c_int64
    for copy in (library.pbxai_ring_copy, library.pbxai_ring_copy_kept):
        copy.argtypes = [POINTER(_State), POINTER(c_int64), c_void_p, c_int]
    library.pbxai_rings_copy.argtypes = [*[c_void_p] * 3, c_int, c_void_p, c_int]
    library.pbxai_rings_copy.restype = None
    library.pbxai_ring_receive.argtypes = [POINTER(_State), c_char_p]
    library.pbxai_ring_receive.restype = None
    library.pbxai_ring_give.argtypes = [POINTER(_State), c_void_p]
    library.pbxai_ring_give.restype = None
    return library


class Ring:
    """Owner of one `pbxai_ring`; a port that the bridge still holds owns it too."""

    def __init__(self, clock_rate: int) -> None:
        self.frame_bytes = frame_bytes(clock_rate)
        self.library = rings()
        self.pointer = self.library.pbxai_ring_create(self.frame_bytes)
        if not self.pointer:
            raise MemoryError("no memory for a call's audio")
        self.state: _State = self.pointer.contents
        weakref.finalize(self, self.library.pbxai_ring_release, self.pointer)


@functools.cache
def _shared_buffer(size: int) -> Any:
    """Frames on their way from a ring to bytes; one for all calls, as one thread takes them."""
    return ctypes.create_string_buffer(size * RING_FRAMES)


class RingCapture:
    """What the peer sends (`audio.capture.FrameSource`). Event loop."""

    def __init__(self, ring: Ring, clock_rate: int) -> None:
        self.clock_rate = clock_rate
        self.dropped_ms = 0
        self.ring = ring
        self._at = c_int64(0)
        self._copy = ring.library.pbxai_ring_copy
        self._buffer = _shared_buffer(ring.frame_bytes)

    def take(self) -> bytes:
        ring, before = self.ring, self._at.value
        count = self._copy(ring.pointer, byref(self._at), self._buffer, RING_FRAMES)
        if not count:
            return b""
        self.dropped_ms += (self._at.value - before - count) * FRAME_MS
        return ctypes.string_at(self._buffer, count * ring.frame_bytes)

    def new_reader(self) -> RingReader:
        return RingReader(self.ring.frame_bytes)


class RingReader:
    """What the peers of many calls send, with one call of C (`audio.capture.FrameReader`)."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._copy = rings().pbxai_rings_copy
        self._rings: list[Ring] = []
        self._pointers: NDArray[np.uintp] = np.zeros(0, np.uintp)
        self._at: NDArray[np.int64] = np.zeros(0, np.int64)
        self._make_room(8)

    def add(self, source: RingCapture) -> None:
        ring, place = source.ring, len(self._rings)
        if place == len(self._at):
            self._make_room(2 * place)
        self._pointers[place] = ctypes.addressof(ring.state)
        self._at[place] = ring.state.received
        self._rings.append(ring)

    def remove(self, place: int) -> None:
        last = self._rings.pop()
        if place < len(self._rings):
            self._rings[place] = last
            self._pointers[place] = self._pointers[len(self._rings)]
            self._at[place] = self._at[len(self._rings)]

    def read(self, places: NDArray[np.intp]) -> tuple[NDArray[np.uint8], NDArray[np.int32]]:
        number = len(places)
        pointers, at = self._pointers[places], self._at[places]
        addresses = (pointers.ctypes.data, at.ctypes.data, self._counts.ctypes.data)
        self._copy(*addresses, number, self._frames.ctypes.data, FRAMES_A_READ)
        self._at[places] = at
        return self._frames[:number], self._counts[:number]

    def _make_room(self, places: int) -> None:
        self._pointers = np.resize(self._pointers, places)
        self._at = np.resize(self._at, places)
        self._counts = np.zeros(places, np.int32)
        self._frames = np.zeros((places, FRAMES_A_READ, self._size), np.uint8)


class RingTicks:
    """What went each way at each tick since it was made (`audio.tap.Tap.source`). One thread."""

    def __init__(self, ring: Ring) -> None:
        if not ring.library.pbxai_ring_keep(ring.pointer):
            raise MemoryError("no memory for a recording")
        self._ring = ring
        self._at = c_int64(0)
        self._size = 8 + 2 * ring.frame_bytes
        self._buffer = ctypes.create_string_buffer(self._size * KEPT_TICKS)

    def __call__(self) -> list[tuple[float, bytes, bytes]]:
        """Time (`time.monotonic()`), the peer's frame, ours."""
        ring, size = self._ring, self._size
        copy = ring.library.pbxai_ring_copy_kept
        count = copy(ring.pointer, byref(self._at), self._buffer, KEPT_TICKS)
        data = ctypes.string_at(self._buffer, count * size)
        middle = 8 + ring.frame_bytes
        return [
            (
                int.from_bytes(data[at : at + 8], sys.byteorder) / 1e9,
                data[at + 8 : at + middle],
                data[at + middle : at + size],
            )
            for at in range(0, len(data), size)
        ]


class RingOutlet:
    """`audio.outlet.Outlet` over a ring; it has room for 2.5 s."""

    def __init__(self, ring: Ring) -> None:
        self._ring = ring
        self._state = ring.state
        self._queue = ring.library.pbxai_ring_queue

    @property
    def paused(self) -> bool:
        return bool(self._state.is_paused)

    @paused.setter
    def paused(self, paused: bool) -> None:
        self._state.is_paused = int(paused)

    @property
    def taken(self) -> int:
        return int(self._state.taken)

    @property
    def taken_at(self) -> float:
        return float(self._state.taken_at) / 1e9

    @property
    def asked_at(self) -> float:
        return float(self._state.asked_at) / 1e9

    @property
    def silent(self) -> int:
        return int(self._state.silent)

    @property
    def late(self) -> int:
        return int(self._state.late)

    def put(self, frames: bytes) -> int:
        ring = self._ring
        return int(self._queue(ring.pointer, frames, len(frames) // ring.frame_bytes))

    def take_back(self) -> int:
        return int(self._ring.library.pbxai_ring_take_back(self._ring.pointer))


class RingAudio:
    """A call's audio through rings (`port.CallAudio`)."""

    def __init__(self, clock_rate: int) -> None:
        self.clock_rate = clock_rate
        self.ring = Ring(clock_rate)
        self.capture = RingCapture(self.ring, clock_rate)
        self.outlet = RingOutlet(self.ring)

    def new_port(self, name: str) -> RingPort:
        return RingPort(self.ring, self.clock_rate, name)


class RingPort:
    """The ring's place on the bridge (`port.Port`)."""

    def __init__(self, ring: Ring, clock_rate: int, name: str) -> None:
        self._ring = ring
        self._library = _ports()
        self._port = c_void_p()
        self._slot = c_int(-1)
        status = self._library.pbxai_port_create(
            ring.pointer, name.encode(), clock_rate, byref(self._port), byref(self._slot)
        )
        if status:
            raise SipError(f"No place on the conference bridge (pjsip status {status}).")

    def connect(self, audio: Any) -> None:
        stream, slot = audio.getPortId(), self._slot.value
        for source, sink in ((stream, slot), (slot, stream)):
            status = self._library.pjsua_conf_connect(source, sink)
            if status:
                raise SipError(f"The call cannot be bridged (pjsip status {status}).")

    def record(self, tap: Tap) -> None:
        tap.source = RingTicks(self._ring)

    def open(self) -> None:
        state = self._ring.state
        if not state.is_open:
            state.asked_at = 0  # the time before is not late
            state.is_open = 1

    def close(self) -> None:
        self._ring.state.is_open = 0

    def destroy(self) -> None:
        self._library.pbxai_port_destroy(self._port, self._slot)


@functools.cache
def _ports() -> Any:
    """These take pjsip's locks: the interpreter lock is let go of."""
    library = c_library()
    library.pbxai_port_create.argtypes = [
        POINTER(_State),
        c_char_p,
        c_uint,
        POINTER(c_void_p),
        POINTER(c_int),
    ]
    library.pbxai_port_destroy.argtypes = [c_void_p, c_int]
    library.pbxai_port_destroy.restype = None
    library.pjsua_conf_connect.argtypes = [c_int, c_int]
    return library
