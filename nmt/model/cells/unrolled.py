"""What the cells have in common for which torch has no layer: position after position, by their equations."""

from abc import abstractmethod
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from nmt.model.cells.cell import Cell, LayerState


class UnrolledLayer(nn.Module):
    """The weights of a layer, called as torch calls those of its own."""

    def __init__(self, shapes: dict[str, tuple[int, ...]], *, bidirectional: bool) -> None:
        """Make weights of zeros; `shapes` are by kind, as in ``weight_ih``."""
        super().__init__()
        self._names = [[f"{kind}_l0{side}" for kind in shapes] for side in ("", "_reverse")[: 1 + bidirectional]]
        for names in self._names:
            for name, shape in zip(names, shapes.values(), strict=True):
                self.register_parameter(name, nn.Parameter(torch.zeros(shape)))

    @property
    def all_weights(self) -> list[list[nn.Parameter]]:
        """The weights of each direction, in the order of their shapes."""
        return [[getattr(self, name) for name in names] for names in self._names]


class UnrolledCell(Cell):
    """A cell that multiplies the inputs of all positions at once, and then goes from position to position."""

    @abstractmethod
    def shapes(self, input_size: int, hidden_size: int) -> dict[str, tuple[int, ...]]:
        """Give the shapes of a layer's weights by kind, in the order in which the equations take them."""

    @abstractmethod
    def project(self, inputs: Tensor, weights: Sequence[Tensor]) -> tuple[Tensor, ...]:
        """Compute what does not depend on the state: inputs (..., I) → tensors of (..., ·)."""

    @abstractmethod
    def follow(self, projected: tuple[Tensor, ...], state: LayerState, weights: Sequence[Tensor]) -> LayerState:
        """Run one position: what `project` made of its input, tensors of (N, ·), and the state before it."""

    def layer(self, input_size: int, hidden_size: int, *, bidirectional: bool = False) -> UnrolledLayer:
        """See `Cell`."""
        return UnrolledLayer(self.shapes(input_size, hidden_size), bidirectional=bidirectional)

    def read(self, layer: nn.Module, inputs: Tensor, lengths: Tensor) -> tuple[Tensor, LayerState]:
        """See `Cell`; each direction runs from left to right, over sentences that are turned around for one of them."""
        assert isinstance(layer, UnrolledLayer)
        batch, length, _ = inputs.shape
        positions = torch.arange(length, device=inputs.device)
        is_real = positions < lengths.unsqueeze(1)
        starts = length * torch.arange(batch, device=inputs.device)
        # Padding stays where it is. So these rows, of all B·S, turn sentences around, and back again.
        turned = (starts.unsqueeze(1) + torch.where(is_real, lengths.unsqueeze(1) - 1 - positions, positions)).flatten()

        def turn(part: Tensor) -> Tensor:
            return part.flatten(0, 1).index_select(0, turned).view(batch, length, -1)

        forward, backward = layer.all_weights
        zeros = tuple(inputs.new_zeros(batch, forward[0].size(0) // self.gates) for _ in range(self.parts))
        sides = self.sweep(inputs, zeros, forward), self.sweep(turn(inputs), zeros, backward)
        outputs = torch.cat((self.output(sides[0]), turn(self.output(sides[1]))), dim=-1)
        last = [[part.flatten(0, 1).index_select(0, starts + lengths - 1) for part in side] for side in sides]
        return outputs * is_real.unsqueeze(-1).to(outputs.dtype), tuple(map(_side_by_side, *last))

    def run(self, layer: nn.Module, inputs: Tensor, state: LayerState) -> Tensor:
        """See `Cell`."""
        assert isinstance(layer, UnrolledLayer)
        return self.output(self.sweep(inputs, state, layer.all_weights[0]))

    def advance(self, layer: nn.Module, inputs: Tensor, state: LayerState) -> LayerState:
        """See `Cell`."""
        assert isinstance(layer, UnrolledLayer)
        weights = layer.all_weights[0]
        return self.follow(self.project(inputs, weights), state, weights)

    def sweep(self, inputs: Tensor, state: LayerState, weights: Sequence[Tensor]) -> LayerState:
        """Run over whole sequences: inputs (B, T, I), state of (B, H) parts → the states at all positions (B, T, H)."""
        every = self.project(inputs, weights)
        state = tuple(part.to(every[0].dtype) for part in state)  # which may be bf16 while the first state is not
        states = []
        for projected in zip(*(part.unbind(1) for part in every), strict=True):
            state = self.follow(projected, state, weights)
            states.append(state)
        return tuple(torch.stack(part, dim=1) for part in zip(*states, strict=True))


def _side_by_side(forward: Tensor, backward: Tensor) -> Tensor:
    return torch.cat((forward, backward), dim=-1)
