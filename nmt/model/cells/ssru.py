"""The simpler simple recurrent unit (Kim et al. 2019), which needs no product of the state. Its state is (c,)."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from nmt.model.cells.cell import LayerState
from nmt.model.cells.unrolled import UnrolledCell


class SSRU(UnrolledCell):
    """Gates, in order: forget, candidate; only the forget gate has a bias.

    All products are of the inputs, and so are taken for whole sequences. From position to position there is nothing but
    a weighted mean.
    """

    gates, state_products, parts = 2, 0, 1
    forget_gate = 0

    def shapes(self, input_size: int, hidden_size: int) -> dict[str, tuple[int, ...]]:
        """See `UnrolledCell`."""
        return {"weight_ih": (self.gates * hidden_size, input_size), "bias": (hidden_size,)}

    def equations(self, inputs: Tensor, state: LayerState, weights: Sequence[Tensor]) -> LayerState:
        """See `Cell`."""
        w_forget, w_candidate = weights[0].chunk(2)
        (memory,) = state
        forget_gate = torch.sigmoid(inputs @ w_forget.T + weights[1])
        return (forget_gate * memory + (1 - forget_gate) * (inputs @ w_candidate.T),)

    def output(self, state: LayerState) -> Tensor:
        """See `Cell`; h = ReLU(c)."""
        return torch.relu(state[0])

    def project(self, inputs: Tensor, weights: Sequence[Tensor]) -> tuple[Tensor, ...]:
        """See `UnrolledCell`."""
        w_forget, w_candidate = weights[0].chunk(2)
        return torch.sigmoid(F.linear(inputs, w_forget, weights[1])), F.linear(inputs, w_candidate)

    def follow(self, projected: tuple[Tensor, ...], state: LayerState, weights: Sequence[Tensor]) -> LayerState:
        """See `UnrolledCell`."""
        forget_gate, candidate = projected
        return (torch.lerp(candidate, state[0], forget_gate),)


CELL = SSRU()
