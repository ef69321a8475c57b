"""The bidirectional recurrent encoder."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from nmt.model.cells import CellName, LayerState, fused_layer


class Encoded(NamedTuple):
    """A batch of read sources."""

    values: Tensor
    """outputs of the top layer, (B, S, 2H); zero at padding"""
    states: tuple[LayerState, ...]
    """for each layer its last states, both directions side by side, (B, 2H) a part"""


class Encoder(nn.Module):
    """L bidirectional layers with dropout on inputs and outputs; from the third layer's depth on, residual.

    With more than two layers every layer above the first adds its input to its output (He et al. 2016; Wu et al. 2016,
    section 3.1). The backward direction of a sentence starts at its own last token.
    """

    def __init__(self, input_size: int, hidden_size: int, *, layers: int, cell: CellName, dropout: float) -> None:
        super().__init__()
        self.cell = cell
        self.residual = layers > 2
        self.dropout = nn.Dropout(dropout)
        self.layers = nn.ModuleList(
            fused_layer(input_size if i == 0 else 2 * hidden_size, hidden_size, cell=cell, bidirectional=True)
            for i in range(layers)
        )

    def forward(self, embedded: Tensor, lengths: Tensor) -> Encoded:
        """Read a batch: embedded (B, S, E), lengths (B,) with S the longest."""
        outputs = self.dropout(embedded)
        equally_long = bool((lengths == embedded.size(1)).all())
        states = []
        for i, layer in enumerate(self.layers):
            below = outputs
            # A batch of one length, which the batching makes the rule, needs no packing and takes the faster path.
            outputs, final = layer(below) if equally_long else _run_packed(layer, below, lengths)
            parts = final if self.cell == "lstm" else (final,)
            states.append(tuple(torch.cat((part[0], part[1]), dim=-1) for part in parts))
            outputs = self.dropout(outputs)
            if self.residual and i > 0:
                outputs = outputs + below
        return Encoded(outputs, tuple(states))


def _run_packed(layer: nn.Module, inputs: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor | tuple[Tensor, Tensor]]:
    """Run a fused layer over real positions only: inputs (B, S, I) → outputs (B, S, 2H) and (2, B, H) states."""
    packed = pack_padded_sequence(inputs, lengths.cpu(), batch_first=True, enforce_sorted=False)
    outputs, final = layer(packed)
    padded, _ = pad_packed_sequence(outputs, batch_first=True, total_length=inputs.size(1))
    return padded, final
