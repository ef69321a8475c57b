"""First weights: each kind's distribution, gate by gate, and which biases are not zero."""

import pytest
import torch

from nmt.config.choices import Cell, Initialization
from nmt.config.model import ModelConfig
from nmt.model.cells.cell import cell_named
from nmt.model.initialization import FirstWeights, initialize_layer
from nmt.model.seq2seq import build_model

E, H = 50, 40


def layer_of(cell, **first):
    torch.manual_seed(5)
    layer = cell.layer(E, H, bidirectional=True)
    initialize_layer(layer, cell, FirstWeights(**first))
    return {name: parameter.detach() for name, parameter in layer.named_parameters()}


def gates_of(weights, kind):
    return [gate for name, weight in weights.items() if name.startswith(kind) for gate in weight.split(H)]


@pytest.mark.parametrize("cell", list(map(cell_named, Cell)), ids=list(Cell))
def test_glorot_orthogonal_is_drawn_gate_by_gate(cell):
    weights, bound = layer_of(cell), (6 / (E + H)) ** 0.5
    for gate in gates_of(weights, "weight_hh"):
        torch.testing.assert_close(gate @ gate.T, torch.eye(H), rtol=0, atol=1e-5)
    for gate in gates_of(weights, "weight_ih"):
        assert 0.99 * bound < gate.abs().max() <= bound
        assert gate.std() == pytest.approx(bound / 3**0.5, rel=0.05)


@pytest.mark.parametrize("cell", list(map(cell_named, Cell)), ids=list(Cell))
def test_symmetric_uniform_has_one_bound_for_all_matrices(cell):
    weights = layer_of(cell, kind="symmetric_uniform", scale=0.3)
    for gate in gates_of(weights, "weight_ih") + gates_of(weights, "weight_hh"):
        assert 0.29 < gate.max() <= 0.3
        assert -0.3 <= gate.min() < -0.29
        assert gate.std() == pytest.approx(0.3 / 3**0.5, rel=0.05)


@pytest.mark.parametrize("cell", list(map(cell_named, Cell)), ids=list(Cell))
def test_truncated_normal_ends_at_two_deviations(cell):
    weights = layer_of(cell, kind="truncated_normal", scale=0.1)
    for gate in gates_of(weights, "weight_ih") + gates_of(weights, "weight_hh"):
        assert 0.17 < gate.abs().max() <= 0.2
        assert gate.std() == pytest.approx(0.088, rel=0.05)  # that of the standard normal, cut at two, is 0.88
        assert gate.abs().median() == pytest.approx(0.0639, rel=0.1)  # of a uniform one up to 0.2 it were 0.1


FORGET = {"gru": 1, "gru_original": 1, "lstm": 1, "lstm_peephole": 1, "ssru": 0}


@pytest.mark.parametrize("word", Cell)
def test_of_all_biases_only_forget_gates_are_not_zero(word):
    weights = layer_of(cell_named(word), forget_bias=1.5)
    for side in ("_l0", "_l0_reverse"):
        biases = [weight for name, weight in weights.items() if name.startswith("bias") and name.endswith(side)]
        expected = torch.zeros(max(map(len, biases)))
        if word in FORGET:
            expected[FORGET[word] * H : (FORGET[word] + 1) * H] = 1.5
        torch.testing.assert_close(sum(biases), expected)
    assert not any(weight.any() for name, weight in weights.items() if "peephole" in name)


@pytest.mark.parametrize("kind", Initialization)
def test_a_model_begins_as_its_configuration_says(kind):
    torch.manual_seed(5)
    config = ModelConfig(init=kind, init_scale=0.05, forget_bias=0.5, decoder_cell="ssru", embedding_size=64)
    model = build_model(config, source_vocabulary=500, target_vocabulary=500)
    bound = {"symmetric_uniform": 0.05, "truncated_normal": 0.1}.get(kind, 9.0)
    matrices = {name: weight for name, weight in model.named_parameters() if weight.ndim > 1}
    assert all(weight.std() > 0 and weight.abs().max() <= bound for weight in matrices.values())
    if kind is Initialization.glorot_orthogonal:
        assert model.target_embedding.weight.norm(dim=1).mean().item() == pytest.approx(1, rel=0.02)
    biases = {name: weight for name, weight in model.named_parameters() if weight.ndim == 1 and weight.any()}
    assert biases.keys() == {f"encoder.layers.0.bias_ih_l0{side}" for side in ("", "_reverse")} | {
        "decoder.layers.0.rnn.bias_l0"
    }
    assert biases["decoder.layers.0.rnn.bias_l0"].unique().tolist() == [0.5]
