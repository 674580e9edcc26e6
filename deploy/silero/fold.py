"""Fold Silero's model into one model for each sample rate that does the same for less.

    python fold.py silero_vad.onnx FOLDER        (onnx 1.23.2; README.md beside this file)

The original asks at each run for the sample rate and for shapes, and its convolutions over four
frames become many small products for each window. Here all windows go through each layer in one
product of two matrices. Input, state and output stay what they are; only `sr` is gone.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any, Final

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

Floats = NDArray[np.float32]

BRANCHES: Final = {8000: "else_branch", 16000: "then_branch"}
FRAMES: Final = 4
"""Frames of the STFT in a window; each is two hops long."""
HIDDEN: Final = 128
GATES: Final = (0, 3, 1, 2)
"""Where PyTorch's gates (input, forget, cell, output) are that ONNX wants as i, o, f, c."""


class Graph:
    """Nodes and constants of a graph in the making."""

    def __init__(self) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.constants: list[onnx.TensorProto] = []

    def add(self, kind: str, inputs: list[str], *out: str, **attributes: Any) -> None:
        self.nodes.append(helper.make_node(kind, inputs, list(out), **attributes))

    def constant(self, values: Any) -> str:
        name = f"constant{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(np.ascontiguousarray(values), name))
        return name

    def reshape(self, name: str, *shape: int, out: str) -> None:
        self.add("Reshape", [name, self.constant(np.array(shape))], out)

    def cut(self, name: str, first: int, last: int, *, out: str) -> None:
        """Along axis 1."""
        bounds = [self.constant(np.array([number])) for number in (first, last, 1)]
        self.add("Slice", [name, *bounds], out)

    def layer(self, name: str, weight: Floats, bias: Floats, *, out: str) -> None:
        product = f"{out}_product"
        self.add("Gemm", [name, self.constant(weight), self.constant(bias)], product)
        self.add("Relu", [product], out)


def weights(original: onnx.ModelProto, rate: int) -> dict[str, Floats]:
    """The constants of the rate's branch by their names in Silero's own code."""
    choice = next(node for node in original.graph.node if node.op_type == "If")
    branch = next(part.g for part in choice.attribute if part.name == BRANCHES[rate])
    found = {}
    for node in branch.node:
        if node.op_type == "Constant":
            name = node.output[0].split("Inline_0__")[-1]
            found[name] = numpy_helper.to_array(node.attribute[0].t)
    return found


