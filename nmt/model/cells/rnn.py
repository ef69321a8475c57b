"""The simple recurrent network (Elman 1990). Its state is (h,)."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from nmt.model.cells.cell import LayerState
from nmt.model.cells.fused import FusedCell


class RNN(FusedCell):
    """No gates, so that no padding can be crossed, and each step multiplies the gradient by the recurrent weights."""

    gates, state_products, parts, module = 1, 1, 1, nn.RNN

    def equations(self, inputs: Tensor, state: LayerState, weights: Sequence[Tensor]) -> LayerState:
        """See `Cell`."""
        weight_ih, weight_hh, bias_ih, bias_hh = weights
        (hidden,) = state
        return (torch.tanh(inputs @ weight_ih.T + bias_ih + hidden @ weight_hh.T + bias_hh),)

    def step(self, inputs: Tensor, state: LayerState, weights: Sequence[Tensor]) -> LayerState:
        """See `FusedCell`."""
        return (torch.rnn_tanh_cell(inputs, state[0], *weights),)


CELL = RNN()
