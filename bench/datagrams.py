"""Many UDP datagrams a system call: sendmmsg and recvmmsg over numpy arrays.

A load generator in Python can hold 12,500 packets a second each way only when a packet costs no
Python code of its own. The structures of the two calls (recvmmsg(2), sendmmsg(2), 64-bit Linux)
are laid out once in arrays; a call then sends or fills a range of rows. Each received datagram
carries the kernel's own time of arrival (SO_TIMESTAMPNS), so that a measure does not depend on
when this process got round to reading it.
"""

from __future__ import annotations

import ctypes
import socket
import time
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

_MESSAGE: Final = np.dtype(
    [
        ("name", "u8"),
        ("name_size", "u4"),
        ("_gap", "u4"),
        ("iov", "u8"),
        ("iov_count", "u8"),
        ("control", "u8"),
        ("control_size", "u8"),
        ("flags", "i4"),
        ("_gap2", "u4"),
        ("size", "u4"),
        ("_gap3", "u4"),
    ]
)
"""struct mmsghdr: a struct msghdr and the number of bytes received or sent."""
_PIECE: Final = np.dtype([("base", "u8"), ("size", "u8")])
"""struct iovec"""
_ADDRESS: Final = np.dtype([("family", "=u2"), ("port", ">u2"), ("host", "u1", 4), ("_zero", "u8")])
"""struct sockaddr_in"""
_CONTROL_BYTES: Final = 32
"""One control message: a header of 16 bytes, then struct timespec."""
_SO_TIMESTAMPNS: Final = 35
_MAX_DATAGRAM: Final = 2048
_SOCKET_BUFFER: Final = 8 * 1024 * 1024
_SO_RCVBUFFORCE: Final = 33

_libc: Final = ctypes.CDLL(None, use_errno=True)
for _name in ("sendmmsg", "recvmmsg"):
    _function = getattr(_libc, _name)
    _function.restype = ctypes.c_int
_libc.sendmmsg.argtypes = [ctypes.c_int, ctypes.c_void_p, ctypes.c_uint, ctypes.c_int]
_libc.recvmmsg.argtypes = [
    ctypes.c_int,
    ctypes.c_void_p,
    ctypes.c_uint,
    ctypes.c_int,
    ctypes.c_void_p,
]


def udp_socket(host: str = "127.0.0.1", port: int = 0) -> socket.socket:
    """A bound socket that never blocks, stamps what arrives, and loses nothing to a full buffer."""
    udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    try:
        udp.setsockopt(socket.SOL_SOCKET, _SO_RCVBUFFORCE, _SOCKET_BUFFER)  # root only
    except PermissionError:
        udp.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _SOCKET_BUFFER)
    udp.setsockopt(socket.SOL_SOCKET, _SO_TIMESTAMPNS, 1)
    udp.bind((host, port))
    udp.setblocking(False)
    return udp


class Sender:
    """Sends rows of `packets` (uint8, one datagram a row) to the address of each row."""

    def __init__(self, udp: socket.socket, packets: NDArray[np.uint8]) -> None:
        rows, size = packets.shape
        self._fd = udp.fileno()
        self._packets = packets  # kept: the kernel reads from it
        self._addresses = np.zeros(rows, _ADDRESS)
        self._pieces = np.zeros(rows, _PIECE)
        self._messages = np.zeros(rows, _MESSAGE)
        self._pieces["base"] = packets.ctypes.data + np.arange(rows) * packets.strides[0]
        self._pieces["size"] = size
        self._messages["name"] = _rows(self._addresses)
        self._messages["name_size"] = _ADDRESS.itemsize
        self._messages["iov"] = _rows(self._pieces)
        self._messages["iov_count"] = 1
        self._at = self._messages.ctypes.data
        self.failed = 0
        """Datagrams that the kernel did not take."""

    def aim(self, row: int, host: str, port: int) -> None:
        self._addresses[row] = (socket.AF_INET, port, list(socket.inet_aton(host)), 0)

    def move(self, row: int, to: int) -> None:
        """Row `to` is sent to where row `row` was."""
        self._addresses[to] = self._addresses[row]

    def send(self, first: int, end: int) -> None:
        while first < end:
            sent = _libc.sendmmsg(self._fd, self._at + first * _MESSAGE.itemsize, end - first, 0)
            if sent <= 0:
                self.failed += 1
                sent = 1
            first += sent


@dataclass(frozen=True)
class Batch:
    """Datagrams as they came; `at` in seconds of CLOCK_MONOTONIC. Valid until the next receive."""

    data: NDArray[np.uint8]
    size: NDArray[Any]
    port: NDArray[Any]
    at: NDArray[np.float64]


class Receiver:
    """Receives up to `rows` datagrams a call."""

    def __init__(self, udp: socket.socket, rows: int = 512) -> None:
        self._fd = udp.fileno()
        self._rows = rows
        self._data = np.zeros((rows, _MAX_DATAGRAM), np.uint8)
        self._addresses = np.zeros(rows, _ADDRESS)
        self._control = np.zeros((rows, _CONTROL_BYTES // 8), np.int64)
        self._pieces = np.zeros(rows, _PIECE)
        self._messages = np.zeros(rows, _MESSAGE)
        self._pieces["base"] = _rows(self._data)
        self._pieces["size"] = _MAX_DATAGRAM
        self._messages["name"] = _rows(self._addresses)
        self._messages["iov"] = _rows(self._pieces)
        self._messages["iov_count"] = 1
        self._messages["control"] = _rows(self._control)
        self._messages["name_size"] = _ADDRESS.itemsize
        self._messages["control_size"] = _CONTROL_BYTES
        self._at = self._messages.ctypes.data

    def receive(self) -> Batch | None:
        """What waits; None when nothing does."""
        count = _libc.recvmmsg(self._fd, self._at, self._rows, socket.MSG_DONTWAIT, None)
        if count <= 0:
            return None
        messages = self._messages[:count]
        batch = Batch(
            data=self._data[:count],
            size=messages["size"].copy(),
            port=self._addresses["port"][:count].astype(np.uint16),
            at=self._control[:count, 2] + self._control[:count, 3] * 1e-9 - wall_offset(),
        )
        messages["name_size"] = _ADDRESS.itemsize  # the kernel wrote over them
        messages["control_size"] = _CONTROL_BYTES
        return batch

    def __iter__(self) -> Any:
        """Batches until nothing waits."""
        while (batch := self.receive()) is not None:
            yield batch
            if len(batch.size) < self._rows:
                return


def wall_offset() -> float:
    """Seconds of the wall clock, by which the kernel stamps, ahead of CLOCK_MONOTONIC."""
    return time.time() - time.monotonic()


def stamped_at(control: list[tuple[int, int, bytes]]) -> float:
    """Arrival of one datagram read by `recvmsg`, CLOCK_MONOTONIC; now, where it has no stamp."""
    for _level, kind, data in control:
        if kind == _SO_TIMESTAMPNS:
            seconds, nanoseconds = np.frombuffer(data[:16], np.int64)
            return float(seconds) + float(nanoseconds) * 1e-9 - wall_offset()
    return time.monotonic()


def _rows(array: NDArray[Any]) -> NDArray[np.uint64]:
    """Address of each row."""
    return (array.ctypes.data + np.arange(len(array)) * array.strides[0]).astype(np.uint64)