def spectrum(graph: Graph, basis: Floats) -> None:
    """`magnitude` (4 windows, bins) of `input` (windows, context and samples), mirrored at its end.

    `basis` (2 bins, 1, samples of a frame) is the STFT's, real parts first.
    """
    hop, bins = basis.shape[2] // 2, basis.shape[0] // 2
    end = graph.constant(np.array([0, 0, 0, hop // 2]))
    graph.add("Pad", ["input", end], "padded", mode="reflect")
    for half in (0, 1):
        graph.cut("padded", half * hop, (half + FRAMES) * hop, out=f"half{half}")
        graph.reshape(f"half{half}", -1, hop, out=f"hops{half}")
    graph.add("Concat", ["hops0", "hops1"], "frames", axis=1)
    graph.add("MatMul", ["frames", graph.constant(basis[:, 0].T)], "parts")
    graph.add("Mul", ["parts", "parts"], "squares")
    both = graph.constant(np.array([bins, bins]))
    graph.add("Split", ["squares", both], "real", "imaginary", axis=1)
    graph.add("Add", ["real", "imaginary"], "power")
    graph.add("Sqrt", ["power"], "magnitude")


def dense(weight: Floats, frames: int, stride: int) -> Floats:
    """A convolution (out, in, 3), a frame of zeros at both ends, as one matrix over all frames."""
    channels_out, channels_in, taps = weight.shape
    frames_out = (frames - 1) // stride + 1
    matrix = np.zeros((frames, channels_in, frames_out, channels_out), np.float32)
    for at in range(frames_out):
        for tap in range(taps):
            frame = at * stride + tap - 1
            if 0 <= frame < frames:
                matrix[frame, :, at] = weight[:, :, tap].T
    return matrix.reshape(frames * channels_in, frames_out * channels_out)


def encoder(graph: Graph, constants: dict[str, Floats]) -> None:
    """`encoded` (windows, 128) of `magnitude`. The frames become 4, 2, 1 and 1."""
    of = [
        (constants[f"encoder.{n}.reparam_conv.weight"], constants[f"encoder.{n}.reparam_conv.bias"])
        for n in range(4)
    ]
    weight, bias = of[0]
    bins = weight.shape[1]
    # each frame beside its neighbours: a third of the weights that the dense matrix would have
    graph.reshape("magnitude", -1, FRAMES, bins, out="in_frames")
    graph.add("Pad", ["in_frames", graph.constant(np.array([0, 1, 0, 0, 1, 0]))], "with_ends")
    for tap in range(3):
        graph.cut("with_ends", tap, tap + FRAMES, out=f"tap{tap}")
    graph.add("Concat", ["tap0", "tap1", "tap2"], "neighbours", axis=2)
    graph.reshape("neighbours", -1, 3 * bins, out="columns")
    graph.layer("columns", weight.transpose(2, 1, 0).reshape(3 * bins, -1), bias, out="layer0")
    graph.reshape("layer0", -1, FRAMES * len(bias), out="dense0")
    graph.layer("dense0", dense(of[1][0], 4, 2), np.tile(of[1][1], 2), out="layer1")
    graph.layer("layer1", dense(of[2][0], 2, 2), of[2][1], out="layer2")
    graph.layer("layer2", dense(of[3][0], 1, 1), of[3][1], out="encoded")


def decoder(graph: Graph, constants: dict[str, Floats]) -> None:
    """`output` (windows, 1) and `stateN` of `encoded` and `state` (2, windows, 128)."""

    def gates(name: str) -> Floats:
        values = constants[f"decoder.rnn.{name}"]
        return values.reshape(4, HIDDEN, *values.shape[1:])[list(GATES)].reshape(values.shape)

    graph.add("Split", ["state"], "hidden", "cell", axis=0)
    graph.add("Unsqueeze", ["encoded", graph.constant(np.array([0]))], "sequence")
    given = [
        graph.constant(gates("weight_ih")[np.newaxis]),
        graph.constant(gates("weight_hh")[np.newaxis]),
        graph.constant(np.concatenate([gates("bias_ih"), gates("bias_hh")])[np.newaxis]),
    ]
    carried = ["", "hidden", "cell"]
    out = ("", "hiddenN", "cellN")
    graph.add("LSTM", ["sequence", *given, *carried], *out, hidden_size=HIDDEN)
    graph.add("Concat", ["hiddenN", "cellN"], "stateN", axis=0)
    graph.reshape("hiddenN", -1, HIDDEN, out="last")
    graph.add("Relu", ["last"], "heard")
    last = constants["decoder.decoder.2.weight"][0], constants["decoder.decoder.2.bias"]
    graph.add("Gemm", ["heard", *map(graph.constant, last)], "logit")
    graph.add("Sigmoid", ["logit"], "output")


def fold(original: onnx.ModelProto, rate: int) -> onnx.ModelProto:
    """The model of one rate; `input` is 4 ms of context and a window of 32 ms."""
    constants = weights(original, rate)
    graph = Graph()
    spectrum(graph, constants["stft.forward_basis_buffer"])
    encoder(graph, constants)
    decoder(graph, constants)

    def tensor(name: str, *shape: int | str) -> onnx.ValueInfoProto:
        return helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)

    state = (2, "windows", HIDDEN)
    model = helper.make_model(
        helper.make_graph(
            graph.nodes,
            f"silero_vad_{rate}",
            [tensor("input", "windows", rate * 36 // 1000), tensor("state", *state)],
            [tensor("output", "windows", 1), tensor("stateN", *state)],
            graph.constants,
        ),
        opset_imports=[helper.make_opsetid("", 17)],
        ir_version=8,
        producer_name="pbxai deploy/silero/fold.py",
    )
    onnx.checker.check_model(model, full_check=True)
    return model


if __name__ == "__main__":
    source, folder = Path(sys.argv[1]), Path(sys.argv[2])
    for clock_rate in BRANCHES:
        onnx.save(fold(onnx.load(source), clock_rate), folder / f"silero_vad_{clock_rate}.onnx")
