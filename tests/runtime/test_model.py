"""The step model on NumPy arrays: states are values, batches do not mix, and what does not belong together is told."""

from concurrent.futures import ThreadPoolExecutor
from functools import partial

import numpy as np
import onnx
import pytest
import torch

from nmt.errors import BundleError
from nmt.runtime.model import OnnxModel
from nmt.search.beam import beam_search
from nmt.search.greedy import greedy_search

from .conftest import padded, searched

WIDTH = 4 * 24  # of what a token contributes: four gates of the decoder's hidden size


@pytest.fixture(scope="module")
def sentences():
    draw = np.random.default_rng(3)
    return [[*draw.integers(4, 50, draw.integers(1, 12)).tolist(), 3] for _ in range(20)]


def test_search_finds_what_it_finds_with_pytorch(models, sentences):
    source, lengths = padded(sentences)
    options = {"max_lengths": (2 * lengths + 3).tolist(), "bos_id": 2, "eos_id": 3, "with_weights": True}
    for search in (greedy_search, beam_search):
        expected = searched(search, models.network, torch.from_numpy(source), torch.from_numpy(lengths), **options)
        found = searched(search, models.exported, source, lengths, **options)
        for here, there in zip(found, expected, strict=True):
            here, there = here[0], there[0]
            assert here.tokens == there.tokens
            assert here.log_prob == pytest.approx(there.log_prob, abs=1e-3)
            np.testing.assert_allclose(here.weights, there.weights, atol=1e-4)


@pytest.mark.parametrize("precision", ["fp32", "int8"])
@pytest.mark.parametrize("lexicon", [0, 5])
def test_a_sentence_does_not_depend_on_its_batch(make_models, sentences, precision, lexicon):
    model = make_models(precision=precision, encoder_layers=2, lexicon_size=lexicon).exported
    options = {"bos_id": 2, "eos_id": 3, "beam_size": 4}

    def translate(rows):
        source, lengths = padded(rows)
        found = searched(beam_search, model, source, lengths, max_lengths=(2 * lengths + 3).tolist(), **options)
        return [hypotheses[0] for hypotheses in found]

    alone = [translate([row])[0] for row in sentences]
    for batch in (translate(sentences), translate(sentences[::-1])[::-1]):
        for here, there in zip(batch, alone, strict=True):
            assert here.tokens == there.tokens
            assert here.log_prob == pytest.approx(there.log_prob, abs=1e-4)


def test_states_are_values(models, sentences):
    source, lengths = padded(sentences[:3])
    state = models.exported.start(source, lengths)
    previous = np.full((3, 1), 2)
    first = models.exported.step(previous, state).logits.copy()
    wide = state.reorder(np.zeros((3, 4), dtype=np.int64))
    later = models.exported.step(np.full((3, 4), 7), wide).state
    models.exported.step(np.full((2, 4), 8), later.keep(np.array([0, 2])))
    np.testing.assert_array_equal(models.exported.step(previous, state).logits, first)
    assert models.exported.step(previous, state).weights is None


def test_reordering_twice_is_reordering_once(models, sentences):
    source, lengths = padded(sentences[:2])
    state = models.exported.start(source, lengths).reorder(np.zeros((2, 3), dtype=np.int64))
    state = models.exported.step(np.array([[4, 5, 6], [7, 8, 9]]), state).state
    twice = state.reorder(np.array([[2, 0, 1], [0, 0, 2]])).reorder(np.array([[1, 0], [2, 1]]))
    once = state.reorder(np.array([[0, 2], [2, 0]]))
    previous = np.array([[5, 6], [7, 8]])
    expected = models.exported.step(previous, once).logits
    np.testing.assert_array_equal(models.exported.step(previous, twice).logits, expected)


@pytest.mark.parametrize("precision", ["fp32", "int8"])
def test_what_is_known_of_a_token_is_what_would_be_computed_anew(make_models, sentences, precision):
    """Products of embeddings are computed when a token first occurs, alone or with others, and kept."""
    source, lengths = padded(sentences[:3])
    tokens = [np.array([[4, 5], [6, 4], [9, 49]]), np.array([[7, 5], [6, 2], [8, 30]])]
    model, fresh = (make_models(precision=precision).exported for _ in range(2))
    for step in range(2):
        wide = model.start(source, lengths).reorder(np.zeros((3, 2), dtype=np.int64))
        known = model.step(tokens[step], wide).logits
    for row in range(3):
        for place in range(2):
            alone = fresh.start(source[row : row + 1, : lengths[row]], lengths[row : row + 1])
            found = fresh.step(tokens[1][row : row + 1, place : place + 1], alone).logits
            np.testing.assert_allclose(found[0, 0], known[row, place], atol=1e-4 if precision == "fp32" else 0.2)


@pytest.mark.parametrize("precision", ["fp32", "int8"])
@pytest.mark.parametrize("rows", [1, 5, 12])
def test_what_does_not_fit_is_computed_again(make_models, sentences, monkeypatch, precision, rows):
    """Products of embeddings are kept up to a limit; however low it is, nothing but the time changes."""
    source, lengths = padded(sentences)
    options = {"bos_id": 2, "eos_id": 3, "beam_size": 4, "max_lengths": (2 * lengths + 3).tolist()}
    expected = searched(beam_search, make_models(precision=precision).exported, source, lengths, **options)
    monkeypatch.setattr("nmt.runtime.model._KEPT_BYTES", rows * WIDTH * (2 if precision == "int8" else 4))
    limited = make_models(precision=precision).exported
    for _ in range(2):
        found = searched(beam_search, limited, source, lengths, **options)
        assert [[one.tokens for one in hypotheses] for hypotheses in found] == [
            [one.tokens for one in hypotheses] for hypotheses in expected
        ]


