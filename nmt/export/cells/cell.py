"""What the graphs ask of a cell."""

from __future__ import annotations

import importlib
import importlib.util
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, ClassVar

from nmt.errors import ConfigError
from nmt.export.arithmetic import Activation, Matrix, Operator

if TYPE_CHECKING:
    from nmt.export.step import StepBuilder


class ExportedCell(ABC):
    """A cell's layout: its whole layers are an operator of ONNX's, its single positions are written out."""

    parts: ClassVar[tuple[str, ...]]
    """names of a layer's state, its output first"""
    operator: ClassVar[Operator]
    """what reads whole sources"""

    @abstractmethod
    def to_operator(self, weight: Matrix) -> Matrix:
        """Reorder the gates, (G·H, ...) as PyTorch has them, for the operator."""

    def to_step(self, weight: Matrix) -> Matrix:
        """Reorder the gates for `advance`."""
        return weight

    @abstractmethod
    def advance(self, step: StepBuilder, i: int, *, below: list[Activation], hidden: Activation) -> str:
        """Add one position of the decoder's layer i: its inputs → its output, ``next_PARTi`` of every part.

        Args:
            step: the graph's builder.
            i: number of the layer; the first reads embeddings too.
            below: other inputs, (B, K, ·).
            hidden: the state's first part, (B, K, H).
        """


def exported_cell(name: str) -> ExportedCell:
    """Find a cell of `nmt.config.choices.Cell`: ``CELL`` of the module of this name beside this one.

    Raises:
        ConfigError: there is none.
    """
    module = f"{__package__}.{name}"
    if importlib.util.find_spec(module) is None:
        raise ConfigError(f"a model with model.cell={name} cannot be exported; it translates with PyTorch as it is")
    cell: ExportedCell = importlib.import_module(module).CELL
    return cell
