"""The LSTM with forget gate (Hochreiter & Schmidhuber 1997; Gers et al. 2000). Its state is (h, c)."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from nmt.model.cells.cell import LayerState
from nmt.model.cells.fused import GatedCell


class LSTM(GatedCell):
    """Gates, in order: input, forget, candidate, output."""

    gates, state_products, parts, module = 4, 4, 2, nn.LSTM
    forget_gate = 1
    standstill = (-1, 1, 0, 0)

    def equations(self, inputs: Tensor, state: LayerState, weights: Sequence[Tensor]) -> LayerState:
        """See `Cell`."""
        weight_ih, weight_hh, bias_ih, bias_hh = weights
        hidden, memory = state
        gates = inputs @ weight_ih.T + bias_ih + hidden @ weight_hh.T + bias_hh
        input_gate, forget_gate, candidate, output_gate = gates.chunk(4, dim=-1)
        memory = torch.sigmoid(forget_gate) * memory + torch.sigmoid(input_gate) * torch.tanh(candidate)
        return torch.sigmoid(output_gate) * torch.tanh(memory), memory

    def step(self, inputs: Tensor, state: LayerState, weights: Sequence[Tensor]) -> LayerState:
        """See `FusedCell`."""
        return torch.lstm_cell(inputs, state, *weights)

    def sweep(self, inputs: Tensor, weights: list[Tensor], *, zeros: Tensor, training: bool) -> tuple[Tensor, ...]:
        """See `GatedCell`."""
        # (has biases, one layer, no dropout, training, bidirectional, batch first)
        outputs, _, memory = torch.lstm(inputs, (zeros, zeros), weights, True, 1, 0.0, training, True, True)
        return outputs, memory


CELL = LSTM()
