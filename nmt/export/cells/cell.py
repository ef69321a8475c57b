"""What the graphs ask of a cell."""

from __future__ import annotations

import importlib
import importlib.util
from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from nmt.errors import ConfigError
from nmt.export.arithmetic import Activation, Matrix, Operator

if TYPE_CHECKING:
    from nmt.export.step import StepBuilder


LayerWeights = Mapping[str, Matrix]
"""Of one direction of a layer, by kind, as in ``weight_ih``; `nmt.model.cells.cell.Cell.layer` has the kinds."""


class ExportedCell(ABC):
    """A cell's layout: its whole layers are an operator of ONNX's, its single positions are written out."""

    parts: ClassVar[tuple[str, ...]]
    """names of a layer's state"""
    operator: ClassVar[Operator | None]
    """what reads whole sources; None: only decoders of this cell can be exported"""
    kinds: ClassVar[tuple[str, ...]] = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
    """of the weights of a layer"""
    is_bounded: ClassVar[bool] = True
    """whether no element of an output or of the state's first part is larger than `nmt.export.builder.BOUND`"""

    def to_operator(self, weight: Matrix) -> Matrix:
        """Reorder the gates, (G·H, ...) as PyTorch has them, for the operator."""
        return weight

    def to_step(self, weight: Matrix) -> Matrix:
        """Reorder the gates for `advance`."""
        return weight

    def biases(self, weights: LayerWeights) -> Matrix:
        """Give the biases for the operator, (2·G·H,)."""
        first = weights["bias"] if "bias" in weights else weights["bias_ih"]
        second = weights.get("bias_hh", np.zeros_like(first))
        return np.concatenate([self.to_operator(first), self.to_operator(second)])

    def peepholes(self, weights: LayerWeights) -> Matrix | None:
        """Give the peepholes for the operator, (3·H,)."""
        return None

    @abstractmethod
    def advance(self, step: StepBuilder, i: int, *, below: list[Activation], state: Activation) -> str:
        """Add one position of the decoder's layer i: its inputs → its output, ``next_PARTi`` of every part.

        Args:
            step: the graph's builder.
            i: number of the layer; the first reads embeddings too.
            below: other inputs, (B, K, ·).
            state: the state's first part, (B, K, H).
        """


def exported_cell(name: str, *, of: str) -> ExportedCell:
    """Find a cell of `nmt.config.choices.Cell`: ``CELL`` of the module of this name beside this one.

    Args:
        name: the cell's.
        of: "encoder" or "decoder".

    Raises:
        ConfigError: there is none, or not for this.
    """
    module = f"{__package__}.{name}"
    if importlib.util.find_spec(module):
        cell: ExportedCell = importlib.import_module(module).CELL
        if of == "decoder" or cell.operator:
            return cell
    raise ConfigError(f"a model whose {of} is {name} cannot be exported; PyTorch runs it as it is")
