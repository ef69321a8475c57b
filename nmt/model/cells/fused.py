"""What the cells have in common whose layers torch computes in one fused pass."""

from abc import abstractmethod
from collections.abc import Sequence
from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from nmt.model.cells.cell import Cell, LayerState

_SATURATED = 1000.0
"""Added to a gate's sum. It is far beyond all sums of weights and inputs, so that the sigmoid is 0 or 1 exactly."""


class FusedCell(Cell):
    """A cell with a layer of torch's."""

    module: ClassVar[type[nn.LSTM] | type[nn.GRU]]
    """the layer"""
    first_biases: ClassVar[tuple[float, ...]]
    """of each gate, in the layer's order"""
    standstill: ClassVar[tuple[int, ...]]
    """which gates must be shut (-1), open (1), or may be anything (0) for the state to stay as it is"""

    @abstractmethod
    def equations(self, inputs: Tensor, state: LayerState, weights: Sequence[Tensor]) -> LayerState:
        """Do what `step` does, written out to be read and tested against."""

    @abstractmethod
    def step(self, inputs: Tensor, state: LayerState, weights: Sequence[Tensor]) -> LayerState:
        """Run one position.

        Args:
            inputs: x_t, (N, I).
            state: that of t - 1, of (N, H) parts.
            weights: of the inputs (G·H, I), of the state (G·H, H), the biases of both (G·H,) each. The gates are one
                below the other.

        Returns:
            The state of t, of (N, H) parts.
        """

    @abstractmethod
    def sweep(self, inputs: Tensor, weights: list[Tensor], *, zeros: Tensor, training: bool) -> tuple[Tensor, ...]:
        """Run both directions over (B, S, I) from a state of zeros (2, B, H).

        Returns:
            Outputs (B, S, 2H), then the last states but the first part, (2, B, H) each.
        """

    def layer(self, input_size: int, hidden_size: int, *, bidirectional: bool = False) -> nn.RNNBase:
        """Make torch's layer, batch first.

        Each gate's input weights are Glorot & Bengio's (2010, equation 16), its recurrent weights orthogonal (Saxe et
        al. 2014); torch adds two biases, of which the second is zero.
        """
        layer = self.module(input_size, hidden_size, batch_first=True, bidirectional=bidirectional)
        with torch.no_grad():
            for name, parameter in layer.named_parameters():
                for gate, bias in zip(parameter.chunk(self.gates), self.first_biases, strict=True):
                    if name.startswith("weight_ih"):
                        nn.init.xavier_uniform_(gate)
                    elif name.startswith("weight_hh"):
                        nn.init.orthogonal_(gate)
                    else:
                        nn.init.constant_(gate, bias if name.startswith("bias_ih") else 0.0)
        return layer

    def read(self, layer: nn.Module, inputs: Tensor, lengths: Tensor) -> tuple[Tensor, LayerState]:
        """See `Cell`; cuDNN is fast on packed sequences, but on a CPU packing costs a fused layer its fused path."""
        return (self.read_packed if inputs.is_cuda else self.read_frozen)(layer, inputs, lengths)

    def run(self, layer: nn.Module, inputs: Tensor, state: LayerState) -> Tensor:
        """See `Cell`."""
        # The fused LSTM demands contiguous states.
        initial = tuple(part.unsqueeze(0).contiguous() for part in state)
        outputs: Tensor = layer(inputs, initial if self.parts > 1 else initial[0])[0]
        return outputs

    def advance(self, layer: nn.Module, inputs: Tensor, state: LayerState) -> LayerState:
        """See `Cell`."""
        assert isinstance(layer, nn.RNNBase)
        return self.step(inputs, state, layer.all_weights[0])

    def read_packed(self, layer: nn.Module, inputs: Tensor, lengths: Tensor) -> tuple[Tensor, LayerState]:
        """Read real positions alone; see `Cell.read`."""
        packed = pack_padded_sequence(inputs, lengths.cpu(), batch_first=True, enforce_sorted=False)
        outputs, final = layer(packed)
        padded, _ = pad_packed_sequence(outputs, batch_first=True, total_length=inputs.size(1))
        parts = final if self.parts > 1 else (final,)
        return padded, tuple(torch.cat((part[0], part[1]), dim=-1) for part in parts)

    def read_frozen(self, layer: nn.Module, inputs: Tensor, lengths: Tensor) -> tuple[Tensor, LayerState]:
        """Do what `read_packed` does, in one fused pass over padding too: padding freezes the recurrence.

        One more input feature, 1 at padding and 0 elsewhere, saturates the gates that `standstill` names. So the
        backward direction crosses the padding in its zero state, and the forward direction keeps its last state to the
        end. The saturated gates pass no gradient.
        """
        assert isinstance(layer, nn.RNNBase)
        batch, length, _ = inputs.shape
        hidden = layer.hidden_size
        padding = torch.arange(length, device=inputs.device) >= lengths.unsqueeze(1)
        flagged = torch.cat((inputs, padding.unsqueeze(-1).to(inputs.dtype)), dim=-1)
        signs = layer.all_weights[0][0].new_tensor(self.standstill)
        column = (_SATURATED * signs).repeat_interleave(hidden).unsqueeze(1)  # (G·H, 1)
        weights = [w for ih, *others in layer.all_weights for w in (torch.cat((ih, column), dim=1), *others)]
        zeros = inputs.new_zeros(2, batch, hidden)
        outputs, *kept = self.sweep(flagged, weights, zeros=zeros, training=layer.training)
        outputs = outputs * (~padding).unsqueeze(-1).to(outputs.dtype)  # a tenth of masked_fill's time
        # Forward, the last output is the last real one: frozen states still pass an LSTM's output gate, which moves.
        rows = torch.arange(batch, device=inputs.device)
        last = torch.cat((outputs[rows, lengths - 1, :hidden], outputs[:, 0, hidden:]), dim=-1)
        return outputs, (last, *(torch.cat((part[0], part[1]), dim=-1) for part in kept))