@pytest.mark.parametrize("rows", [5, 1000])
def test_threads_share_a_model(make_models, sentences, monkeypatch, rows):
    monkeypatch.setattr("nmt.runtime.model._KEPT_BYTES", rows * WIDTH * 4)

    def translate(model, row):
        source, lengths = padded([row])
        return searched(beam_search, model, source, lengths, max_lengths=[12], bos_id=2, eos_id=3, beam_size=4)[0][
            0
        ].tokens

    alone, shared = (make_models().exported for _ in range(2))
    expected = [translate(alone, row) for row in sentences]
    with ThreadPoolExecutor(4) as threads:
        for _ in range(5):
            assert list(threads.map(partial(translate, shared), sentences)) == expected


class Listed:
    """A shortlist that gives each sentence the ids that its own tokens name, by a rule that is easily followed."""

    target_vocabulary = 50

    def ids(self, source, lengths, *, needed=()):
        rows = [
            sorted({0, 1, 2, 3, *(source[i, : lengths[i]] * 7 % 50).tolist(), *(source[i, : lengths[i]]).tolist()})
            for i in range(len(source))
        ]
        result = np.full((len(rows), max(map(len, rows))), -1)
        for i, row in enumerate(rows):
            result[i, : len(row)] = row
        return result


@pytest.mark.parametrize("width", [0, 17])
@pytest.mark.parametrize("lexicon", [0, 5])
@pytest.mark.parametrize("precision", ["fp32", "int8"])
def test_a_shortlist_scores_its_ids_as_the_whole_vocabulary_would(make_models, sentences, precision, lexicon, width):
    source, lengths = padded(sentences[:6])
    models = [
        make_models(precision=precision, shortlist=shortlist, lexicon_size=lexicon, attentional_size=width)
        for shortlist in (None, Listed())
    ]
    whole, short = (model.exported.step(np.full((6, 1), 2), model.exported.start(source, lengths)) for model in models)
    assert whole.shortlist is None
    assert whole.normalized
    assert short.normalized
    expected = Listed().ids(source, lengths)
    np.testing.assert_array_equal(short.shortlist, expected)
    for i, row in enumerate(expected):
        ids = row[row >= 0]
        scores = whole.logits[i, 0, ids]
        found = short.logits[i, 0]
        np.testing.assert_allclose(found[: len(ids)], scores - np.log(np.exp(scores).sum()), atol=1e-4)
        assert (found[len(ids) :] == -np.inf).all()


@pytest.mark.parametrize("precision", ["fp32", "int8"])
@pytest.mark.parametrize("lexicon", [0, 5])
def test_a_sentence_with_a_shortlist_does_not_depend_on_its_batch(make_models, sentences, precision, lexicon):
    model = make_models(precision=precision, shortlist=Listed(), lexicon_size=lexicon).exported
    options = {"bos_id": 2, "eos_id": 3, "beam_size": 4}

    def translate(rows):
        source, lengths = padded(rows)
        found = searched(beam_search, model, source, lengths, max_lengths=(2 * lengths + 3).tolist(), **options)
        return [hypotheses[0] for hypotheses in found]

    for here, row in zip(translate(sentences), sentences, strict=True):
        alone = translate([row])[0]
        assert here.tokens == alone.tokens
        assert here.log_prob == pytest.approx(alone.log_prob, abs=1e-4)
        own = Listed().ids(np.array([row]), np.array([len(row)]))
        assert set(here.tokens) <= set(own[0].tolist())


def test_graphs_and_shortlist_must_belong_together(models):
    with pytest.raises(BundleError, match=r"encoder\.onnx and the bundle's shortlist do not belong together"):
        OnnxModel(**models.files, vocabulary=50, shortlist=Listed())


@pytest.mark.parametrize(
    ("shortlist", "before"), [(None, {"rows": "parents"}), (Listed(), {"columns": "output_columns"})]
)
def test_a_step_of_another_layout_is_told(make_models, tmp_path, shortlist, before):
    models = make_models(shortlist=shortlist)
    step = onnx.load(models.files["step"])
    for node in step.graph.node:
        node.input[:] = [before.get(name, name) for name in node.input]
    for value in step.graph.input:
        value.name = before.get(value.name, value.name)
    onnx.save(step, tmp_path / "step.onnx")
    with pytest.raises(BundleError, match=r"step\.onnx was exported by an nmt that lays graphs out in another way"):
        OnnxModel(**models.files | {"step": tmp_path / "step.onnx"}, vocabulary=50, shortlist=shortlist)


@pytest.mark.parametrize("search", [greedy_search, beam_search])
def test_threads_may_be_the_first_to_take_many_steps(make_models, sentences, search):
    def translate(model, row):
        source, lengths = padded([row])
        return searched(search, model, source, lengths, max_lengths=[12], bos_id=2, eos_id=3)

    alone, shared = (make_models().exported for _ in range(2))
    expected = [translate(alone, row) for row in sentences]
    with ThreadPoolExecutor(4) as threads:
        assert list(threads.map(partial(translate, shared), sentences)) == expected
