"""The first GRU in graphs; nmt.model.cells.gru_original has its equations."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nmt.export.arithmetic import Activation, Operator
from nmt.export.builder import BOUND
from nmt.export.cells.gru import GRU

if TYPE_CHECKING:
    from nmt.export.step import StepBuilder


class OriginalGRU(GRU):
    """PyTorch's order of gates: reset, update, candidate."""

    operator = Operator("GRU", states=1)
    kinds = ("weight_ih", "weight_hh", "bias")

    def advance(self, step: StepBuilder, i: int, *, below: list[Activation], state: Activation) -> str:
        """See `ExportedCell`."""
        add, names, size = step.graph.add, step.graph.add_many, step.hidden_size
        weights = step.layer(i)
        sums = step.input_sums(i, below, weights["weight_ih"], weights["bias"])
        gates, candidate = names("Split", sums, step.graph.integers(2 * size, size), names=["", ""], axis=-1)
        u_gates, u_candidate = weights["weight_hh"][: 2 * size], weights["weight_hh"][2 * size :]
        opened = add("Sigmoid", add("Add", gates, step.arithmetic.product([state], u_gates)))
        reset, update = names("Split", opened, step.graph.integers(size, size), names=["", ""], axis=-1)
        reset_state = Activation(add("Mul", reset, state.name), size, BOUND)
        proposed = add("Tanh", add("Add", candidate, step.arithmetic.product([reset_state], u_candidate)))
        # (1 - z) n + z h = n + z (h - n)
        moved = add("Mul", update, add("Sub", state.name, proposed))
        return add("Add", proposed, moved, name=f"next_hidden{i}")


CELL = OriginalGRU()
