"""G.711 by table (ITU-T G.711 11/88): 16-bit linear PCM to and from mu-law and A-law octets.

PCMU and PCMA of RFC 3551 sections 4.5.14: one octet a sample, 8000 a second.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

_MU_BIAS: Final = 33
_MU_CLIP: Final = 8159
_A_CLIP: Final = 4095


def _segments(magnitude: NDArray[np.int32], first_end: int) -> NDArray[np.int32]:
    """Number of the segment (chord) that a magnitude lies in; each is twice as wide as the last."""
    ends = np.array([(first_end << n) - 1 for n in range(8)], dtype=np.int32)
    return np.searchsorted(ends, magnitude, side="left").astype(np.int32)


def _encode_mu(pcm: NDArray[np.int32]) -> NDArray[np.uint8]:
    linear = pcm >> 2  # 14 bits, as the law is defined
    negative = linear < 0
    magnitude = np.minimum(np.where(negative, -linear, linear), _MU_CLIP) + _MU_BIAS
    segment = _segments(magnitude, 0x40)
    code = np.where(
        segment >= 8, 0x7F, (segment << 4) | ((magnitude >> (np.minimum(segment, 7) + 1)) & 0x0F)
    )
    return (code ^ np.where(negative, 0x7F, 0xFF)).astype(np.uint8)


def _encode_a(pcm: NDArray[np.int32]) -> NDArray[np.uint8]:
    linear = pcm >> 3  # 13 bits, as the law is defined
    negative = linear < 0
    magnitude = np.minimum(np.where(negative, -linear - 1, linear), _A_CLIP)
    segment = _segments(magnitude, 0x20)
    step = (magnitude >> np.maximum(segment, 1)) & 0x0F
    return (((segment << 4) | step) ^ np.where(negative, 0x55, 0xD5)).astype(np.uint8)


def _decode_mu(octets: NDArray[np.int32]) -> NDArray[np.int16]:
    code = ~octets & 0xFF
    magnitude = ((((code & 0x0F) << 3) + 0x84) << ((code & 0x70) >> 4)) - 0x84
    return np.where(code & 0x80, -magnitude, magnitude).astype(np.int16)


def _decode_a(octets: NDArray[np.int32]) -> NDArray[np.int16]:
    code = octets ^ 0x55
    segment = (code & 0x70) >> 4
    step = (code & 0x0F) << 4
    magnitude = np.where(segment == 0, step + 8, (step + 0x108) << np.maximum(segment - 1, 0))
    return np.where(code & 0x80, magnitude, -magnitude).astype(np.int16)


_ALL_PCM: Final = np.arange(65536, dtype=np.uint16).view(np.int16).astype(np.int32)
_ALL_OCTETS: Final = np.arange(256, dtype=np.int32)
_TO_MU: Final[NDArray[np.uint8]] = _encode_mu(_ALL_PCM)
_TO_A: Final[NDArray[np.uint8]] = _encode_a(_ALL_PCM)
_FROM_MU: Final[NDArray[np.int16]] = _decode_mu(_ALL_OCTETS).astype("<i2")
_FROM_A: Final[NDArray[np.int16]] = _decode_a(_ALL_OCTETS).astype("<i2")


def encode_mu_law(pcm: bytes) -> bytes:
    """16-bit little-endian PCM (even length) to one mu-law octet a sample."""
    return _TO_MU.take(np.frombuffer(pcm, dtype="<u2")).tobytes()


def decode_mu_law(octets: bytes) -> bytes:
    return _FROM_MU.take(np.frombuffer(octets, dtype=np.uint8)).tobytes()


def encode_a_law(pcm: bytes) -> bytes:
    """16-bit little-endian PCM (even length) to one A-law octet a sample."""
    return _TO_A.take(np.frombuffer(pcm, dtype="<u2")).tobytes()


def decode_a_law(octets: bytes) -> bytes:
    return _FROM_A.take(np.frombuffer(octets, dtype=np.uint8)).tobytes()
