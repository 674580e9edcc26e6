"""Neural voice activity: Silero VAD v6, one onnxruntime session for all calls of the process.

Calls that have a window ready are run together: at 8 kHz a window of 32 ms takes 36-40 us of CPU in
a batch of 32 or more and 117 us alone (docs/voice-activity.md). The model, its licence and where
it comes from are in `silero/`.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from media_worker.audio.vad import LEAST_DB

MODEL: Final = Path(__file__).parent / "silero" / "silero_vad.onnx"
MODEL_SHA256: Final = "1a153a22f4509e292a94e67d6f9b85e8deb25b4988682b7e174c65279d8788e3"

WINDOW_MS: Final = 32
ENTER: Final = 0.5
"""Probability from which a window is speech, and (Silero's own margin) while speech goes on."""
STAY: Final = ENTER - 0.15
BATCH: Final = 128
"""Windows of one run: more saves nothing and makes onnxruntime's buffers larger."""
QUIET_WINDOWS: Final = 16
"""So many windows of silence are still run, so that the model comes to rest; then it waits."""

_STATE: Final = 128
_SAMPLE_RATES: Final = (8000, 16000)
_LOUDEST: Final = 32768.0

Floats = npt.NDArray[np.float32]


class NeuralError(Exception):
    """The model cannot be used on this machine; says why."""


class NeuralVad:
    """Belongs to one thread. `open` gives a call its stream; `run` decides all that was fed."""

    def __init__(self, clock_rate: int) -> None:
        """Loads the model, which takes 100-300 ms. Raises NeuralError."""
        if clock_rate not in _SAMPLE_RATES:
            raise NeuralError(f"no model for {clock_rate} Hz")
        self.window_samples = clock_rate * WINDOW_MS // 1000
        self._session = _load()
        self._rate = np.array(clock_rate, dtype=np.int64)
        self._context_samples = clock_rate // 250
        self._rows = 0
        self._free: list[int] = []
        self._state: Floats = np.zeros((2, 0, _STATE), np.float32)
        self._context: Floats = np.zeros((0, self._context_samples), np.float32)
        self._quiet: npt.NDArray[np.int32] = np.zeros(0, np.int32)
        self._ready: list[NeuralStream] = []

    def open(self) -> NeuralStream:
        if not self._free:
            self._grow()
        row = self._free.pop()
        self._state[:, row] = 0
        self._context[row] = 0
        self._quiet[row] = 0
        return NeuralStream(self, row)

    def run(self) -> None:
        """Decide every window that waits; a call's second window needs what came of its first."""
        ready, self._ready = self._ready, []
        while ready:
            for start in range(0, len(ready), BATCH):
                self._decide(ready[start : start + BATCH])
            ready = [stream for stream in ready if stream.has_window]

    def _decide(self, streams: list[NeuralStream]) -> None:
        rows = np.array([stream.row for stream in streams])
        pcm = np.frombuffer(b"".join([stream.next_window() for stream in streams]), dtype="<i2")
        windows = np.empty((len(rows), self._context_samples + self.window_samples), np.float32)
        windows[:, : self._context_samples] = self._context[rows]
        sound = windows[:, self._context_samples :]
        np.multiply(pcm.reshape(len(rows), -1), np.float32(1 / _LOUDEST), out=sound)
        self._context[rows] = windows[:, -self._context_samples :]
        power = np.vecdot(sound, sound) / self.window_samples
        quiet = np.where(power > 10 ** (LEAST_DB / 10), 0, self._quiet[rows] + 1)
        self._quiet[rows] = quiet
        awake = quiet <= QUIET_WINDOWS
        probabilities = np.zeros(len(rows), np.float32)
        if awake.any():
            probabilities[awake] = self._infer(windows[awake], rows[awake])
        for stream, probability in zip(streams, probabilities.tolist(), strict=True):
            stream.decide(probability)

    def _infer(self, windows: Floats, rows: npt.NDArray[np.int64]) -> Floats:
        feeds = {"input": windows, "state": self._state[:, rows], "sr": self._rate}
        probabilities, state = self._session.run(None, feeds)
        self._state[:, rows] = state
        column: Floats = probabilities[:, 0]
        return column

    def _grow(self) -> None:
        new = max(8, self._rows)
        self._free += range(self._rows + new - 1, self._rows - 1, -1)
        self._rows += new
        self._state = np.concatenate([self._state, np.zeros((2, new, _STATE), np.float32)], axis=1)
        self._context = np.concatenate(
            [self._context, np.zeros((new, self._context_samples), np.float32)]
        )
        self._quiet = np.concatenate([self._quiet, np.zeros(new, np.int32)])

    # --- for the streams -------------------------------------------------------------------------

    def enlist(self, stream: NeuralStream) -> None:
        """It has a window that waits to be run."""
        self._ready.append(stream)

    def release(self, stream: NeuralStream) -> None:
        if stream in self._ready:
            self._ready.remove(stream)
        self._free.append(stream.row)


class NeuralStream:
    """One call's part of the batch, a `Detector`; decisions are there after `NeuralVad.run`."""

    frame_ms = WINDOW_MS

    def __init__(self, vad: NeuralVad, row: int) -> None:
        self.row = row
        self._vad = vad
        self._window_bytes = vad.window_samples * 2
        self._waiting = b""
        self._decisions: list[bool] = []
        self._is_open = True
        self._speaks = False

    def feed(self, pcm: bytes) -> None:
        if not self._is_open:
            return
        had_window = self.has_window
        self._waiting += pcm
        if self.has_window and not had_window:
            self._vad.enlist(self)

    def decisions(self) -> list[bool]:
        decisions, self._decisions = self._decisions, []
        return decisions

    def close(self) -> None:
        if self._is_open:
            self._is_open = False
            self._vad.release(self)

    # --- for the batch ---------------------------------------------------------------------------

    @property
    def has_window(self) -> bool:
        return len(self._waiting) >= self._window_bytes

    def next_window(self) -> bytes:
        window, self._waiting = (
            self._waiting[: self._window_bytes],
            self._waiting[self._window_bytes :],
        )
        return window

    def decide(self, probability: float) -> None:
        self._speaks = probability >= (STAY if self._speaks else ENTER)
        self._decisions.append(self._speaks)


def _load() -> Any:
    """An onnxruntime session on one thread of ours: the worker's core is shared with its calls."""
    model = MODEL.read_bytes()
    if hashlib.sha256(model).hexdigest() != MODEL_SHA256:
        raise NeuralError(f"{MODEL} is not the model that this release was tested with")
    try:
        import onnxruntime
    except ImportError as error:
        raise NeuralError(f"onnxruntime cannot be used: {error}") from None
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.log_severity_level = 3
    try:
        return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime's errors have no common base
        raise NeuralError(f"The model cannot be loaded: {error}") from None
