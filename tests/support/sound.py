"""Recordings for tests: real Opus in Ogg, and what is in one."""

from __future__ import annotations

import hashlib
import io
import tempfile
from pathlib import Path

import av
import numpy as np

from media_worker.recording.encode import encode


def stereo(left: np.ndarray, right: np.ndarray) -> bytes:
    """16-bit stereo PCM."""
    return np.stack([left, right], axis=1).astype("<i2").tobytes()


def tone(hz: float, seconds: float, *, rate: int = 8000, level: float = 0.3) -> np.ndarray:
    t = np.arange(round(rate * seconds)) / rate
    return np.sin(2 * np.pi * hz * t) * level * 32767


def ogg(seconds: float = 2.0, *, hz: float = 440.0) -> bytes:
    """A recording: a tone of the caller, silence of the agent."""
    sound = tone(hz, seconds)
    with tempfile.TemporaryDirectory() as folder:
        pcm, encoded = Path(folder) / "x.pcm", Path(folder) / "x.ogg"
        pcm.write_bytes(stereo(sound, np.zeros(len(sound))))
        encode(pcm, encoded, 8000)
        return encoded.read_bytes()


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def decode(data: bytes, rate: int = 8000) -> np.ndarray:
    """Samples by (time, side), resampled from what Opus decodes to."""
    with av.open(io.BytesIO(data)) as container:
        to = av.AudioResampler(format="s16", layout="stereo", rate=rate)
        frames = [part for frame in container.decode(audio=0) for part in to.resample(frame)]
        frames += to.resample(None)
    return np.concatenate([frame.to_ndarray().reshape(-1, 2) for frame in frames])


def level_db(samples: np.ndarray) -> float:
    """Root mean square in dB below full scale."""
    power = float((samples.astype(float) ** 2).mean()) if samples.size else 0.0
    return 10 * np.log10(power / 32768**2 + 1e-12)
