"""The graphs compute what the network computes, whatever it is made of."""

import itertools

import numpy as np
import pytest
import torch

from nmt.config.choices import AttentionKind, Cell, Tying
from nmt.errors import ConfigError
from nmt.export.cells.cell import exported_cell

LENGTHS = np.array([7, 1, 4])
ATTENTIONS = [kind for kind in AttentionKind if kind is not AttentionKind.none]
LAYERS = [(1, 1), (2, 1), (1, 2), (3, 3)]
# Every cell of the encoder with every one of the decoder, with and without feeding; all else goes round.
ENCODERS = [cell.value for cell in Cell if exported_cell(cell.value, of="decoder").operator]
NETWORKS = [
    {
        "encoder_cell": encoder,
        "decoder_cell": decoder.value,
        "attention": ATTENTIONS[number % 3],
        "input_feeding": feeding,
        "encoder_layers": LAYERS[number // 2 % 4][0],
        "decoder_layers": LAYERS[number // 2 % 4][1],
        "tying": list(Tying)[number // 3 % 3],
        "attentional_size": (0, 14)[number // 3 % 2],
    }
    for number, (encoder, decoder, feeding) in enumerate(itertools.product(ENCODERS, Cell, (False, True)))
]


def name_of(network):
    cells = f"{network['encoder_cell']}-{network['decoder_cell']}"
    parts = (cells, network["attention"], "fed" if network["input_feeding"] else "plain")
    keys = ("encoder_layers", "decoder_layers", "tying", "attentional_size")
    return "-".join(map(str, (*parts, *(network[key] for key in keys))))


def log_softmax(logits):
    return logits - np.log(np.exp(logits).sum(-1, keepdims=True))


def decode(model, *, to_model, to_host):
    """Start, and take steps in which the beam widens, moves and loses a sentence: all logits and attention weights."""
    draw = np.random.default_rng(1)
    source = draw.integers(4, 50, (len(LENGTHS), LENGTHS.max()))
    source[np.arange(LENGTHS.max()) >= LENGTHS[:, None]] = 0
    state = model.start(to_model(source), to_model(LENGTHS))
    found = []
    previous = np.full((3, 1), 2)
    for parents, keep in (([[0, 0, 0]] * 3, None), ([[2, 1, 0]] * 3, [0, 2]), ([[1, 1]] * 2, None), (None, None)):
        step = model.step(to_model(previous), state, with_weights=True)
        found.append((log_softmax(to_host(step.logits)), to_host(step.weights)))
        state = step.state
        if keep is not None:
            state, parents = state.keep(to_model(np.array(keep))), np.array(parents)[keep]
        if parents is not None:
            state = state.reorder(to_model(np.array(parents)))
            previous = draw.integers(4, 50, np.array(parents).shape)
    return found


def both(models):
    with torch.no_grad():
        expected = decode(models.network, to_model=torch.from_numpy, to_host=lambda tensor: tensor.numpy())
    return expected, decode(models.exported, to_model=lambda array: array, to_host=lambda array: array)


@pytest.mark.parametrize("network", NETWORKS, ids=name_of)
def test_in_fp32_every_network_steps_as_pytorch_does(make_models, network):
    for (logits, weights), (found, found_weights) in zip(*both(make_models(**network)), strict=True):
        np.testing.assert_allclose(found, logits, atol=1e-4)
        np.testing.assert_allclose(found_weights, weights, atol=1e-5)


@pytest.mark.parametrize("network", NETWORKS, ids=name_of)
def test_in_int8_every_network_steps_nearly_so(make_models, network):
    for (logits, weights), (found, found_weights) in zip(*both(make_models(precision="int8", **network)), strict=True):
        assert np.corrcoef(found.ravel(), logits.ravel())[0, 1] > 0.995
        assert np.abs(found_weights - weights).max() < 0.1


@pytest.mark.parametrize(
    ("network", "message"),
    [
        ({"encoder_cell": "ssru"}, "a model whose encoder is ssru cannot be exported"),
        ({"attention": AttentionKind.none}, "a model without attention cannot be exported"),
    ],
)
def test_what_has_no_graphs_translates_with_pytorch(make_models, network, message):
    with pytest.raises(ConfigError) as caught:
        make_models(**network)
    assert str(caught.value) == f"{message}; PyTorch runs it as it is"


LEXICA = [{}, {"input_feeding": True}, {"decoder_layers": 2}, {"attention": AttentionKind.additive}]


@pytest.mark.parametrize("network", LEXICA, ids=lambda network: "-".join(network) or "plain")
def test_a_lexicon_favours_what_it_does_with_pytorch(make_models, network):
    models = make_models(lexicon_size=6, lexicon_epsilon=0.01, **network)
    without = make_models(lexicon_size=0, **network)
    for (logits, _), (found, _), (plain, _) in zip(*both(models), both(without)[0], strict=True):
        np.testing.assert_allclose(found, logits, atol=1e-4)
        assert np.abs(found - plain).max() > 1.0


@pytest.mark.parametrize("target_vocabulary", [300, 70_000])
def test_a_lexicon_may_name_words_by_large_numbers(make_models, target_vocabulary):
    sizes = {"source_vocabulary": 60, "target_vocabulary": target_vocabulary}
    models = make_models(lexicon_size=6, lexicon_epsilon=0.01, tying=Tying.none, **sizes)
    for (logits, _), (found, _) in zip(*both(models), strict=True):
        np.testing.assert_allclose(found, logits, atol=1e-4)


def test_vocabularies_may_differ(make_models):
    for tying in (Tying.none, Tying.target):
        models = make_models(source_vocabulary=60, target_vocabulary=50, tying=tying)
        for (logits, _), (found, _) in zip(*both(models), strict=True):
            np.testing.assert_allclose(found, logits, atol=1e-4)


def test_the_attentional_vector_may_have_a_width_of_its_own(make_models):
    for feeding, tying in itertools.product((False, True), Tying):
        models = make_models(tying=tying, attentional_size=14, input_feeding=feeding)
        for (logits, _), (found, _) in zip(*both(models), strict=True):
            np.testing.assert_allclose(found, logits, atol=1e-4)


def test_in_int8_what_is_large_does_not_cost_the_others_their_precision(make_models):
    """One element of what a projection makes is a hundred times as large as it was, and read with a hundredth."""

    def stretch(network):
        network.projection.weight[0] *= 100
        network.target_embedding.weight[:, 0] /= 100
        network.decoder.layers[0].rnn.weight_ih_l0[:, 0] *= 100  # which reads embeddings too

    def error(**options):
        models = make_models(precision="int8", tying=Tying.target, attentional_size=14, **options)
        pairs = zip(*both(models), strict=True)
        return np.square([(found - logits).std() for (logits, _), (found, _) in pairs]).mean() ** 0.5

    assert error(change=stretch) < 1.5 * error()
