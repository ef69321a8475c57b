"""The recurrence: torch's fused layers, and the same equations written out to be read and tested against.

A layer's state is a tuple of tensors: ``(hidden, cell)`` for an LSTM, ``(hidden,)`` for a GRU.
"""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn

LayerState = tuple[Tensor, ...]
CellName = Literal["lstm", "gru"]


class RecurrentLayer(nn.Module):
    """One forward-running recurrent layer: over a whole sequence at once, or one position at a time.

    Both use the same weights; a test asserts that they agree.
    """

    def __init__(self, input_size: int, hidden_size: int, *, cell: CellName) -> None:
        super().__init__()
        self.cell = cell
        self.rnn = fused_layer(input_size, hidden_size, cell=cell, bidirectional=False)

    def forward(self, inputs: Tensor, state: LayerState) -> Tensor:
        """Run over a whole sequence: inputs (B, T, I), state of (B, H) tensors → outputs (B, T, H)."""
        # The fused LSTM demands contiguous states.
        initial = tuple(part.unsqueeze(0).contiguous() for part in state)
        outputs, _ = self.rnn(inputs, initial if self.cell == "lstm" else initial[0])
        return outputs  # type: ignore[no-any-return]

    def advance(self, inputs: Tensor, state: LayerState) -> LayerState:
        """Run one position: inputs (N, I), state of (N, H) tensors → the next state; its first part is the output."""
        weight_ih, weight_hh, bias_ih, bias_hh = self.rnn.all_weights[0]
        if self.cell == "lstm":
            return torch.lstm_cell(inputs, state, weight_ih, weight_hh, bias_ih, bias_hh)
        return (torch.gru_cell(inputs, state[0], weight_ih, weight_hh, bias_ih, bias_hh),)


def fused_layer(input_size: int, hidden_size: int, *, cell: CellName, bidirectional: bool) -> nn.LSTM | nn.GRU:
    """Make torch's fused layer, batch first.

    Each gate's input weights are Glorot & Bengio's (2010, equation 16), its recurrent weights orthogonal (Saxe et al.
    2014); biases are zero, but for the forget gate's, which are one (Jozefowicz et al. 2015, section 5).
    """
    kind = nn.LSTM if cell == "lstm" else nn.GRU
    layer = kind(input_size, hidden_size, batch_first=True, bidirectional=bidirectional)
    with torch.no_grad():
        for name, parameter in layer.named_parameters():
            for gate in parameter.chunk(parameter.size(0) // hidden_size):
                if name.startswith("weight_ih"):
                    nn.init.xavier_uniform_(gate)
                elif name.startswith("weight_hh"):
                    nn.init.orthogonal_(gate)
                else:
                    nn.init.zeros_(gate)
            # torch orders an LSTM's gates input, forget, cell, output, and adds two biases.
            if cell == "lstm" and name.startswith("bias_ih"):
                nn.init.ones_(parameter[hidden_size : 2 * hidden_size])
    return layer


def reference_lstm_cell(
    inputs: Tensor,
    state: LayerState,
    *,
    weight_ih: Tensor,
    weight_hh: Tensor,
    bias_ih: Tensor,
    bias_hh: Tensor,
) -> LayerState:
    """One step of the LSTM with forget gate (Hochreiter & Schmidhuber 1997; Gers et al. 2000).

    Args:
        inputs: x_t, (N, I).
        state: h_{t-1} and c_{t-1}, (N, H) each.
        weight_ih: W of the gates input, forget, cell and output one below the other, (4H, I).
        weight_hh: U of the same gates, (4H, H).
        bias_ih: first half of the gates' biases, (4H,).
        bias_hh: second half, (4H,).

    Returns:
        h_t and c_t, (N, H) each.
    """
    hidden, memory = state
    gates = inputs @ weight_ih.T + bias_ih + hidden @ weight_hh.T + bias_hh
    input_gate, forget_gate, candidate, output_gate = gates.chunk(4, dim=-1)
    memory = torch.sigmoid(forget_gate) * memory + torch.sigmoid(input_gate) * torch.tanh(candidate)
    return torch.sigmoid(output_gate) * torch.tanh(memory), memory


def reference_gru_cell(
    inputs: Tensor,
    state: LayerState,
    *,
    weight_ih: Tensor,
    weight_hh: Tensor,
    bias_ih: Tensor,
    bias_hh: Tensor,
) -> LayerState:
    """One step of the GRU (Cho et al. 2014), with the reset gate after the recurrent product as in cuDNN.

    Args:
        inputs: x_t, (N, I).
        state: h_{t-1}, (N, H), alone in a tuple.
        weight_ih: W of the gates reset, update and of the candidate, (3H, I).
        weight_hh: U of the same, (3H, H).
        bias_ih: biases of the input side, (3H,).
        bias_hh: biases of the recurrent side, (3H,).

    Returns:
        h_t, (N, H), alone in a tuple.
    """
    (hidden,) = state
    from_input = (inputs @ weight_ih.T + bias_ih).chunk(3, dim=-1)
    from_hidden = (hidden @ weight_hh.T + bias_hh).chunk(3, dim=-1)
    reset = torch.sigmoid(from_input[0] + from_hidden[0])
    update = torch.sigmoid(from_input[1] + from_hidden[1])
    candidate = torch.tanh(from_input[2] + reset * from_hidden[2])
    return ((1 - update) * candidate + update * hidden,)
