"""A cell's equations, its layers over whole sequences and its single positions are one recurrence, for every cell."""

import sys
from types import SimpleNamespace

import pytest
import torch
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from nmt.config.choices import Cell as Word
from nmt.config.model import ModelConfig
from nmt.model.cells.cell import Cell, RecurrentLayer, cell_named
from nmt.model.cells.fused import FusedCell
from nmt.model.cells.lstm import CELL as LSTM
from nmt.model.seq2seq import build_model

CELLS = [cell_named(word.value) for word in Word]
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
        outputs.append(cell.output(state))
    return torch.stack(outputs, dim=1), state


def gradients(outputs, leaves):
    """Gradients of a sum that weighs every output differently."""
    weights = torch.linspace(-1, 1, outputs.numel(), dtype=outputs.dtype).view_as(outputs)
    return torch.autograd.grad((outputs * weights).sum(), leaves)


FUSED = [cell for cell in CELLS if isinstance(cell, FusedCell)]


@pytest.mark.parametrize("cell", FUSED, ids=lambda cell: type(cell).__name__)
def test_a_fused_layer_equals_the_equations_in_values_and_gradients(cell):
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


@pytest.mark.parametrize("cell", CELLS, ids=list(Word))
def test_a_run_equals_the_equations_in_values_and_gradients(cell):
    layer, inputs, state = problem(cell)
    outputs, _ = reference_run(cell, layer, inputs, state)
    whole = layer(inputs, state)

    torch.testing.assert_close(whole, outputs, rtol=1e-12, atol=1e-12)
    leaves = [inputs, *state, *layer.parameters()]
    for one, other in zip(gradients(whole, leaves), gradients(outputs, leaves), strict=True):
        assert one.abs().max() > 0
        torch.testing.assert_close(one, other, rtol=1e-11, atol=1e-11)


@pytest.mark.parametrize("cell", CELLS, ids=list(Word))
def test_reading_equals_the_equations_of_each_sentence_in_both_directions(cell):
    torch.manual_seed(9)
    lengths = [3, 6, 1, 4]
    layer = cell.layer(E, H, bidirectional=True).double()
    with torch.no_grad():
        for parameter in layer.parameters():
            parameter.normal_(std=0.7)
    inputs = torch.randn(len(lengths), max(lengths), E, dtype=torch.float64, requires_grad=True)
    values, last = cell.read(layer, inputs, torch.tensor(lengths))
    zeros = tuple(torch.zeros(1, H, dtype=torch.float64) for _ in range(cell.parts))
    expected_values, expected_last = torch.zeros_like(values), []
    for i, length in enumerate(lengths):
        sides = []
        for half, (weights, order) in enumerate(zip(layer.all_weights, (1, -1), strict=True)):
            state = zeros
            for t in range(length)[::order]:
                state = cell.equations(inputs[i : i + 1, t], state, weights)
                expected_values[i, t, half * H : (half + 1) * H] = cell.output(state)[0]
            sides.append(state)
        expected_last.append([torch.cat(parts, dim=1) for parts in zip(*sides, strict=True)])
    last = torch.cat([part.flatten() for part in last])
    expected_last = torch.cat([torch.cat(part).flatten() for part in zip(*expected_last, strict=True)])
    torch.testing.assert_close(values, expected_values, rtol=1e-12, atol=1e-12)
    torch.testing.assert_close(last, expected_last, rtol=1e-12, atol=1e-12)
    leaves = [inputs, *layer.parameters()]
    ours = gradients(torch.cat([values.flatten(), last]), leaves)
    theirs = gradients(torch.cat([expected_values.flatten(), expected_last]), leaves)
    for one, other in zip(ours, theirs, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-11, atol=1e-11)


