"""The SSRU in graphs, for decoders; nmt.model.cells.ssru has its equations."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nmt.export.arithmetic import Activation
from nmt.export.cells.cell import ExportedCell

if TYPE_CHECKING:
    from nmt.export.step import StepBuilder


class SSRU(ExportedCell):
    """Gates: forget, candidate. ONNX has no operator for it."""

    parts = ("cell",)
    operator = None
    kinds = ("weight_ih", "bias")
    is_bounded = False

    def advance(self, step: StepBuilder, i: int, *, below: list[Activation], state: Activation) -> str:
        """See `ExportedCell`."""
        add, size = step.graph.add, step.hidden_size
        weights = step.layer(i)
        sums = step.input_sums(i, below, weights["weight_ih"])
        forget_sum, candidate = step.graph.add_many(
            "Split", sums, step.graph.integers(size, size), names=["", ""], axis=-1
        )
        forget_gate = add("Sigmoid", add("Add", forget_sum, step.graph.constant(weights["bias"])))
        # (1 - f) z + f c = z + f (c - z)
        moved = add("Mul", forget_gate, add("Sub", state.name, candidate))
        return add("Relu", add("Add", candidate, moved, name=f"next_cell{i}"))


CELL = SSRU()
