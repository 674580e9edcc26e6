"""Neural voice activity: Silero VAD v6, one onnxruntime session for all calls of the process.

Calls that have a window ready are run together: at 8 kHz a window of 32 ms takes 8-11 us of CPU in
a batch of 32 or more and 45 us alone, and about 2 us more here. That is a third of what Silero's
own model takes, and alone half (`bench/neural.py`): ours is that model folded, in `silero/`, where
its licence and origin are too.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from media_worker.audio.vad import LEAST_DB

FOLDER: Final = Path(__file__).parent / "silero"
MODELS: Final = {
    8000: "e33dd4744cce781e7468dbea52d32fe351575feea37dab73408da90221c3121c",
    16000: "dd71ae0d77332da16e3402ee6d592df495f042208260abf4dcc34ebdccfc5005",
}
"""SHA-256 of the model of each sample rate, `silero_vad_8000.onnx` and so on."""

WINDOW_MS: Final = 32
ENTER: Final = 0.5
"""Probability from which a window is speech, and (Silero's own margin) while speech goes on."""
STAY: Final = ENTER - 0.15
BATCH: Final = 128
"""Windows of one run: more saves nothing and makes onnxruntime's buffers larger."""
QUIET_WINDOWS: Final = 16
"""So many windows of silence are still run, so that the model comes to rest; then it waits."""

_STATE: Final = 128
_LOUDEST: Final = 32768.0

Floats = npt.NDArray[np.float32]


class NeuralError(Exception):
    """The model cannot be used on this machine; says why."""


class NeuralVad:
    """Belongs to one thread. `open` gives a call its stream; `run` decides all that was fed."""

    def __init__(self, clock_rate: int) -> None:
        """Loads the model, which takes 100-300 ms. Raises NeuralError."""
        if clock_rate not in MODELS:
            raise NeuralError(f"no model for {clock_rate} Hz")
        self.window_samples = clock_rate * WINDOW_MS // 1000
        self._session = _load(clock_rate)
        self._context_samples = clock_rate // 250
        self._least = np.float32(10 ** (LEAST_DB / 10) * self.window_samples)
        self._rows = 0
        self._free: list[int] = []
        self._state: Floats = np.zeros((2, 0, _STATE), np.float32)
        self._context: Floats = np.zeros((0, self._context_samples), np.float32)
        self._quiet: npt.NDArray[np.int32] = np.zeros(0, np.int32)
        self._ready: list[NeuralStream] = []

    def open(self) -> NeuralStream:
        return NeuralStream(self, self.open_row())

    def run(self) -> None:
        """Decide every window that waits; a call's second window needs what came of its first."""
        ready, self._ready = self._ready, []
        while ready:
            rows = np.array([stream.row for stream in ready])
            pcm = np.frombuffer(b"".join([stream.next_window() for stream in ready]), np.int16)
            found = self.probabilities(rows, pcm.reshape(len(rows), -1)).tolist()
            for stream, probability in zip(ready, found, strict=True):
                stream.decide(probability)
            ready = [stream for stream in ready if stream.has_window]

    # --- many calls at once ----------------------------------------------------------------------

    def open_row(self) -> int:
        """What the model remembers of one call, empty; the caller closes it."""
        if not self._free:
            self._grow()
        row = self._free.pop()
        self._state[:, row] = 0
        self._context[row] = 0
        self._quiet[row] = 0
        return row

    def close_row(self, row: int) -> None:
        self._free.append(row)

    def probabilities(self, rows: npt.NDArray[np.int64], windows: npt.NDArray[np.int16]) -> Floats:
        """Of speech, for the next window of each of these rows, none of which may come twice.

        `windows` has shape (rows, `window_samples`). A row at rest (QUIET_WINDOWS) gets 0.
        """
        start = self._context_samples
        sound = np.empty((len(rows), start + self.window_samples), np.float32)
        sound[:, :start] = self._context.take(rows, axis=0)
        new = sound[:, start:]
        np.multiply(windows, np.float32(1 / _LOUDEST), out=new)
        self._context[rows] = new[:, -start:]
        quiet = np.where(np.vecdot(new, new) > self._least, 0, self._quiet[rows] + 1)
        self._quiet[rows] = quiet
        awake = (quiet <= QUIET_WINDOWS).nonzero()[0]
        found = np.zeros(len(rows), np.float32)
        for at in range(0, len(awake), BATCH):
            part = awake[at : at + BATCH]
            found[part] = self._infer(sound[part], rows[part])
        return found

    def _infer(self, windows: Floats, rows: npt.NDArray[np.int64]) -> Floats:
        feeds = {"input": windows, "state": self._state.take(rows, axis=1)}
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
        self.close_row(stream.row)


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
        waiting, self._waiting = len(self._waiting), self._waiting + pcm
        if waiting < self._window_bytes <= len(self._waiting):
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
        waiting, size = self._waiting, self._window_bytes
        self._waiting = waiting[size:]
        return waiting[:size]

    def decide(self, probability: float) -> None:
        self._speaks = probability >= (STAY if self._speaks else ENTER)
        self._decisions.append(self._speaks)


def _load(clock_rate: int) -> Any:
    """An onnxruntime session on one thread of ours: the worker's core is shared with its calls."""
    path = FOLDER / f"silero_vad_{clock_rate}.onnx"
    model = path.read_bytes()
    if hashlib.sha256(model).hexdigest() != MODELS[clock_rate]:
        raise NeuralError(f"{path} is not the model that this release was tested with")
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
