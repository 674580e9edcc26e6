"""Sounds for the tests; int16 mono PCM as bytes."""

import numpy as np


def tone(hz: float, ms: int, *, rate: int = 8000, level: float = 0.3) -> bytes:
    t = np.arange(rate * ms // 1000) / rate
    return (np.sin(2 * np.pi * hz * t) * level * 32767).astype("<i2").tobytes()


def noise(ms: int, *, rate: int = 8000, level: float = 0.01, seed: int = 1) -> bytes:
    samples = np.random.default_rng(seed).normal(0, level * 32767, rate * ms // 1000)
    return np.clip(samples, -32768, 32767).astype("<i2").tobytes()


def voice(ms: int, *, rate: int = 8000, level: float = 0.2, seed: int = 1) -> bytes:
    """Something speech-like: harmonics of a gliding 120 Hz voice, syllables of 4 Hz."""
    t = np.arange(rate * ms // 1000) / rate
    phase = 2 * np.pi * np.cumsum(120 + 15 * np.sin(2 * np.pi * 0.7 * t)) / rate
    harmonics = range(1, 3400 // 140)
    sound = sum(np.sin(n * phase) * np.exp(-n / 8) for n in harmonics)
    syllables = 0.15 + 0.85 * np.abs(np.sin(2 * np.pi * 2 * t))
    breath = np.random.default_rng(seed).normal(0, 0.02, len(t))
    samples = (sound * syllables + breath) / 4 * level * 32767
    return np.clip(samples, -32768, 32767).astype("<i2").tobytes()


def silence(ms: int, *, rate: int = 8000) -> bytes:
    return bytes(rate * ms // 1000 * 2)


def loudest_hz(pcm: bytes, *, rate: int = 8000) -> float:
    """Frequency of the strongest component."""
    samples = np.frombuffer(pcm, dtype="<i2").astype(float)
    spectrum = np.abs(np.fft.rfft(samples * np.hanning(len(samples))))
    return float(np.argmax(spectrum) * rate / len(samples))
