"""Between the leg's PCM and what a provider takes and gives (contract.AudioFormat)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import numpy as np
import soxr
from numpy.typing import NDArray

from media_worker.audio import g711
from media_worker.contract import AudioFormat

RESAMPLE_QUALITY: Final = "LQ"
"""soxr works in blocks: at LQ it holds back 5 to 40 ms (8 <-> 24 kHz, 22 on average; up to 61 for
8 <-> 16), MQ twice that. QQ holds back nothing, but without a filter: what is above 4 kHz folds."""

_RATES: Final = {
    AudioFormat.PCMU: 8000,
    AudioFormat.PCMA: 8000,
    AudioFormat.PCM_16K: 16000,
    AudioFormat.PCM_24K: 24000,
}
_ENCODE: Final[dict[AudioFormat, Callable[[bytes], bytes]]] = {
    AudioFormat.PCMU: g711.encode_mu_law,
    AudioFormat.PCMA: g711.encode_a_law,
}
_DECODE: Final[dict[AudioFormat, Callable[[bytes], bytes]]] = {
    AudioFormat.PCMU: g711.decode_mu_law,
    AudioFormat.PCMA: g711.decode_a_law,
}


def sample_rate(fmt: AudioFormat) -> int:
    """Samples a second."""
    return _RATES[fmt]


def bytes_per_ms(fmt: AudioFormat) -> int:
    return _RATES[fmt] // 1000 * (1 if fmt in _ENCODE else 2)


class _Resampler:
    """16-bit mono PCM from one rate to another, chunk by chunk; nothing to do for equal rates."""

    def __init__(self, from_rate: int, to_rate: int) -> None:
        self._stream = (
            None
            if from_rate == to_rate
            else soxr.ResampleStream(from_rate, to_rate, 1, dtype="int16", quality=RESAMPLE_QUALITY)
        )

    def resample(self, pcm: bytes, *, last: bool = False) -> bytes:
        if self._stream is None:
            return pcm
        samples = np.frombuffer(pcm, dtype="<i2")
        resampled: NDArray[np.int16] = self._stream.resample_chunk(samples, last=last)
        return resampled.tobytes()

    def reset(self) -> None:
        if self._stream is not None:
            self._stream.clear()


class Encoder:
    """Leg PCM to a provider's format; keeps the resampler's state over the whole call."""

    def __init__(self, fmt: AudioFormat, clock_rate: int) -> None:
        self._resampler = _Resampler(clock_rate, _RATES[fmt])
        self._encode = _ENCODE.get(fmt)

    def encode(self, pcm: bytes) -> bytes:
        resampled = self._resampler.resample(pcm)
        return self._encode(resampled) if self._encode else resampled


class Decoder:
    """A provider's format to leg PCM. Deltas may split a sample: the odd byte waits."""

    def __init__(self, fmt: AudioFormat, clock_rate: int) -> None:
        self._resampler = _Resampler(_RATES[fmt], clock_rate)
        self._decode = _DECODE.get(fmt)
        self._odd = b""

    def decode(self, data: bytes) -> bytes:
        return self._resampler.resample(self._to_pcm(data))

    def finish(self) -> bytes:
        """The end of an item: what the resampler held back. Ready for the next item after it."""
        rest = self._resampler.resample(b"", last=True)
        self.reset()
        return rest

    def reset(self) -> None:
        """Forget what is held back: a new item begins."""
        self._resampler.reset()
        self._odd = b""

    def _to_pcm(self, data: bytes) -> bytes:
        if self._decode is not None:
            return self._decode(data)
        data = self._odd + data
        even = len(data) - len(data) % 2
        self._odd = data[even:]
        return data[:even]


_LEAST_BYTES: Final = 640
_MODEST_BYTES: Final = 320
_LOUDEST_SEGMENT: Final = 16500
"""16-bit units, between the two loudest segments of either law."""
_SMOOTH: Final = 0.6
_CLEARLY: Final = 0.25
_LOUD: Final = 1000
_NOT_NOISE: Final = 0.3


def looks_like_pcm16(data: bytes) -> bool:
    """Whether bytes declared as G.711 are 16-bit PCM instead.

    Neighbouring samples of speech are alike, so the right reading has the higher lag-1
    autocorrelation: PCM read as G.711 has every other sample from a low byte, which is noise.
    Silence, and less than 640 bytes, say nothing: False.
    """
    if len(data) < _LEAST_BYTES:
        return False
    as_pcm = _lag_one(_read_as_pcm(data))
    return as_pcm > _SMOOTH and as_pcm > _lag_one_as_g711(data) + _CLEARLY


def is_surely_g711(data: bytes) -> bool:
    """Whether bytes can be nothing but G.711, from 640 on; False says nothing.

    Read as G.711, speech at 24 kHz is noise (lag-1 autocorrelation below 0.1, measured), speech in
    G.711 nine times out of ten is not. Nor is PCM that is all but silent, but G.711 read as PCM is
    loud.
    """
    if len(data) < _LEAST_BYTES:
        return False
    pcm = _read_as_pcm(data).astype(np.float64)
    return bool(pcm.std() > _LOUD) and _lag_one_as_g711(data) > _NOT_NOISE


def cannot_be_pcm16(data: bytes, law: AudioFormat) -> bool:
    """Whether bytes are G.711 of this law that is not very loud, from 320 on; False says nothing.

    An eighth of all bytes is of a law's loudest segment, and the lower bytes of PCM that is not all
    but silent can be any: that none of 160 is such a one has a chance of 5e-10.
    """
    if len(data) < _MODEST_BYTES or _read_as_pcm(data).astype(np.float64).std() <= _LOUD:
        return False
    decode = g711.decode_a_law if law is AudioFormat.PCMA else g711.decode_mu_law
    samples = np.frombuffer(decode(data), dtype="<i2").astype(np.int32)
    return bool(np.abs(samples).max() < _LOUDEST_SEGMENT)


def _read_as_pcm(data: bytes) -> NDArray[np.int16]:
    return np.frombuffer(data[: len(data) - len(data) % 2], dtype="<i2")


def _lag_one_as_g711(data: bytes) -> float:
    """Of the law that suits the data better."""
    return max(
        _lag_one(np.frombuffer(decode(data), dtype="<i2"))
        for decode in (g711.decode_mu_law, g711.decode_a_law)
    )


def _lag_one(samples: NDArray[np.int16]) -> float:
    """Autocorrelation with the next sample, -1 to 1; 0 where there is no sound."""
    centred = samples.astype(np.float64) - samples.mean()
    power = float(centred @ centred)
    return float(centred[:-1] @ centred[1:]) / power if power > len(samples) else 0.0
