"""The callers' speech has pauses, and none of them is silence."""

from __future__ import annotations

import numpy as np
import pytest

from bench.rtp import SILENCE_FROM
from bench.speech import FRAME_SAMPLES, RATE, SPOKEN_PEAK, Speech, marked
from media_worker.audio.playout import QUIET_PEAK

SPOKEN_FRAMES = 40
PAUSE_FRAMES = 20


@pytest.fixture(scope="module")
def speech() -> Speech:
    """Words of 0.8 s with pauses of 0.4 s."""
    rng = np.random.default_rng(5)
    word = rng.normal(0, 3000, SPOKEN_FRAMES * FRAME_SAMPLES)
    pause = np.zeros(PAUSE_FRAMES * FRAME_SAMPLES)
    return Speech(marked(np.concatenate([word, pause] * 4).astype(np.int16)))


def test_no_frame_is_silence(speech: Speech) -> None:
    said = speech.frames[: speech.loop]
    assert ((said & 0x7F) < SILENCE_FROM).any(axis=1).all()


def test_pauses_are_what_the_playout_takes_for_pauses(speech: Speech) -> None:
    peaks = np.abs(speech.pcm(0, speech.loop).astype(np.int32)).reshape(-1, FRAME_SAMPLES).max(1)
    assert np.count_nonzero(peaks < QUIET_PEAK) == 4 * PAUSE_FRAMES


def test_every_stretch_of_a_pause_differs(speech: Speech) -> None:
    stretch = RATE // 25
    first = speech.pcm(SPOKEN_FRAMES, 4)[:stretch].astype(np.float64)
    everything = speech.pcm(0, speech.loop).astype(np.float64)
    windows = np.lib.stride_tricks.sliding_window_view(everything, stretch)
    alike = windows @ first / np.linalg.norm(windows, axis=1) / np.linalg.norm(first)
    assert np.count_nonzero(alike > 0.8) == 1


def test_speech_is_found_from_a_pause_on(speech: Speech) -> None:
    assert speech.spoken_from(0) == 0
    assert speech.spoken_from(SPOKEN_FRAMES + 3) == SPOKEN_FRAMES + PAUSE_FRAMES
    assert speech.spoken_from(speech.loop - 2) == 0
    peaks = np.abs(speech.pcm(0, speech.loop).astype(np.int32)).reshape(-1, FRAME_SAMPLES).max(1)
    assert peaks[speech.spoken_from(SPOKEN_FRAMES + 3)] >= SPOKEN_PEAK
