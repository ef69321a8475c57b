"""The GRU in graphs; nmt.model.cells.gru has its equations."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from nmt.export.arithmetic import Activation, Matrix, Operator
from nmt.export.cells.cell import ExportedCell

if TYPE_CHECKING:
    from nmt.export.step import StepBuilder


class GRU(ExportedCell):
    """PyTorch's gates are reset, update, candidate."""

    parts = ("hidden",)
    operator = Operator("GRU", states=1, attributes={"linear_before_reset": 1})

    def to_operator(self, weight: Matrix) -> Matrix:
        """See `ExportedCell`; ONNX has update, reset, candidate."""
        reset, update, candidate = np.split(weight, 3)
        return np.concatenate([update, reset, candidate])

    def advance(self, step: StepBuilder, i: int, *, below: list[Activation], state: Activation) -> str:
        """See `ExportedCell`."""
        add, names, integers = step.graph.add, step.graph.add_many, step.graph.integers
        weights = step.layer(i)
        from_input = step.input_sums(i, below, weights["weight_ih"], weights["bias_ih"])
        from_hidden = step.arithmetic.product([state], weights["weight_hh"], weights["bias_hh"])
        sizes = integers(2 * step.hidden_size, step.hidden_size)
        input_gates, input_candidate = names("Split", from_input, sizes, names=["", ""], axis=-1)
        hidden_gates, hidden_candidate = names("Split", from_hidden, sizes, names=["", ""], axis=-1)
        opened = add("Sigmoid", add("Add", input_gates, hidden_gates))
        halves = integers(step.hidden_size, step.hidden_size)
        reset, update = names("Split", opened, halves, names=["", ""], axis=-1)
        candidate = add("Tanh", add("Add", input_candidate, add("Mul", reset, hidden_candidate)))
        # (1 - z) n + z h = n + z (h - n)
        moved = add("Mul", update, add("Sub", state.name, candidate))
        return add("Add", candidate, moved, name=f"next_hidden{i}")


CELL = GRU()
