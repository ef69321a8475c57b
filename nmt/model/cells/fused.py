"""What the cells have in common whose layers torch computes in one fused pass."""

from abc import abstractmethod
from collections.abc import Sequence
from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn.functional import pad
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from nmt.model.cells.cell import Cell, LayerState

_SATURATED = 1000.0
"""Added to a gate's sum. It is far beyond all sums of weights and inputs, so that the sigmoid is 0 or 1 exactly."""
_WHOLE_INPUTS = 16
"""The features of an input are a multiple of this. With one more, a layer in bf16 takes up to three times as long."""


class FusedCell(Cell):
    """A cell with a layer of torch's, which has two biases, of the inputs and of the state."""

    module: ClassVar[type[nn.LSTM] | type[nn.GRU] | type[nn.RNN]]
    """the layer"""

    @abstractmethod
    def step(self, inputs: Tensor, state: LayerState, weights: Sequence[Tensor]) -> LayerState:
        """Do what `equations` do, in one operation of torch's."""

    def layer(self, input_size: int, hidden_size: int, *, bidirectional: bool = False) -> nn.RNNBase:
        """See `Cell`; torch's layer, batch first."""
        return self.module(input_size, hidden_size, batch_first=True, bidirectional=bidirectional)

    def read(self, layer: nn.Module, inputs: Tensor, lengths: Tensor) -> tuple[Tensor, LayerState]:
        """See `Cell`; only real positions are read."""
        packed = pack_padded_sequence(inputs, lengths.cpu(), batch_first=True, enforce_sorted=False)
        outputs, final = layer(packed)
        padded, _ = pad_packed_sequence(outputs, batch_first=True, total_length=inputs.size(1))
        parts = final if self.parts > 1 else (final,)
        return padded, tuple(torch.cat((part[0], part[1]), dim=-1) for part in parts)

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


class GatedCell(FusedCell):
    """A cell whose gates can keep a state as it is, so that a fused layer may cross padding."""

    standstill: ClassVar[tuple[int, ...]]
    """which gates must be shut (-1), open (1), or may be anything (0) for the state to stay as it is"""

    @abstractmethod
    def sweep(self, inputs: Tensor, weights: list[Tensor], *, zeros: Tensor, training: bool) -> tuple[Tensor, ...]:
        """Run both directions over (B, S, I) from a state of zeros (2, B, H).

        Returns:
            Outputs (B, S, 2H), then the last states but the first part, (2, B, H) each.
        """

    def read(self, layer: nn.Module, inputs: Tensor, lengths: Tensor) -> tuple[Tensor, LayerState]:
        """See `Cell`; cuDNN is fast on packed sequences, but on a CPU packing costs a fused layer its fused path."""
        return super().read(layer, inputs, lengths) if inputs.is_cuda else self.read_frozen(layer, inputs, lengths)

    def read_frozen(self, layer: nn.Module, inputs: Tensor, lengths: Tensor) -> tuple[Tensor, LayerState]:
        """Do what `FusedCell.read` does, in one fused pass over padding too: padding freezes the recurrence.

        One more input feature, 1 at padding and 0 elsewhere, saturates the gates that `standstill` names. So the
        backward direction crosses the padding in its zero state, and the forward direction keeps its last state to the
        end. The saturated gates pass no gradient.
        """
        assert isinstance(layer, nn.RNNBase)
        batch, length, features = inputs.shape
        hidden = layer.hidden_size
        padding = torch.arange(length, device=inputs.device) >= lengths.unsqueeze(1)
        further = _WHOLE_INPUTS - features % _WHOLE_INPUTS  # the flag, and zeros
        flags = pad(padding.unsqueeze(-1).to(inputs.dtype), (0, further - 1))
        flagged = torch.cat((inputs, flags), dim=-1)
        signs = layer.all_weights[0][0].new_tensor(self.standstill)
        columns = pad((_SATURATED * signs).repeat_interleave(hidden).unsqueeze(1), (0, further - 1))  # (G·H, further)
        weights = [w for ih, *others in layer.all_weights for w in (torch.cat((ih, columns), dim=1), *others)]
        zeros = inputs.new_zeros(2, batch, hidden)
        outputs, *kept = self.sweep(flagged, weights, zeros=zeros, training=layer.training)
        outputs = outputs * (~padding).unsqueeze(-1).to(outputs.dtype)  # a tenth of masked_fill's time
        # Forward, the last output is the last real one: frozen states still pass an LSTM's output gate, which moves.
        rows = torch.arange(batch, device=inputs.device)
        last = torch.cat((outputs[rows, lengths - 1, :hidden], outputs[:, 0, hidden:]), dim=-1)
        return outputs, (last, *(torch.cat((part[0], part[1]), dim=-1) for part in kept))
