"""What encoder and decoder ask of a recurrence, and the layer that runs one."""

import importlib
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import ClassVar

from torch import Tensor, nn

LayerState = tuple[Tensor, ...]
"""Of one layer: what the next position continues."""


class Cell(ABC):
    """A recurrence. A cell keeps no weights: its layers do, which `layer` makes."""

    gates: ClassVar[int]
    """G: products of the input, of width H, that a position takes"""
    state_products: ClassVar[int]
    """products of the state, of width H, that a position takes"""
    parts: ClassVar[int]
    """tensors of a layer's state"""
    forget_gate: ClassVar[int | None] = None
    """which of the gates keeps the state where it is open: a GRU's is its update gate"""

    @abstractmethod
    def equations(self, inputs: Tensor, state: LayerState, weights: Sequence[Tensor]) -> LayerState:
        """Run one position, written out to be read and tested against.

        Args:
            inputs: x_t, (N, I).
            state: that of t - 1, of (N, H) parts.
            weights: of one direction of a layer, as its ``all_weights`` has them; the gates are one below the other.

        Returns:
            The state of t, of (N, H) parts.
        """

    @abstractmethod
    def layer(self, input_size: int, hidden_size: int, *, bidirectional: bool = False) -> nn.Module:
        """Make a layer; `nmt.model.initialization` gives it its first weights.

        Parameters are called ``KIND_l0``, and ``KIND_l0_reverse`` in the backward direction. The kinds are weight_ih,
        of the inputs, weight_hh, of the state, weight_peephole and bias, bias_ih or bias_hh.
        """

    @abstractmethod
    def read(self, layer: nn.Module, inputs: Tensor, lengths: Tensor) -> tuple[Tensor, LayerState]:
        """Run a bidirectional layer over sentences: inputs (B, S, I), lengths (B,) with S the longest.

        Returns:
            Outputs (B, S, 2H), zero at padding, and both directions' last states side by side, of (B, 2H) parts. The
            backward direction of a sentence starts at its own last token.
        """

    @abstractmethod
    def run(self, layer: nn.Module, inputs: Tensor, state: LayerState) -> Tensor:
        """Run a layer over whole sequences: inputs (B, T, I), state of (B, H) parts → outputs (B, T, H)."""

    @abstractmethod
    def advance(self, layer: nn.Module, inputs: Tensor, state: LayerState) -> LayerState:
        """Run a layer one position: inputs (N, I), state of (N, H) parts → the next state."""

    def output(self, state: LayerState) -> Tensor:
        """Give what layers above read of a state: (..., H)."""
        return state[0]


class RecurrentLayer(nn.Module):
    """One forward-running layer: over a whole sequence at once, or one position at a time.

    Both use the same weights; a test asserts that they agree.
    """

    def __init__(self, input_size: int, hidden_size: int, *, cell: Cell) -> None:
        super().__init__()
        self.cell = cell
        self.rnn = cell.layer(input_size, hidden_size)

    def forward(self, inputs: Tensor, state: LayerState) -> Tensor:
        """See `Cell.run`."""
        return self.cell.run(self.rnn, inputs, state)

    def advance(self, inputs: Tensor, state: LayerState) -> LayerState:
        """See `Cell.advance`."""
        return self.cell.advance(self.rnn, inputs, state)


def cell_named(name: str) -> Cell:
    """Find a cell of `nmt.config.choices.Cell`: ``CELL`` of the module of this name beside this one."""
    cell: Cell = importlib.import_module(f"{__package__}.{name}").CELL
    return cell
