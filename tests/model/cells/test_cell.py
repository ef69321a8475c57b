"""A cell's equations, torch's fused layers and RecurrentLayer are one recurrence, for every cell that there is."""

import pytest
import torch

from nmt.config.choices import Cell
from nmt.model.cells.cell import RecurrentLayer, cell_named

CELLS = [cell_named(word.value) for word in Cell]
B, T, E, H = 3, 6, 5, 4


def problem(cell, dtype=torch.float64):
    """A layer with every weight and bias away from zero, inputs (B, T, E) and a state of (B, H) parts."""
    torch.manual_seed(7)
    layer = RecurrentLayer(E, H, cell=cell).to(dtype)
    with torch.no_grad():
        for parameter in layer.parameters():
            parameter.normal_(std=0.7)
    inputs = torch.randn(B, T, E, dtype=dtype, requires_grad=True)
    state = tuple(torch.randn(B, H, dtype=dtype, requires_grad=True) for _ in range(cell.parts))
    return layer, inputs, state


def reference_run(cell, layer, inputs, state):
    outputs = []
    for t in range(inputs.size(1)):
        state = cell.equations(inputs[:, t], state, layer.rnn.all_weights[0])
        outputs.append(state[0])
    return torch.stack(outputs, dim=1), state


def gradients(outputs, leaves):
    """Gradients of a sum that weighs every output differently."""
    weights = torch.linspace(-1, 1, outputs.numel(), dtype=outputs.dtype).view_as(outputs)
    return torch.autograd.grad((outputs * weights).sum(), leaves)


@pytest.mark.parametrize("cell", CELLS, ids=list(Cell))
def test_reference_cell_equals_the_fused_layer_in_values_and_gradients(cell):
    layer, inputs, state = problem(cell)
    initial = tuple(part.unsqueeze(0) for part in state)
    fused, final = layer.rnn(inputs, initial if cell.parts > 1 else initial[0])
    final = final if cell.parts > 1 else (final,)
    outputs, last = reference_run(cell, layer, inputs, state)

    torch.testing.assert_close(outputs, fused, rtol=1e-12, atol=1e-12)
    for ours, theirs in zip(last, final, strict=True):
        torch.testing.assert_close(ours, theirs[0], rtol=1e-12, atol=1e-12)
    leaves = [inputs, *state, *layer.parameters()]
    ours = gradients(torch.cat([outputs.flatten(), last[-1].flatten()]), leaves)
    theirs = gradients(torch.cat([fused.flatten(), final[-1].flatten()]), leaves)
    for one, other in zip(ours, theirs, strict=True):
        assert one.abs().max() > 0
        torch.testing.assert_close(one, other, rtol=1e-11, atol=1e-11)


@pytest.mark.parametrize("cell", CELLS, ids=list(Cell))
def test_a_layer_advanced_position_by_position_equals_one_run_over_the_sequence(cell):
    layer, inputs, state = problem(cell)
    leaves = [inputs, *state, *layer.parameters()]
    whole = layer(inputs, state)
    outputs, current = [], state
    for t in range(T):
        current = layer.advance(inputs[:, t], current)
        assert [part.shape for part in current] == [(B, H)] * cell.parts
        outputs.append(current[0])
    stepped = torch.stack(outputs, dim=1)

    torch.testing.assert_close(stepped, whole, rtol=1e-12, atol=1e-12)
    for one, other in zip(gradients(stepped, leaves), gradients(whole, leaves), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-11, atol=1e-11)


@pytest.mark.parametrize("cell", CELLS, ids=list(Cell))
def test_a_state_that_is_not_contiguous_is_taken_too(cell):
    layer, inputs, state = problem(cell)
    strided = tuple(torch.stack((part, part), dim=-1)[..., 0] for part in state)
    assert not strided[0].is_contiguous()
    torch.testing.assert_close(layer(inputs, strided), layer(inputs, state))


@pytest.mark.parametrize("cell", CELLS, ids=list(Cell))
def test_each_gate_begins_with_weights_of_its_own_scale(cell):
    """Recurrent weights are orthogonal, input weights uniform within Glorot and Bengio's bound, gate by gate."""
    layer = cell.layer(E, H, bidirectional=True)
    bound = (6 / (E + H)) ** 0.5
    for suffix in ("_l0", "_l0_reverse"):
        for gate in getattr(layer, f"weight_hh{suffix}").split(H):
            torch.testing.assert_close(gate @ gate.T, torch.eye(H), rtol=0, atol=1e-5)
        for gate in getattr(layer, f"weight_ih{suffix}").split(H):
            assert bound / 2 < gate.abs().max() <= bound
        assert not getattr(layer, f"bias_hh{suffix}").any()
