"""The LSTM with peepholes in graphs; nmt.model.cells.lstm_peephole has its equations."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from nmt.export.arithmetic import Activation, Matrix
from nmt.export.cells.cell import LayerWeights
from nmt.export.cells.lstm import LSTM

if TYPE_CHECKING:
    from nmt.export.step import StepBuilder


class PeepholeLSTM(LSTM):
    """Gates as the LSTM has them; peepholes are those of the input, the forget and the output gate."""

    kinds = ("weight_ih", "weight_hh", "weight_peephole", "bias")

    def peepholes(self, weights: LayerWeights) -> Matrix | None:
        """See `ExportedCell`; ONNX has input, output, forget."""
        inputs, forget, output = np.split(weights["weight_peephole"], 3)
        return np.concatenate([inputs, output, forget])

    def advance(self, step: StepBuilder, i: int, *, below: list[Activation], state: Activation) -> str:
        """See `ExportedCell`."""
        add, constant = step.graph.add, step.graph.constant
        weights, size = step.layer(i), step.hidden_size
        sums = step.joint_sums(i, [*below, state], weights, weights["bias"])
        parts = step.graph.add_many("Split", sums, step.graph.integers(*[size] * 4), names=[""] * 4, axis=-1)
        input_sum, forget_sum, output_sum, candidate = parts
        peepholes = np.split(weights["weight_peephole"], 3)
        p_input, p_forget, p_output = map(constant, peepholes)
        before = step.before(f"cell{i}")
        input_gate = add("Sigmoid", add("Add", input_sum, add("Mul", before, p_input)))
        forget_gate = add("Sigmoid", add("Add", forget_sum, add("Mul", before, p_forget)))
        added = add("Mul", input_gate, add("Tanh", candidate))
        cell = add("Add", add("Mul", forget_gate, before), added, name=f"next_cell{i}")
        output_gate = add("Sigmoid", add("Add", output_sum, add("Mul", cell, p_output)))
        return add("Mul", output_gate, add("Tanh", cell), name=f"next_hidden{i}")


CELL = PeepholeLSTM()
