"""The folded models against Silero's own, and rows of many calls in arrays."""

from __future__ import annotations

from itertools import cycle
from pathlib import Path

import numpy as np
import onnxruntime
import pytest

from media_worker import speech
from media_worker.audio import neural
from media_worker.audio.neural import QUIET_WINDOWS, WINDOW_MS, NeuralVad
from tests.media_worker.audio.signals import noise, silence, tone

ORIGINAL = Path(__file__).parents[3] / "deploy" / "silero" / "silero_vad.onnx"
SECONDS = 40


def samples(pcm: bytes) -> np.ndarray:
    return np.frombuffer(pcm, dtype="<i2")


def sounds(rate: int) -> np.ndarray:
    """Calls of 40 s (calls, windows, samples of a window): speech soft, loud, in noise; silence."""
    said = [
        samples(speech.render("good morning, who am i talking to, please?", "en", rate)),
        samples(speech.render("guten tag, ich hätte gern einen termin am freitag", "de", rate)),
    ]
    between = [
        samples(sound)
        for sound in (
            silence(700, rate=rate),
            noise(900, rate=rate, level=0.02),
            silence(4000, rate=rate),
            tone(440, 500, rate=rate),
            noise(1500, rate=rate, level=0.3),
        )
    ]
    length = rate * SECONDS
    calls = []
    for number, (level, hiss) in enumerate([(1, 0), (0.1, 0), (0.01, 0), (1, 0.01), (0.3, 0.05)]):
        parts, left = [], length
        for speak, wait in zip(cycle(said), cycle(between[number:] + between[:number])):
            parts += [speak * level, wait]
            left -= len(speak) + len(wait)
            if left < 0:
                break
        call = np.concatenate(parts)[:length]
        if hiss:
            call = call + samples(noise(SECONDS * 1000, rate=rate, level=hiss, seed=number))
        calls.append(np.clip(call, -32768, 32767).astype(np.int16))
    size = rate * WINDOW_MS // 1000
    return np.stack(calls)[:, : length // size * size].reshape(len(calls), -1, size)


def original(calls: np.ndarray, rate: int) -> np.ndarray:
    """What Silero's own model makes of the calls, as its README says to use it."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(ORIGINAL, options, ["CPUExecutionProvider"])
    context = np.zeros((len(calls), rate // 250), np.float32)
    state = np.zeros((2, len(calls), 128), np.float32)
    found = []
    for number in range(calls.shape[1]):
        sound = calls[:, number].astype(np.float32) / 32768
        feeds = {"input": np.hstack([context, sound]), "state": state, "sr": np.array(rate)}
        probabilities, state = session.run(None, feeds)
        context = sound[:, -rate // 250 :]
        found.append(probabilities[:, 0])
    return np.array(found)


@pytest.mark.parametrize("rate", [8000, 16000])
def test_folded_model_says_what_the_original_says(rate, monkeypatch):
    """All the time: neither rests, also in the silence."""
    monkeypatch.setattr(neural, "QUIET_WINDOWS", 1_000_000)
    calls = sounds(rate)
    vad = NeuralVad(rate)
    rows = np.array([vad.open_row() for _ in calls])
    folded = np.array([vad.probabilities(rows, calls[:, n]) for n in range(calls.shape[1])])
    expected = original(calls, rate)
    assert np.abs(folded - expected).max() < 1e-4
    for call in expected.T:
        assert call.min() < 0.1
        assert call.max() > 0.9


def test_rows_that_come_in_any_order_hear_what_they_hear_alone():
    calls = sounds(8000)[:, :200]
    together = NeuralVad(8000)
    rows = np.array([together.open_row() for _ in calls])
    at, random = np.zeros(len(calls), int), np.random.default_rng(1)
    found: list[list[float]] = [[] for _ in calls]
    while (late := np.flatnonzero(at < 200)).size:
        some = random.permutation(late)[: random.integers(1, late.size, endpoint=True)]
        for call, probability in zip(
            some, together.probabilities(rows[some], calls[some, at[some]]), strict=True
        ):
            found[call].append(probability)
        at[some] += 1
    for heard, call in zip(found, calls, strict=True):
        alone = NeuralVad(8000)
        row = np.array([alone.open_row()])
        expected = [alone.probabilities(row, window[np.newaxis])[0] for window in call]
        assert heard == pytest.approx(expected, abs=1e-4)
        assert max(heard) > 0.3


def test_row_at_rest_is_no_speech_and_wakes_with_the_next_sound():
    vad = NeuralVad(8000)
    rows = np.array([vad.open_row(), vad.open_row()])
    said = sounds(8000)[0, :40]
    still = np.zeros_like(said[:1])
    both = [vad.probabilities(rows, np.concatenate([window[np.newaxis], still])) for window in said]
    speaks, rests = np.array(both).T
    assert speaks.max() > 0.5
    assert rests[:QUIET_WINDOWS].all()
    assert not rests[QUIET_WINDOWS:].any()
    found = [vad.probabilities(rows[1:], window[np.newaxis])[0] for window in said]
    assert max(found) > 0.5


def test_closed_row_is_used_again_and_remembers_nothing():
    vad = NeuralVad(8000)
    said = sounds(8000)[0, :40]
    found = []
    for _ in range(2):
        row = vad.open_row()
        found.append([vad.probabilities(np.array([row]), w[np.newaxis])[0] for w in said])
        vad.close_row(row)
    assert vad.open_row() == row
    assert found[0] == found[1]


def test_no_rows_are_no_work():
    assert NeuralVad(8000).probabilities(np.zeros(0, int), np.zeros((0, 256), np.int16)).size == 0
