"""Many positions in one run of a graph are what as many steps are."""

import itertools
from types import SimpleNamespace
from typing import Any, NamedTuple

import numpy as np
import pytest

from .conftest import EOS, LENGTHS, NETWORKS, name_of, shortlist, sources


def by_steps(model, previous, state, count):
    """The best token of every step, its log-probability, and the state after them."""
    tokens, log_probs = [], []
    for _ in range(count):
        step = model.step(previous, state)
        best = step.logits[:, 0].argmax(1)
        log_probs.append(step.logits[np.arange(len(best)), 0, best])
        previous = (best if step.shortlist is None else step.shortlist[np.arange(len(best)), best])[:, None]
        tokens.append(previous[:, 0])
        state = step.state
    return np.stack(tokens, 1), np.stack(log_probs, 1), state


class Look(NamedTuple):
    tokens: Any  # (B, T)
    log_probs: Any  # (B, T) of each token
    state: Any


def ahead(model, previous, state, *, most=9, ended=None, enough=1000, eos_id=-1):
    ended = np.zeros(len(previous), dtype=np.bool_) if ended is None else ended
    so_far = np.full((len(previous), 1), -2.5)
    found = model.take_steps(
        previous, state, log_probs=so_far, width=1, most=most, eos_id=eos_id, ended=ended, enough=enough
    )
    if found is None:
        return None
    assert (found.parents == 0).all()
    assert found.log_probs.dtype == np.float64
    tokens, log_probs = (each[..., 0].T for each in (found.tokens, found.log_probs))
    return Look(tokens, np.diff(log_probs, axis=1, prepend=so_far), found.state)


def assert_ahead_is_by_steps(model):
    source = sources()
    state = model.start(source, LENGTHS).keep(np.array([0, 2, 3, 5]))
    previous = np.full((4, 1), 2)
    expected, log_probs, after = by_steps(model, previous, state, 9)  # from now on all products are known
    found = ahead(model, previous, state)
    np.testing.assert_array_equal(found.tokens, expected)
    np.testing.assert_allclose(found.log_probs, log_probs, rtol=1e-5)
    here, there = (model.step(found.tokens[:, -1:], each).logits for each in (found.state, after))
    np.testing.assert_allclose(here, there, rtol=1e-5)
    # The states are as they were, and some may leave between one run and the next.
    first = ahead(model, previous, state, most=4)
    np.testing.assert_array_equal(first.tokens, expected[:, :4])
    rest = ahead(model, first.tokens[[1, 3], -1:], first.state.keep(np.array([1, 3])), most=5)
    np.testing.assert_array_equal(rest.tokens, expected[[1, 3], 4:])


@pytest.mark.parametrize("precision", ["fp32", "int8"])
@pytest.mark.parametrize("network", NETWORKS, ids=name_of)
def test_of_every_network(make_models, network, precision):
    assert_ahead_is_by_steps(make_models(precision=precision, **network).exported)


@pytest.mark.parametrize("precision", ["fp32", "int8"])
@pytest.mark.parametrize("lexicon", [0, 6])
@pytest.mark.parametrize("listed", [False, True], ids=["whole", "shortlist"])
def test_with_a_shortlist_and_a_lexicon(make_models, lexicon, listed, precision):
    options = {"lexicon_size": lexicon, "lexicon_epsilon": 0.01, "precision": precision}
    assert_ahead_is_by_steps(make_models(**options, shortlist=shortlist() if listed else None).exported)


def test_it_stops_where_a_token_was_never_read(make_models):
    """The products of a token's embedding are computed outside of the graph, once."""
    model = make_models().exported
    state, previous = model.start(sources(), LENGTHS), np.full((6, 1), 2)
    expected, _, _ = by_steps(make_models().exported, previous, state, 9)
    parts = []
    while sum(part.shape[1] for part in parts) < 9:
        found = ahead(model, previous, state, most=9 - sum(part.shape[1] for part in parts))
        previous, state = found.tokens[:, -1:], found.state
        parts.append(found.tokens)
    assert len(parts) > 2
    np.testing.assert_array_equal(np.concatenate(parts, 1), expected)


def test_what_a_lexicon_makes_likely_is_computed_with_the_source(make_models, monkeypatch):
    """In one run for all of it, and what is known already in none."""
    model = make_models(lexicon_size=6).exported
    computed = []
    run = model._products._session.run
    monkeypatch.setattr(
        model._products,
        "_session",
        SimpleNamespace(run=lambda names, inputs: computed.append(inputs["tokens"]) or run(names, inputs)),
    )
    state = model.start(sources(), LENGTHS)
    [tokens] = computed
    assert len(tokens) > 10
    wide = state.reorder(np.zeros((6, len(tokens)), dtype=np.int64))
    model.step(np.tile(tokens, (6, 1)), wide)
    model.start(sources(), LENGTHS)
    assert len(computed) == 1


def test_it_stops_when_enough_sentences_have_ended(make_models):
    model = make_models().exported
    state, previous = model.start(sources(), LENGTHS), np.full((6, 1), 2)
    tokens, _, _ = by_steps(model, previous, state, 12)
    eos_id = int(tokens[4, 5])  # one token is as good as another
    ended = (tokens == eos_id).cumsum(1) > 0
    waiting = np.array([True, *[False] * 5])
    for enough, gone in itertools.product(range(1, 8), (np.zeros(6, dtype=np.bool_), waiting)):
        reached = (ended | gone[:, None]).sum(0) >= enough
        count = int(reached.argmax()) + 1 if reached.any() else 12
        found = ahead(model, previous, state, most=12, ended=gone, enough=enough, eos_id=eos_id)
        np.testing.assert_array_equal(found.tokens, tokens[:, :count])


def test_of_many_scores_numpy_finds_the_best_faster(make_models, monkeypatch):
    model = make_models(shortlist=shortlist()).exported
    state = model.start(sources(), LENGTHS)
    scores = model.step(np.full((6, 1), 2), state).logits.size
    monkeypatch.setattr("nmt.runtime.model._FEW_SCORES", scores)
    assert ahead(model, np.full((6, 1), 2), state) is not None
    monkeypatch.setattr("nmt.runtime.model._FEW_SCORES", scores - 1)
    assert ahead(model, np.full((6, 1), 2), state) is None


def test_a_beam_takes_many_steps_for_one_sentence_and_not_too_many_places(make_models, monkeypatch):
    model = make_models().exported

    def looks(sentences, width):
        state = model.start(sources()[:sentences], LENGTHS[:sentences])
        found = model.take_steps(
            np.full((sentences, 1), 2),
            state,
            log_probs=np.zeros((sentences, 1)),
            width=width,
            most=3,
            eos_id=EOS,
            ended=np.zeros(sentences, dtype=np.bool_),
            enough=1,
        )
        return found is not None

    assert [looks(1, width) for width in (1, 5, 50, 51)] == [True, True, True, False]  # of 50 words
    assert [looks(2, width) for width in (1, 2)] == [True, False]
    monkeypatch.setattr("nmt.runtime.model._FEW_SCORES", 4 * 50)
    assert [looks(1, width) for width in (4, 5)] == [True, False]
