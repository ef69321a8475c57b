"""A pointer in the graphs: it copies what it copies with PyTorch, with a shortlist and without, one step or many."""

import numpy as np
import pytest
import torch

from nmt.config.choices import AttentionKind, Tying
from nmt.runtime.pointer import copyable
from nmt.search.beam import beam_search
from nmt.search.greedy import greedy_search
from nmt.search.options import SearchOptions
from nmt.search.stepper import Stepper

# A word that stands there twice, a symbol, a source that is all symbols, padding.
SOURCE = np.array([[9, 30, 9, 44, 2, 3], [17, 5, 3, 0, 0, 0], [1, 3, 0, 0, 0, 0]])
LENGTHS = np.array([6, 3, 2])
NETWORKS = [
    {"attention": AttentionKind.dot, "tying": Tying.none},
    {"attention": AttentionKind.additive, "input_feeding": True, "attentional_size": 14},
    {"lexicon_size": 6, "lexicon_epsilon": 0.01, "decoder_layers": 2},
]


class Listed:
    """A shortlist of every third id and all of each source's own."""

    target_vocabulary = 50

    def ids(self, source, lengths, *, needed=()):
        rows = [
            sorted({*range(0, 50, 3), 2, *row[:length].tolist()}) for row, length in zip(source, lengths, strict=True)
        ]
        result = np.full((len(rows), max(map(len, rows))), -1)
        for place, row in zip(result, rows, strict=True):
            place[: len(row)] = row
        return result


def half_open(network):
    network.pointer.gate.bias.fill_(0.5)


def make(make_models, **options):
    return make_models(pointer=True, change=half_open, **options)


def stepped(model, *, to_model=lambda array: array):
    """Log-probabilities of three positions, of which the second has two places a sentence."""
    state, previous, found = model.start(to_model(SOURCE), to_model(LENGTHS)), np.full((3, 1), 2), []
    with torch.no_grad():
        for parents in ([[0, 0]] * 3, [[1], [0], [1]], None):
            step = model.step(to_model(previous), state)
            found.append(np.asarray(step.logits))
            if parents is not None:
                state = step.state.reorder(to_model(np.array(parents)))
                previous = np.arange(4, 4 + 3 * len(parents[0])).reshape(3, -1)
    return found


@pytest.mark.parametrize("network", NETWORKS, ids=lambda network: "-".join(network))
def test_graphs_mix_as_pytorch_does(make_models, network):
    models = make(make_models, **network)
    expected = stepped(models.network, to_model=torch.from_numpy)
    for found, wanted in zip(stepped(models.exported), expected, strict=True):
        np.testing.assert_allclose(found, wanted, atol=1e-4)
        np.testing.assert_allclose(np.exp(found).sum(-1), 1, atol=1e-5)
    pointer, models.network.pointer = models.network.pointer, None
    plain = stepped(models.network, to_model=torch.from_numpy)[0]
    models.network.pointer = pointer
    plain = plain - np.log(np.exp(plain).sum(-1, keepdims=True))
    assert np.abs(plain - expected[0])[:2].max() > 0.5
    np.testing.assert_allclose(expected[0][2], plain[2], atol=1e-5)  # nothing to copy
    for found, wanted in zip(stepped(make(make_models, precision="int8", **network).exported), expected, strict=True):
        assert np.corrcoef(found.ravel(), wanted.ravel())[0, 1] > 0.995


@pytest.mark.parametrize("lexicon", [0, 6])
def test_a_shortlist_limits_the_output_layer_and_not_the_copies(make_models, lexicon):
    models = make(make_models, shortlist=Listed(), lexicon_size=lexicon)
    network, previous = models.network, np.full((3, 1), 2)
    state = models.exported.start(SOURCE, LENGTHS)
    step = models.exported.step(previous, state)
    with torch.no_grad():
        decoded = network.advance(
            torch.from_numpy(previous), network.start(torch.from_numpy(SOURCE), torch.from_numpy(LENGTHS))
        ).decoded
        mixture, pointer = network.mixture(decoded), network.pointer
        network.pointer = None
        logits = network.project(decoded)
        network.pointer = pointer
        listed = torch.full_like(logits, -torch.inf)
        for row, ids in enumerate(step.shortlist):
            own = ids[ids >= 0]
            listed[row, :, own] = logits[row, :, own]
        expected = mixture.log_probs(listed).numpy()
    for row, ids in enumerate(step.shortlist):
        real = ids >= 0
        np.testing.assert_allclose(step.logits[row, 0, real], expected[row, 0, ids[real]], atol=1e-4)
        assert (step.logits[row, 0, ~real] == -np.inf).all()


@pytest.mark.parametrize("listed", [False, True])
@pytest.mark.parametrize("precision", ["fp32", "int8"])
def test_many_steps_at_once_are_single_steps(make_models, precision, listed):
    options = {"shortlist": Listed()} if listed else {}
    model = make(make_models, precision=precision, lexicon_size=6, **options).exported

    def search(kind, row, **options):
        source, lengths = SOURCE[row : row + 1, : LENGTHS[row]], LENGTHS[row : row + 1]
        options = SearchOptions(bos_id=2, eos_id=3, **options)
        [found] = kind(Stepper(model, source, lengths, max_lengths=[8], options=options))
        return found[0]

    for row in range(3):
        for kind, width in ((greedy_search, {}), (beam_search, {"beam_size": 3})):
            many = search(kind, row, **width)
            single = search(kind, row, with_weights=True, **width)  # which many steps do not give
            assert many.tokens == single.tokens
            assert many.log_prob == pytest.approx(single.log_prob, abs=1e-4)


def test_what_a_shortlist_lacks_is_not_copied():
    copied = np.array([[7, 0, 9, 7], [0, 0, 0, 0]])
    whole = copyable(copied, None, 12)
    assert whole["copy_columns"].tolist() == [[0, 7, 9], [0, 0, 0]]
    assert whole["copy_places"][0].argmax(1).tolist() == [2, 0, 3, 2]
    assert whole["copy_places"].sum(2).tolist() == [[1] * 4] * 2
    short = copyable(copied, np.array([[1, 7, 8], [1, 2, -1]]), 12)
    assert short["copy_columns"].tolist() == [[0, 1], [0, 0]]
    assert short["copy_places"][0].argmax(1).tolist() == [2, 0, 0, 2]
