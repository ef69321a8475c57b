"""The bidirectional recurrent encoder."""

from typing import NamedTuple

from torch import Tensor, nn

from nmt.model.cells.cell import Cell, LayerState
from nmt.model.dropout import Dropout


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

    def __init__(self, input_size: int, hidden_size: int, *, layers: int, cell: Cell, dropout: float) -> None:
        super().__init__()
        self.cell = cell
        self.residual = layers > 2
        self.dropout = Dropout(dropout)
        self.layers = nn.ModuleList(
            cell.layer(input_size if i == 0 else 2 * hidden_size, hidden_size, bidirectional=True)
            for i in range(layers)
        )

    def forward(self, embedded: Tensor, lengths: Tensor) -> Encoded:
        """Read a batch: embedded (B, S, E), lengths (B,) with S the longest."""
        outputs = self.dropout(embedded)
        states = []
        for i, layer in enumerate(self.layers):
            below = outputs
            outputs, state = self.cell.read(layer, below, lengths)
            states.append(state)
            outputs = self.dropout(outputs)
            if self.residual and i > 0:
                outputs = outputs + below
        return Encoded(outputs, tuple(states))
