"""What a window costs the folded model, and Silero's original. `python -m bench.neural [RATE]`.

Pin it to a core (`taskset -c 0`). The two take turns, so that a machine that slows down in between
slows both.
"""

from __future__ import annotations

import sys
from pathlib import Path
from time import perf_counter, process_time
from typing import Any, Final

import numpy as np
import onnxruntime

from media_worker.audio import neural

ORIGINAL: Final = Path(__file__).parents[1] / "deploy" / "silero" / "silero_vad.onnx"
BATCHES: Final = (1, 8, 32, 64, 128)
SECONDS: Final = 3.0
"""Of CPU, for each batch."""


def session(path: Path) -> Any:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(path, options, ["CPUExecutionProvider"])


def main(rate: int) -> None:
    models = session(neural.FOLDER / f"silero_vad_{rate}.onnx"), session(ORIGINAL)
    random = np.random.default_rng(1)
    print(f"{rate} Hz, microseconds a window (median)\nbatch  folded  original  ratio")
    for batch in BATCHES:
        feeds = {
            "input": random.normal(0, 0.1, (batch, rate * 36 // 1000)).astype(np.float32),
            "state": random.normal(0, 0.3, (2, batch, 128)).astype(np.float32),
        }
        given = feeds, {**feeds, "sr": np.array(rate)}
        taken: tuple[list[float], list[float]] = [], []
        end = process_time() + SECONDS
        while process_time() < end:
            for model, arrays, times in zip(models, given, taken, strict=True):
                began = perf_counter()
                model.run(None, arrays)
                times.append((perf_counter() - began) / batch * 1e6)
        folded, original = (float(np.median(times)) for times in taken)
        print(f"{batch:5}  {folded:6.1f}  {original:8.1f}  {folded / original:5.2f}")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 8000)
