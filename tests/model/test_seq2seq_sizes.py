"""The whole network: its matrices, which of them are tied, what it begins with, and its dropout."""

import pytest
import torch

from nmt.config.choices import AttentionKind, Tying
from nmt.errors import ConfigError
from nmt.model.decoder import DecoderOutput
from nmt.model.seq2seq import build_model

from .networks import V, batch, build, config


def test_sizes_follow_the_configuration():
    model = build(
        vocabularies=(13, 9),
        tying=Tying.none,
        encoder_layers=2,
        decoder_layers=3,
        attention=AttentionKind.additive,
        attentional_size=7,
        input_feeding=True,
    )
    shapes = {name: tuple(parameter.shape) for name, parameter in model.named_parameters()}
    assert shapes["source_embedding.weight"] == (13, 6)
    assert shapes["target_embedding.weight"] == (9, 6)
    assert shapes["output.weight"] == (9, 7)
    assert shapes["encoder.layers.0.weight_ih_l0"] == (16, 6)
    assert shapes["encoder.layers.1.weight_ih_l0_reverse"] == (16, 8)
    assert shapes["decoder.layers.0.rnn.weight_ih_l0"] == (32, 6 + 7)
    assert shapes["decoder.layers.2.rnn.weight_ih_l0"] == (32, 8)
    assert shapes["decoder.attention.key_projection.weight"] == (5, 8)
    assert shapes["decoder.combine.weight"] == (7, 8 + 8)
    assert sum(name.startswith("bridge") and name.endswith("weight") for name in shapes) == 3 * 2
    assert not any(module.p for module in model.modules() if isinstance(module, torch.nn.Dropout))


@pytest.mark.parametrize(("tying", "matrices"), [("none", 3), ("target", 2), ("all", 1)])
def test_tying_decides_how_many_matrices_of_the_vocabulary_there_are(tying, matrices):
    model = build(tying=Tying[tying])
    assert sum(parameter.shape == (V, 6) for parameter in model.parameters()) == matrices
    weight, bias = model.output_parameters()
    assert bias.shape == (V,)
    assert (weight is model.target_embedding.weight) == (tying != "none")
    attentional = torch.randn(2, 3, 6, dtype=torch.float64)
    torch.testing.assert_close(model.project(DecoderOutput(attentional)), attentional @ weight.T + bias)


@pytest.mark.parametrize("tying", ["target", "all"])
def test_wider_attentional_vectors_are_projected_to_what_a_tied_output_reads(tying):
    model = build(tying=Tying[tying], attentional_size=9, input_feeding=True)
    assert model.decoder.layers[0].rnn.weight_ih_l0.shape == (32, 6 + 9)
    assert model.projection.weight.shape == (6, 9)
    weight, bias = model.output_parameters()
    assert weight is model.target_embedding.weight
    attentional = torch.randn(2, 3, 9, dtype=torch.float64)
    expected = attentional @ model.projection.weight.T @ weight.T + bias
    torch.testing.assert_close(model.project(DecoderOutput(attentional)), expected)


@pytest.mark.parametrize(("tying", "width"), [("none", 9), ("none", 0), ("all", 0), ("all", 6)])
def test_nothing_is_projected_where_that_is_not_needed(tying, width):
    assert build(tying=Tying[tying], attentional_size=width).projection is None


def test_tying_all_reads_the_source_with_the_target_embedding():
    model = build(tying=Tying.all)
    source, lengths, *_ = batch()
    before = model.start(source, lengths).memory.values
    with torch.no_grad():
        model.target_embedding.weight += 1
    assert not torch.allclose(before, model.start(source, lengths).memory.values)
    assert model.source_embedding is None


def test_tying_all_needs_vocabularies_of_one_size():
    with pytest.raises(
        ConfigError,
        match=r"^model\.tying=all needs one vocabulary, but the source has 12 subwords and the target 11; "
        r"use model\.tying=target$",
    ):
        build_model(config(tying=Tying.all), source_vocabulary=12, target_vocabulary=11)
    assert build_model(config(tying=Tying.target), source_vocabulary=12, target_vocabulary=11)


def test_weights_begin_so_that_embeddings_have_norm_one_and_biases_are_zero():
    model = build_model(config(embedding_size=256, tying=Tying.target), source_vocabulary=200, target_vocabulary=200)
    for embedding in (model.source_embedding, model.target_embedding):
        assert embedding.weight.detach().norm(dim=1).mean().item() == pytest.approx(1, abs=0.05)
    linear = {name: module for name, module in model.named_modules() if isinstance(module, torch.nn.Linear)}
    assert len(linear) >= 4
    for module in linear.values():
        bound = (6 / sum(module.weight.shape)) ** 0.5
        assert bound / 2 < module.weight.detach().abs().max().item() <= bound
        assert module.bias is None or not module.bias.any()


def test_dropout_is_set_everywhere():
    model = build(dropout=0.25)
    rates = [module.p for module in model.modules() if isinstance(module, torch.nn.Dropout)]
    assert rates
    assert set(rates) == {0.25}
