"""The LSTM in graphs; nmt.model.cells.lstm has its equations."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from nmt.export.arithmetic import Activation, Matrix, Operator
from nmt.export.cells.cell import ExportedCell

if TYPE_CHECKING:
    from nmt.export.step import StepBuilder


class LSTM(ExportedCell):
    """PyTorch's gates are input, forget, candidate, output."""

    parts = ("hidden", "cell")
    # Input, output, forget: they let nothing in, show all, and forget nothing.
    operator = Operator("LSTM", states=2, int8="DynamicQuantizeLSTM", keeping=(-1, 1, 1))

    def to_operator(self, weight: Matrix) -> Matrix:
        """See `ExportedCell`; ONNX has input, output, forget, candidate."""
        inputs, forget, candidate, output = np.split(weight, 4)
        return np.concatenate([inputs, output, forget, candidate])

    def to_step(self, weight: Matrix) -> Matrix:
        """See `ExportedCell`; the three gates that a sigmoid makes lie together: input, forget, output, candidate."""
        inputs, forget, candidate, output = np.split(weight, 4)
        return np.concatenate([inputs, forget, output, candidate])

    def advance(self, step: StepBuilder, i: int, *, below: list[Activation], state: Activation) -> str:
        """See `ExportedCell`."""
        add, names, integers = step.graph.add, step.graph.add_many, step.graph.integers
        weights, size = step.layer(i), step.hidden_size
        sums = step.joint_sums(i, [*below, state], weights, weights["bias_ih"] + weights["bias_hh"])
        gates, candidate = names("Split", sums, integers(3 * size, size), names=["", ""], axis=-1)
        opened = names("Split", add("Sigmoid", gates), integers(size, size, size), names=[""] * 3, axis=-1)
        input_gate, forget_gate, output_gate = opened
        remembered = add("Mul", forget_gate, step.before(f"cell{i}"))
        cell = add("Add", remembered, add("Mul", input_gate, add("Tanh", candidate)), name=f"next_cell{i}")
        return add("Mul", output_gate, add("Tanh", cell), name=f"next_hidden{i}")


CELL = LSTM()
