"""What a model takes ahead, many positions at once, is what search takes step by step: to the last bit."""

from __future__ import annotations

import math

import numpy as np
import pytest

from nmt.errors import RunError
from nmt.search.beam import beam_search
from nmt.search.greedy import greedy_search
from nmt.search.rules import Forbidden, MinimumLength, NoRepeatNgram

RULES = [[], [Forbidden([1]), MinimumLength(3, eos_id=0)], [NoRepeatNgram(2)], [], []]


@pytest.mark.parametrize(
    ("search", "places"), [(greedy_search, {}), *((beam_search, {"beam_size": n, "n_best": n}) for n in (1, 2, 5))]
)
def test_search_finds_what_it_finds_by_steps(tables, kind, search, places):
    looked = stepped = 0
    for seed in range(60):
        model = tables.random_model(
            seed, kind=kind, vocabulary=3 + seed % 9, eos_bias=seed % 4 - 3.0, make=tables.MultiStepModel
        )
        count = [1, 14][seed // 4 % 2]
        model.sight, model.few = [1000, 1, 4][seed % 3], [1000, 5][seed % 2]
        starts, limits = [(seed + n) % 40 for n in range(count)], [7 * (n + seed) % 23 for n in range(count)]
        options = {"limits": limits, "rules": RULES[seed % 5], "normalization": ["gnmt", "average"][seed % 2], **places}
        expected = tables.search(search, tables.Stepping(model), starts, **options)
        model.shapes.clear()
        assert tables.search(search, model, starts, **options) == expected
        looked, stepped = looked + sum(model.looks), stepped + len(model.shapes)
        if search is greedy_search and not options["rules"] and model.few > count:
            assert model.shapes == []
    assert looked > 75
    assert stepped > 50


def test_attention_is_had_by_steps(tables, kind):
    model = tables.random_model(1, kind=kind, make=tables.MultiStepModel)
    for search in (greedy_search, beam_search):
        expected = tables.search(search, tables.Stepping(model), [3, 4], limits=9, with_weights=True)
        found = tables.search(search, model, [3, 4], limits=9, with_weights=True)
        assert found == expected
        assert model.looks == []


TREE = {(): [0.1, 0.2, 0.7], (2,): [0.1, 0.6, 0.3], (2, 2): [0.9, 0.1, 0.0], (1,): [0.8, 0.1, 0.1]}


def looking(tables, tree, kind):
    model = tables.tree_model(tree, kind=kind, vocabulary=len(tree[()]))
    return tables.MultiStepModel(model.logits, model.following, kind)


def test_once_a_rule_has_forbidden_what_was_taken_ahead_greedy_search_takes_steps(tables, kind):
    model = looking(tables, TREE, kind)
    [[one]] = tables.search(greedy_search, model, [0], limits=9, rules=[Forbidden([1])])
    assert (one.tokens, one.finished) == ([2, 2], True)  # B A is forbidden
    assert math.exp(one.log_prob) == pytest.approx(0.7 * 0.3 * 0.9)
    assert len(model.looks) == 1
    assert model.shapes == [(1, 1)] * 3


def test_once_a_rule_has_forbidden_what_was_taken_ahead_beam_search_takes_steps(tables, kind):
    model = looking(tables, TREE, kind)
    [[one]] = tables.search(beam_search, model, [0], limits=9, beam_size=2, rules=[Forbidden([1])], length_penalty=0)
    assert (one.tokens, one.finished) == ([2, 2], True)
    assert len(model.looks) == 1
    assert len(model.shapes) == 3


def test_beam_search_looks_no_further_than_where_something_ends(tables, kind):
    # A 0.6, B 0.3; then A A 0.36, B A 0.24; then B A EOS 0.24, A A A 0.18
    tree = {
        (): [0.1, 0.6, 0.3],
        (1,): [0.1, 0.6, 0.3],
        (2,): [0.1, 0.8, 0.1],
        (2, 1): [1, 0, 0],
        (1, 1): [0.2, 0.5, 0.3],
    }
    model = looking(tables, tree, kind)
    [found] = tables.search(beam_search, model, [0], limits=9, beam_size=2, n_best=2, length_penalty=0)
    assert (found[0].tokens, pytest.approx(found[0].log_prob)) == ([2, 1], math.log(0.24))
    assert model.looks == [3]
    assert model.shapes == [(1, 2)]  # A A A ends too, one of three equals


def test_a_model_that_declines_is_not_asked_at_every_step_of_a_beam(tables, kind):
    model = looking(tables, TREE, kind)
    model.few = 0
    tables.search(beam_search, model, [0], limits=9, beam_size=2)
    assert model.asked == 1
    assert len(model.shapes) > 1


@pytest.mark.parametrize("search", [greedy_search, beam_search])
def test_scores_that_are_no_numbers_are_told_with_their_position(tables, kind, search):
    model = looking(tables, {(): [0.0, 1.0], (1,): [0.0, 1.0], (1, 1): [0.5, 0.5]}, kind)
    model.logits[2] = math.nan
    with pytest.raises(RunError, match="the model's scores at target position 3 are not numbers"):
        tables.search(search, model, [0], limits=9)


def test_a_vocabulary_smaller_than_the_beam(tables, kind):
    model = looking(tables, {(): [0.2, 0.8], (1,): [0.5, 0.5]}, kind)
    options = {"limits": 4, "beam_size": 5, "n_best": 5}
    assert tables.search(beam_search, model, [0], **options) == tables.search(
        beam_search, tables.Stepping(model), [0], **options
    )
    assert np.isfinite([one.log_prob for one in tables.search(beam_search, model, [0], **options)[0]]).all()