@pytest.mark.parametrize("cell", CELLS, ids=list(Word))
def test_every_cell_runs_in_bf16_and_passes_gradients(cell):
    if cell is LSTM and not torch.ops.mkldnn._is_mkldnn_bf16_supported():
        pytest.skip("the fused LSTM has no bf16 on this processor")
    layer, inputs, state = problem(cell, torch.float32)
    read = cell.layer(E, H, bidirectional=True)
    with torch.autocast("cpu", torch.bfloat16):
        outputs = layer(inputs, state)
        values, _ = cell.read(read, inputs, torch.tensor([6, 2, 3]))
    whole, _ = reference_run(cell, layer, inputs, state)
    torch.testing.assert_close(outputs.float(), whole, rtol=0.1, atol=0.1)
    leaves = [*layer.parameters(), *read.parameters()]
    assert all(each is not None for each in gradients(torch.cat([outputs.flatten(), values.flatten()]), leaves))


@pytest.mark.parametrize("cell", CELLS, ids=list(Word))
def test_a_layer_advanced_position_by_position_equals_one_run_over_the_sequence(cell):
    layer, inputs, state = problem(cell)
    leaves = [inputs, *state, *layer.parameters()]
    whole = layer(inputs, state)
    outputs, current = [], state
    for t in range(T):
        current = layer.advance(inputs[:, t], current)
        assert [part.shape for part in current] == [(B, H)] * cell.parts
        outputs.append(cell.output(current))
    stepped = torch.stack(outputs, dim=1)

    torch.testing.assert_close(stepped, whole, rtol=1e-12, atol=1e-12)
    for one, other in zip(gradients(stepped, leaves), gradients(whole, leaves), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-11, atol=1e-11)


@pytest.mark.parametrize("cell", CELLS, ids=list(Word))
def test_a_state_that_is_not_contiguous_is_taken_too(cell):
    layer, inputs, state = problem(cell)
    strided = tuple(torch.stack((part, part), dim=-1)[..., 0] for part in state)
    assert not strided[0].is_contiguous()
    torch.testing.assert_close(layer(inputs, strided), layer(inputs, state))


class Elman(Cell):
    """A cell without gates, which no padding can freeze (Elman 1990)."""

    gates, state_products, parts = 1, 1, 1

    def equations(self, inputs, state, weights):
        weight_ih, weight_hh, bias_ih, bias_hh = weights
        return (torch.tanh(inputs @ weight_ih.T + bias_ih + state[0] @ weight_hh.T + bias_hh),)

    def layer(self, input_size, hidden_size, *, bidirectional=False):
        return torch.nn.RNN(input_size, hidden_size, batch_first=True, bidirectional=bidirectional)

    def read(self, layer, inputs, lengths):
        packed = pack_padded_sequence(inputs, lengths, batch_first=True, enforce_sorted=False)
        outputs, last = layer(packed)
        padded, _ = pad_packed_sequence(outputs, batch_first=True, total_length=inputs.size(1))
        return padded, (torch.cat((last[0], last[1]), dim=-1),)

    def run(self, layer, inputs, state):
        return layer(inputs, state[0].unsqueeze(0).contiguous())[0]

    def advance(self, layer, inputs, state):
        return (torch.rnn_tanh_cell(inputs, state[0], *layer.all_weights[0]),)


@pytest.mark.parametrize("feeding", [False, True])
def test_a_new_cell_is_a_module_of_its_name_and_no_more(monkeypatch, feeding):
    monkeypatch.setitem(sys.modules, "nmt.model.cells.elman", SimpleNamespace(CELL=Elman()))
    sizes = {"embedding_size": E, "encoder_hidden_size": H, "decoder_hidden_size": 2 * H, "decoder_layers": 2}
    config = ModelConfig(cell=SimpleNamespace(value="elman"), input_feeding=feeding, **sizes)
    torch.manual_seed(5)
    model = build_model(config, source_vocabulary=9, target_vocabulary=9).double().eval()
    source, lengths, previous = torch.tensor([[5, 6, 3], [7, 3, 0]]), torch.tensor([3, 2]), torch.randint(4, 9, (2, T))
    whole = model.project(model(source, lengths, previous))
    state = model.start(source, lengths)
    for t in range(T):
        step = model.step(previous[:, t : t + 1], state)
        torch.testing.assert_close(step.logits[:, 0], whole[:, t], rtol=1e-10, atol=1e-12)
        state = step.state
