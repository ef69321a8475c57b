"""The GRU as it was first written (Cho et al. 2014): it resets the state before the product. Its state is (h,)."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from nmt.model.cells.cell import LayerState
from nmt.model.cells.unrolled import UnrolledCell


class OriginalGRU(UnrolledCell):
    """Gates, in order: reset, update, candidate; see nmt.model.cells.gru for the other way."""

    gates, state_products, parts = 3, 3, 1
    forget_gate = 1

    def shapes(self, input_size: int, hidden_size: int) -> dict[str, tuple[int, ...]]:
        """See `UnrolledCell`."""
        rows = self.gates * hidden_size
        return {"weight_ih": (rows, input_size), "weight_hh": (rows, hidden_size), "bias": (rows,)}

    def equations(self, inputs: Tensor, state: LayerState, weights: Sequence[Tensor]) -> LayerState:
        """See `Cell`."""
        w_reset, w_update, w_candidate = weights[0].chunk(3)
        u_reset, u_update, u_candidate = weights[1].chunk(3)
        b_reset, b_update, b_candidate = weights[2].chunk(3)
        (hidden,) = state
        reset = torch.sigmoid(inputs @ w_reset.T + hidden @ u_reset.T + b_reset)
        update = torch.sigmoid(inputs @ w_update.T + hidden @ u_update.T + b_update)
        candidate = torch.tanh(inputs @ w_candidate.T + (reset * hidden) @ u_candidate.T + b_candidate)
        return ((1 - update) * candidate + update * hidden,)

    def project(self, inputs: Tensor, weights: Sequence[Tensor]) -> tuple[Tensor, ...]:
        """See `UnrolledCell`."""
        products = F.linear(inputs, weights[0], weights[2])
        size = products.size(-1) // 3
        return products[..., : 2 * size], products[..., 2 * size :]

    def follow(self, projected: tuple[Tensor, ...], state: LayerState, weights: Sequence[Tensor]) -> LayerState:
        """See `UnrolledCell`."""
        (hidden,) = state
        gates, candidate = projected
        size = hidden.size(-1)
        u_gates, u_candidate = weights[1][: 2 * size], weights[1][2 * size :]
        reset, update = torch.sigmoid(torch.addmm(gates, hidden, u_gates.T)).chunk(2, dim=-1)
        candidate = torch.tanh(torch.addmm(candidate, reset * hidden, u_candidate.T))
        return (torch.lerp(candidate, hidden, update),)


CELL = OriginalGRU()
