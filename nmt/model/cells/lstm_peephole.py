"""The LSTM whose gates see the cell through peepholes (Gers & Schmidhuber 2000). Its state is (h, c)."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from nmt.model.cells.cell import LayerState
from nmt.model.cells.unrolled import UnrolledCell


class PeepholeLSTM(UnrolledCell):
    """Gates, in order: input, forget, candidate, output; peepholes, in order: input, forget, output.

    The input and the forget gate see the cell as it was, the output gate sees it as it has become.
    """

    gates, state_products, parts = 4, 4, 2
    forget_gate = 1

    def shapes(self, input_size: int, hidden_size: int) -> dict[str, tuple[int, ...]]:
        """See `UnrolledCell`."""
        rows = self.gates * hidden_size
        return {
            "weight_ih": (rows, input_size),
            "weight_hh": (rows, hidden_size),
            "weight_peephole": (3 * hidden_size,),
            "bias": (rows,),
        }

    def equations(self, inputs: Tensor, state: LayerState, weights: Sequence[Tensor]) -> LayerState:
        """See `Cell`."""
        w_input, w_forget, w_candidate, w_output = weights[0].chunk(4)
        u_input, u_forget, u_candidate, u_output = weights[1].chunk(4)
        p_input, p_forget, p_output = weights[2].chunk(3)
        b_input, b_forget, b_candidate, b_output = weights[3].chunk(4)
        hidden, memory = state
        input_gate = torch.sigmoid(inputs @ w_input.T + hidden @ u_input.T + p_input * memory + b_input)
        forget_gate = torch.sigmoid(inputs @ w_forget.T + hidden @ u_forget.T + p_forget * memory + b_forget)
        candidate = torch.tanh(inputs @ w_candidate.T + hidden @ u_candidate.T + b_candidate)
        memory = forget_gate * memory + input_gate * candidate
        output_gate = torch.sigmoid(inputs @ w_output.T + hidden @ u_output.T + p_output * memory + b_output)
        return output_gate * torch.tanh(memory), memory

    def project(self, inputs: Tensor, weights: Sequence[Tensor]) -> tuple[Tensor, ...]:
        """See `UnrolledCell`."""
        return (F.linear(inputs, weights[0], weights[3]),)

    def follow(self, projected: tuple[Tensor, ...], state: LayerState, weights: Sequence[Tensor]) -> LayerState:
        """See `UnrolledCell`."""
        hidden, memory = state
        p_input, p_forget, p_output = weights[2].chunk(3)
        sums = torch.addmm(projected[0], hidden, weights[1].T)
        input_sum, forget_sum, candidate, output_sum = sums.chunk(4, dim=-1)
        kept_memory = torch.sigmoid(torch.addcmul(forget_sum, p_forget, memory)) * memory
        input_gate = torch.sigmoid(torch.addcmul(input_sum, p_input, memory))
        memory = torch.addcmul(kept_memory, input_gate, torch.tanh(candidate))
        return torch.sigmoid(torch.addcmul(output_sum, p_output, memory)) * torch.tanh(memory), memory


CELL = PeepholeLSTM()
