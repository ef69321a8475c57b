"""The norms are those of a pencil, and those of the Jacobians' product, for every cell."""

import math

import pytest
import torch

from nmt.config.choices import Cell
from nmt.lab.gradients.flow import MemoryModel, gradient_norms
from nmt.lab.gradients.tasks import TASKS, Sequences
from nmt.model.cells.cell import cell_named
from nmt.model.initialization import FirstWeights

CELLS = [word.value for word in Cell]


def model_of(cell, task="adding", hidden_size=3):
    torch.manual_seed(3)
    return MemoryModel(TASKS[task], cell_named(cell), hidden_size, FirstWeights())


def test_one_unit_by_hand():
    """L = (v h_T + b - y)². So ∂L/∂h_T = 2 v (v h_T + b - y), and each step back multiplies it by w (1 - h²)."""
    model = model_of("rnn", hidden_size=1)
    w, u, v, b = -1.25, 0.5, 2.0, 0.25
    with torch.no_grad():
        model.layer.rnn.weight_hh_l0.fill_(w)
        model.layer.rnn.weight_ih_l0.copy_(torch.tensor([[u, 0.0]]))
        model.answer.weight.fill_(v)
        model.answer.bias.fill_(b)
    numbers, target = [0.5, 0.25, 0.75, 0.125, 1.0], 0.75
    inputs = torch.tensor([[[number, 1.0] for number in numbers]])
    hidden = [0.0]
    for number in numbers:
        hidden.append(math.tanh(u * number + w * hidden[-1]))
    gradient = 2 * v * (v * hidden[-1] + b - target)
    expected = []
    for h in reversed(hidden[1:]):
        expected.append(abs(gradient))
        gradient *= w * (1 - h * h)
    norms = gradient_norms(model, Sequences(inputs, torch.tensor([[target]])))
    assert norms.state == pytest.approx(expected, rel=1e-12)
    assert norms.hidden == norms.state


@pytest.mark.parametrize("task", list(TASKS))
@pytest.mark.parametrize("cell", CELLS)
def test_norms_are_those_of_the_product_of_jacobians(cell, task):
    model = model_of(cell, task)
    sequences = TASKS[task].draw(6, 1, torch.Generator().manual_seed(1))
    norms = gradient_norms(model, sequences)

    double = model.double()
    inputs, asked = sequences.inputs.double(), TASKS[task].asked
    targets = sequences.targets.double() if task == "adding" else sequences.targets
    states = [double.first_state(inputs)]
    for position in inputs.unbind(1):
        states.append(double.layer.advance(position, states[-1]))
    flat = [torch.cat(state, dim=1)[0].detach() for state in states[1:]]
    first = len(flat) - asked  # the state that the first answer reads

    def parts(vector):
        return tuple(vector.view(1, -1).split(3, dim=1))

    def loss_from(vector):
        state, outputs = parts(vector), []
        for position in inputs.unbind(1)[first + 1 :]:
            outputs.append(double.layer.cell.output(state))
            state = double.layer.advance(position, state)
        outputs.append(double.layer.cell.output(state))
        return double.task.loss(double.answer(torch.stack(outputs, dim=1)), targets).sum()

    gradient = torch.autograd.functional.jacobian(loss_from, flat[first])
    for distance, t in enumerate(range(first, -1, -1)):
        assert norms.state[distance] == pytest.approx(float(gradient.norm()), rel=1e-9)
        assert norms.hidden[distance] == pytest.approx(float(gradient[:3].norm()), rel=1e-9)
        if t:
            step = inputs[:, t]
            jacobian = torch.autograd.functional.jacobian(
                lambda vector, step=step: torch.cat(double.layer.advance(step, parts(vector)), dim=1)[0], flat[t - 1]
            )
            gradient = gradient @ jacobian
    assert len(norms.state) == first + 1


def test_sequences_of_a_batch_do_not_meet():
    model = model_of("lstm")
    both = TASKS["adding"].draw(8, 2, torch.Generator().manual_seed(1))
    each = [gradient_norms(model, Sequences(both.inputs[i : i + 1], both.targets[i : i + 1])) for i in range(2)]
    mean = [(one + other) / 2 for one, other in zip(each[0].state, each[1].state, strict=True)]
    assert gradient_norms(model, both).state == pytest.approx(mean, rel=1e-9)


@pytest.mark.parametrize("cell", CELLS)
def test_what_is_measured_is_the_model_that_is_trained(cell):
    """Training runs whole sequences, measuring goes from position to position."""
    model = model_of(cell, "copy").double()
    inputs = TASKS["copy"].draw(5, 4, torch.Generator().manual_seed(1)).inputs.double()
    state, outputs = model.first_state(inputs), []
    for position in inputs.unbind(1):
        state = model.layer.advance(position, state)
        outputs.append(model.layer.cell.output(state))
    torch.testing.assert_close(model(inputs), model.answer(torch.stack(outputs[-3:], dim=1)))


def test_measuring_leaves_the_model_as_it_was():
    model = model_of("gru")
    before = [parameter.clone() for parameter in model.parameters()]
    gradient_norms(model, TASKS["adding"].draw(8, 2, torch.Generator().manual_seed(1)))
    for parameter, was in zip(model.parameters(), before, strict=True):
        assert torch.equal(parameter, was)
        assert parameter.dtype == torch.float32
        assert parameter.grad is None
