"""The bidirectional recurrent encoder."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from nmt.model.cells import CellName, LayerState, fused_layer
from nmt.model.dropout import Dropout

_SATURATED = 1000.0
"""Added to a gate's sum, far outside what weights and inputs bring about: there the sigmoid is 0 or 1 exactly."""


class Encoded(NamedTuple):
    """A batch of read sources."""

    values: Tensor
    """outputs of the top layer, (B, S, 2H); zero at padding"""
    states: tuple[LayerState, ...]
    """for each layer its last states, both directions side by side, (B, 2H) a part"""


class Encoder(nn.Module):
    """L bidirectional layers with dropout on inputs and outputs; more than two of them are residual.

    With more than two layers every layer above the first adds its input to its output (He et al. 2016; Wu et al. 2016,
    section 3.1). The backward direction of a sentence starts at its own last token.
    """

    def __init__(self, input_size: int, hidden_size: int, *, layers: int, cell: CellName, dropout: float) -> None:
        super().__init__()
        self.cell = cell
        self.residual = layers > 2
        self.dropout = Dropout(dropout)
        self.layers = nn.ModuleList(
            fused_layer(input_size if i == 0 else 2 * hidden_size, hidden_size, cell=cell, bidirectional=True)
            for i in range(layers)
        )

    def forward(self, embedded: Tensor, lengths: Tensor) -> Encoded:
        """Read a batch: embedded (B, S, E), lengths (B,) with S the longest."""
        # cuDNN is fast on packed sequences; on a CPU packing costs a fused layer its fused path.
        read = read_packed if embedded.is_cuda else read_frozen
        outputs = self.dropout(embedded)
        states = []
        for i, layer in enumerate(self.layers):
            assert isinstance(layer, nn.LSTM | nn.GRU)
            below = outputs
            outputs, state = read(layer, below, lengths)
            states.append(state)
            outputs = self.dropout(outputs)
            if self.residual and i > 0:
                outputs = outputs + below
        return Encoded(outputs, tuple(states))


def read_packed(layer: nn.LSTM | nn.GRU, inputs: Tensor, lengths: Tensor) -> tuple[Tensor, LayerState]:
    """Run a bidirectional layer over real positions: inputs (B, S, I) → outputs (B, S, 2H), state of (B, 2H) parts."""
    packed = pack_padded_sequence(inputs, lengths.cpu(), batch_first=True, enforce_sorted=False)
    outputs, final = layer(packed)
    padded, _ = pad_packed_sequence(outputs, batch_first=True, total_length=inputs.size(1))
    parts = final if isinstance(layer, nn.LSTM) else (final,)
    return padded, tuple(torch.cat((part[0], part[1]), dim=-1) for part in parts)


def read_frozen(layer: nn.LSTM | nn.GRU, inputs: Tensor, lengths: Tensor) -> tuple[Tensor, LayerState]:
    """Do what `read_packed` does, in one fused pass over padding too: padding freezes the recurrence.

    One more input feature, 1 at padding and 0 elsewhere, saturates the gates: an LSTM's input gate closes and its
    forget gate opens, a GRU's update gate opens. So the backward direction crosses the padding in its zero state, and
    the forward direction keeps its last cell state to the end. The saturated gates pass no gradient.
    """
    batch, length, _ = inputs.shape
    padding = torch.arange(length, device=inputs.device) >= lengths.unsqueeze(1)
    flagged = torch.cat((inputs, padding.unsqueeze(-1).to(inputs.dtype)), dim=-1)
    hidden = layer.hidden_size
    column = torch.zeros_like(layer.all_weights[0][0][:, :1])
    if isinstance(layer, nn.LSTM):
        column[:hidden], column[hidden : 2 * hidden] = -_SATURATED, _SATURATED
    else:
        column[hidden : 2 * hidden] = _SATURATED
    weights = [w for ih, *others in layer.all_weights for w in (torch.cat((ih, column), dim=1), *others)]
    zeros = inputs.new_zeros(2, batch, hidden)
    # (has biases, one layer, no dropout, training, bidirectional, batch first)
    if isinstance(layer, nn.LSTM):
        outputs, _, cells = torch.lstm(flagged, (zeros, zeros), weights, True, 1, 0.0, layer.training, True, True)
        kept: tuple[Tensor, ...] = (torch.cat((cells[0], cells[1]), dim=-1),)
    else:
        outputs, _ = torch.gru(flagged, zeros, weights, True, 1, 0.0, layer.training, True, True)
        kept = ()
    outputs = outputs * (~padding).unsqueeze(-1).to(outputs.dtype)  # a tenth of masked_fill's time
    # Forward, the last hidden state is the last real output; a frozen LSTM still moves its output gate.
    rows = torch.arange(batch, device=inputs.device)
    last = torch.cat((outputs[rows, lengths - 1, :hidden], outputs[:, 0, hidden:]), dim=-1)
    return outputs, (last, *kept)
