"""Moving 20 ms of PCM between Python bytes and pjsua2's ByteVector, as fast as the build allows.

A frame callback runs a hundred times a second and call. The build of 2.17 copies by
`copy_to_bytearray` / `assign_from_bytes`. The PyPI wheel has neither: there the vector's storage is
read and written through ctypes (3 us instead of 200), after a self-test; where that fails, the slow
way is taken.
"""

from __future__ import annotations

import ctypes
import logging
from collections.abc import Callable
from typing import Any, Final

import pjsua2 as pj

logger = logging.getLogger(__name__)

Reader = Callable[[Any], bytes]
"""ByteVector to bytes."""
Writer = Callable[[Any, bytes], None]
"""Puts bytes into the ByteVector of a MediaFrame (first argument: the frame)."""

_POINTER: Final = ctypes.sizeof(ctypes.c_void_p)


def read_slowly(vector: Any) -> bytes:
    return bytes(vector)


def write_slowly(frame: Any, data: bytes) -> None:
    frame.buf = pj.ByteVector(data)


def _read_by_copy(vector: Any) -> bytes:
    data = bytearray(vector.size())
    vector.copy_to_bytearray(data)
    return bytes(data)


def _write_by_copy(frame: Any, data: bytes) -> None:
    frame.buf.assign_from_bytes(data)


def _read_storage(vector: Any) -> bytes:
    """A std::vector is three pointers: begin, end, end of storage (libstdc++, libc++)."""
    at = int(vector.this)
    begin = ctypes.c_void_p.from_address(at).value
    end = ctypes.c_void_p.from_address(at + _POINTER).value
    return ctypes.string_at(begin, end - begin) if begin and end else b""


class _StorageWriter:
    """Fills one vector of its own and has C++ copy it into the frame. One thread only."""

    def __init__(self) -> None:
        self._vector = pj.ByteVector()
        self._size = -1

    def __call__(self, frame: Any, data: bytes) -> None:
        if len(data) != self._size:
            self._vector = pj.ByteVector(data)
            self._size = len(data)
        elif data:
            begin = ctypes.c_void_p.from_address(int(self._vector.this))
            ctypes.memmove(begin, data, len(data))
        frame.buf = self._vector


def _works(read: Reader, write: Writer) -> bool:
    """Both ways give back what went in, twice in a row and for the empty frame."""
    frame = pj.MediaFrame()
    samples = [bytes(range(256)) + b"\x80" * 64, bytes(range(255, -1, -1)) + b"\x7f" * 64, b""]
    try:
        for sample in [*samples, samples[0]]:
            write(frame, sample)
            if read(frame.buf) != sample or bytes(frame.buf) != sample:
                return False
    except (AttributeError, TypeError, ValueError) as error:
        logger.info("frame copy refused: %s", error)
        return False
    return True


def _has_copy_methods() -> bool:
    return hasattr(pj.ByteVector, "copy_to_bytearray") and hasattr(
        pj.ByteVector, "assign_from_bytes"
    )


class FrameCopy:
    """The fastest way of this build that passed its self-test. Make one writer a thread."""

    def __init__(self) -> None:
        self.name, self.read, self._new_writer = self._choose()

    def new_writer(self) -> Writer:
        return self._new_writer()

    @staticmethod
    def _choose() -> tuple[str, Reader, Callable[[], Writer]]:
        if _has_copy_methods() and _works(_read_by_copy, _write_by_copy):
            return "copy", _read_by_copy, lambda: _write_by_copy
        if hasattr(pj.ByteVector, "this") or hasattr(pj.ByteVector(), "this"):
            writer: Writer = _StorageWriter()
            if _works(_read_storage, writer):
                return "storage", _read_storage, _StorageWriter
        logger.warning("this pjsua2 build has no fast frame copy: each call costs far more CPU")
        return "slow", read_slowly, lambda: write_slowly
