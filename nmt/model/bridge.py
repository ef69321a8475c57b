"""What leads from the encoder to the decoder's first state."""

import torch
from torch import nn

from nmt.model.cells.cell import LayerState


class Bridge(nn.Module):
    """Encoder summary → first decoder state, for each part of the state of every layer.

    Decoder layer l takes encoder layer l, or the top one where the encoder is shallower. Each part has its own
    ``tanh(W [forward; backward])`` (Bahdanau et al. 2015, appendix A.2.2, from both directions). Where the encoder's
    cell has fewer parts, it is of the last of them.
    """

    def __init__(self, encoder_size: int, decoder_size: int, *, layers: int, parts: int) -> None:
        super().__init__()
        self.layers = nn.ModuleList(
            nn.ModuleList(nn.Linear(encoder_size, decoder_size) for _ in range(parts)) for _ in range(layers)
        )

    def forward(self, states: tuple[LayerState, ...]) -> tuple[LayerState, ...]:
        """Turn encoder states of (B, 2H) parts into decoder states of (B, H) parts."""
        initial = []
        for i, projections in enumerate(self.layers):
            source = states[min(i, len(states) - 1)]
            assert isinstance(projections, nn.ModuleList)
            parts = (source[min(j, len(source) - 1)] for j in range(len(projections)))
            initial.append(tuple(torch.tanh(p(part)) for p, part in zip(projections, parts, strict=True)))
        return tuple(initial)
