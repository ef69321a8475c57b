"""Greedy search against a pencil and against beam search with one place."""

from __future__ import annotations

import math

import numpy as np
import pytest

from nmt.errors import ConfigError, RunError
from nmt.search.beam import beam_search
from nmt.search.greedy import greedy_search
from nmt.search.rules import Forbidden, MinimumLength, NoRepeatNgram


def test_pencil(tables, kind):
    tree = {(): [0.1, 0.5, 0.4], (1,): [0.2, 0.1, 0.7], (1, 2): [0.6, 0.3, 0.1], (2,): [1.0, 0.0, 0.0]}
    model = tables.tree_model(tree, kind=kind, vocabulary=3)
    [[one]] = tables.search(greedy_search, model, [0], limits=9, length_penalty=0.6, normalization="gnmt")
    # A 0.5, A B 0.5·0.7, A B EOS 0.5·0.7·0.6 = 0.21, though B EOS has 0.4
    assert (one.tokens, one.finished) == ([1, 2], True)
    assert math.exp(one.log_prob) == pytest.approx(0.21)
    assert one.score == pytest.approx(math.log(0.21) / (8 / 6) ** 0.6)


def test_beam_1_is_greedy(tables, kind):
    for seed in range(150):
        model = tables.random_model(seed, kind=kind, vocabulary=3 + seed % 9, eos_bias=seed % 4 - 2.0)
        limits, lengths = [6, 9, 0, 12, 1, 20], [1, 3, 2, 4, 2, 1]
        options = {"limits": limits, "lengths": lengths, "with_weights": seed % 2 == 0}
        options |= {"length_penalty": seed % 3 / 2, "normalization": ["gnmt", "average"][seed % 2]}
        if seed % 5 == 0:
            options["rules"] = [Forbidden([1]), MinimumLength(3, eos_id=0)]
        if seed % 5 == 1:
            options["rules"] = [NoRepeatNgram(2)]
        greedy = tables.search(greedy_search, model, range(6), **options)
        steps = len(model.shapes)
        beam = tables.search(beam_search, model, range(6), beam_size=1, **options)
        assert greedy == beam  # to the last bit
        assert model.shapes[:steps] == model.shapes[steps:]
        assert model.reorders == []
        for [one], [other] in zip(greedy, beam, strict=True):
            assert (one.weights is None) == (other.weights is None) == (seed % 2 == 1)
            assert one.weights is None or np.array_equal(one.weights, other.weights)


def test_log_prob_is_the_rescoring(tables, kind):
    for seed in range(20):
        model = tables.random_model(seed, kind=kind, vocabulary=9, eos_bias=-1)
        for start, [one] in enumerate(tables.search(greedy_search, model, range(6), limits=15)):
            assert one.log_prob == pytest.approx(model.rescore(start, one.tokens, one.finished), abs=1e-5)


def test_a_batch_gives_what_its_sentences_give_alone(tables, kind):
    for seed in range(20):
        model = tables.random_model(seed, kind=kind)
        starts, limits, lengths = [5, 3, 8, 1, 9], [4, 1, 9, 6, 0], [2, 4, 1, 3, 2]
        together = tables.search(greedy_search, model, starts, limits=limits, lengths=lengths)
        for start, limit, length, found in zip(starts, limits, lengths, together, strict=True):
            assert tables.search(greedy_search, model, [start], limits=[limit], lengths=[length]) == [found]


def test_finished_sentences_leave(tables, kind):
    logits = np.full((6, 2), -20.0)
    logits[:, 1] = 0.0
    logits[0] = [0.0, -20.0]
    following = np.maximum(np.arange(6) - 1, 0)[:, None].repeat(2, 1)
    model = tables.TableModel(logits, following, kind)  # sentence n counts down and ends after n tokens
    found = tables.search(greedy_search, model, [2, 5, 0, 3, 3], limits=[9, 9, 9, 2, 9])
    assert [(len(one.tokens), one.finished) for [one] in found] == [
        (2, True),
        (5, True),
        (0, True),
        (2, False),
        (3, True),
    ]
    assert model.shapes == [(5, 1), (4, 1), (3, 1), (2, 1), (1, 1), (1, 1)]


def test_of_many_they_leave_together(tables, kind):
    """What sentences read on while they wait to leave is nobody's: beam search lets each leave at once."""
    delayed = False
    for seed in range(40):
        model = tables.random_model(seed, kind=kind, vocabulary=3 + seed % 9, eos_bias=seed % 4 - 2.0)
        starts, limits, lengths = range(32), [7 * n % 23 for n in range(32)], [n % 4 + 1 for n in range(32)]
        options = {"limits": limits, "lengths": lengths, "with_weights": seed % 2 == 0}
        if seed % 5 == 0:
            options["rules"] = [Forbidden([1]), MinimumLength(3, eos_id=0)]
        if seed % 5 == 1:
            options["rules"] = [NoRepeatNgram(2)]
        greedy = tables.search(greedy_search, model, starts, **options)
        sizes = [size for size, _ in model.shapes]
        beam = tables.search(beam_search, model, starts, beam_size=1, **options)
        at_once = [size for size, _ in model.shapes[len(sizes) :]]
        assert greedy == beam
        for [one], [other] in zip(greedy, beam, strict=True):
            assert one.weights is None or np.array_equal(one.weights, other.weights)
        assert len(sizes) == len(at_once)
        for waiting, there in zip(sizes, at_once, strict=True):
            assert there <= waiting
            assert (waiting - there) * 6 < waiting
        delayed |= sizes != at_once
    assert delayed


def test_equals_go_to_the_lowest_id(tables, kind):
    model = tables.tree_model({(): [0.1, 0.3, 0.3, 0.3]}, kind=kind, vocabulary=4)
    # A is the first of three equals, then EOS the first of four
    assert [one.tokens for [one] in tables.search(greedy_search, model, [0], limits=9)] == [[1]]


def test_empty_batches(tables, kind):
    model = tables.random_model(0, kind=kind)
    assert tables.search(greedy_search, model, [], limits=3) == []
    [[one]] = tables.search(greedy_search, model, [3], limits=0)
    assert (one.tokens, one.log_prob, one.score, one.finished) == ([], 0.0, 0.0, False)
    assert model.shapes == []


def test_bad_input_is_an_error(tables, kind):
    model = tables.random_model(0, kind=kind)
    with pytest.raises(ConfigError, match="unknown length normalization 'x'; choose one of: gnmt, average"):
        tables.search(greedy_search, model, [1], limits=3, normalization="x")
    model.logits[:] = math.nan
    with pytest.raises(RunError, match="the model's scores at target position 1 are not numbers"):
        tables.search(greedy_search, model, [1], limits=3)
