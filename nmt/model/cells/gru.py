"""The GRU (Cho et al. 2014), with the reset gate after the recurrent product as in cuDNN. Its state is (h,)."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from nmt.model.cells.cell import LayerState
from nmt.model.cells.fused import GatedCell


class GRU(GatedCell):
    """Gates, in order: reset, update, candidate."""

    gates, state_products, parts, module = 3, 3, 1, nn.GRU
    standstill = (0, 1, 0)
    forget_gate = 1

    def equations(self, inputs: Tensor, state: LayerState, weights: Sequence[Tensor]) -> LayerState:
        """See `Cell`."""
        weight_ih, weight_hh, bias_ih, bias_hh = weights
        (hidden,) = state
        from_input = (inputs @ weight_ih.T + bias_ih).chunk(3, dim=-1)
        from_hidden = (hidden @ weight_hh.T + bias_hh).chunk(3, dim=-1)
        reset = torch.sigmoid(from_input[0] + from_hidden[0])
        update = torch.sigmoid(from_input[1] + from_hidden[1])
        candidate = torch.tanh(from_input[2] + reset * from_hidden[2])
        return ((1 - update) * candidate + update * hidden,)

    def step(self, inputs: Tensor, state: LayerState, weights: Sequence[Tensor]) -> LayerState:
        """See `FusedCell`."""
        return (torch.gru_cell(inputs, state[0], *weights),)

    def sweep(self, inputs: Tensor, weights: list[Tensor], *, zeros: Tensor, training: bool) -> tuple[Tensor, ...]:
        """See `GatedCell`."""
        # (has biases, one layer, no dropout, training, bidirectional, batch first)
        return (torch.gru(inputs, zeros, weights, True, 1, 0.0, training, True, True)[0],)


CELL = GRU()
