"""A recurrent layer with an answer, and how the gradient of its loss shrinks or grows on the way back.

The state s of a cell is all that the next position continues: h of an RNN or a GRU, (h, c) of an LSTM. The gradient of
a loss L at position T, seen from the state at t, is a product of Jacobians (Bengio et al. 1994; Pascanu et al. 2013,
equation 5):

    ∂L/∂s_t = ∂L/∂s_T · ∂s_T/∂s_(T-1) · ... · ∂s_(t+1)/∂s_t

Where their norms stay below one it vanishes with the distance T - t, and where they stay above one it explodes.
"""

import copy
from typing import NamedTuple

import torch
from torch import Tensor, nn

from nmt.lab.gradients.tasks import MemoryTask, Sequences
from nmt.model.cells.cell import Cell, RecurrentLayer
from nmt.model.initialization import FirstWeights, initialize


class MemoryModel(nn.Module):
    """One layer of a cell, and a linear map from its output to the answer."""

    def __init__(self, task: MemoryTask, cell: Cell, hidden_size: int, first: FirstWeights) -> None:
        super().__init__()
        self.task, self.hidden_size = task, hidden_size
        self.layer = RecurrentLayer(task.input_size, hidden_size, cell=cell)
        self.answer = nn.Linear(hidden_size, task.output_size)
        initialize(self, [(self.layer.rnn, cell)], first)

    def forward(self, inputs: Tensor) -> Tensor:
        """Answer at the asked positions: inputs (B, T, I) → (B, R, ·)."""
        outputs: Tensor = self.layer(inputs, self.first_state(inputs))
        answers: Tensor = self.answer(outputs[:, -self.task.asked :])
        return answers

    def first_state(self, inputs: Tensor) -> tuple[Tensor, ...]:
        """Give the state of zeros that a sequence begins with, of (B, H) parts."""
        return tuple(inputs.new_zeros(inputs.size(0), self.hidden_size) for _ in range(self.layer.cell.parts))


class GradientNorms(NamedTuple):
    """Norms of a sequence's gradient, averaged over sequences, by the distance of the state from the first answer.

    Index d is d positions before the first that is asked. Of a cell with one part both are the same.
    """

    state: list[float]
    """of ∂L/∂s: with respect to the whole state"""
    hidden: list[float]
    """of ∂L/∂h: with respect to the state's first part alone, the others held fixed"""


def gradient_norms(model: MemoryModel, sequences: Sequences) -> GradientNorms:
    """Measure ‖∂L/∂s_t‖ of every state from the first to the one that the first answer reads.

    L is a sequence's own loss. All is computed in double precision: norms of 1e-100 are told apart from zero.

    Args:
        model: stays as it is.
        sequences: B of them.

    Returns:
        T - R + 1 norms of each kind.
    """
    model = copy.deepcopy(model).double()
    inputs = sequences.inputs.double()
    targets = sequences.targets.double() if sequences.targets.is_floating_point() else sequences.targets
    cell, asked = model.layer.cell, model.task.asked
    state, states = model.first_state(inputs), []
    for position in inputs.unbind(1):
        # In an LSTM's step h_t is made of c_t. Copies of both are independent variables, as the product of Jacobians
        # has them. Without copies ∂L/∂c_t would contain the way over h_t as well.
        state = tuple(part.clone() for part in model.layer.advance(position, state))
        states.append(state)
    outputs = model.answer(torch.stack([cell.output(state) for state in states[-asked:]], dim=1))
    loss = model.task.loss(outputs, targets).sum()  # rows do not meet, so each has its own gradient
    before = states[: len(states) - asked + 1]
    gradients = iter(torch.autograd.grad(loss, [part for state in before for part in state], allow_unused=True))
    norms = GradientNorms([], [])
    for parts in reversed([[next(gradients) for _ in state] for state in before]):
        parts = [torch.zeros_like(inputs[:, 0, :1]) if part is None else part for part in parts]
        norms.hidden.append(float(parts[0].norm(dim=1).mean()))
        norms.state.append(float(torch.cat(parts, dim=1).norm(dim=1).mean()))
    return norms
