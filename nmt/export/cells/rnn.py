"""The simple recurrent network in graphs; nmt.model.cells.rnn has its equation."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nmt.export.arithmetic import Activation, Operator
from nmt.export.cells.cell import ExportedCell

if TYPE_CHECKING:
    from nmt.export.step import StepBuilder


class RNN(ExportedCell):
    """One product and its tanh."""

    parts = ("hidden",)
    operator = Operator("RNN", states=1)

    def advance(self, step: StepBuilder, i: int, *, below: list[Activation], state: Activation) -> str:
        """See `ExportedCell`."""
        weights = step.layer(i)
        sums = step.joint_sums(i, [*below, state], weights, weights["bias_ih"] + weights["bias_hh"])
        return step.graph.add("Tanh", sums, name=f"next_hidden{i}")


CELL = RNN()
