"""Alignment: the table of a small text by plain loops, and that of a made-up language."""

import math
import random
from collections import defaultdict

import numpy as np
import pytest

from nmt.errors import CorpusError
from nmt.text import alignment
from nmt.text.alignment import cross_fit, learn_table


def plain_counts(sources, targets, probabilities):
    """Expected counts of Dyer et al. (2013), equations 1 and 2, with loops over everything."""
    counts = defaultdict(float)
    for source, target in zip(sources, targets, strict=True):
        m, n = len(source), len(target)
        for j, t in enumerate(target, 1):
            near = [math.exp(-4.0 * abs(i / m - j / n)) for i in range(1, m + 1)]
            weights = [0.08 * probabilities[None, t]]
            weights += [0.92 * h / sum(near) * probabilities[s, t] for h, s in zip(near, source, strict=True)]
            for s, weight in zip([None, *source], weights, strict=True):
                counts[s, t] += weight / sum(weights)
    return counts


def normalized(counts):
    totals = defaultdict(float)
    for (s, _), count in counts.items():
        totals[s] += count
    return {pair: count / totals[pair[0]] for pair, count in counts.items()}


def plain_table(sources, targets):
    probabilities = defaultdict(lambda: 1.0)
    for _ in range(5):
        probabilities = normalized(plain_counts(sources, targets, probabilities))
    return {pair: p for pair, p in probabilities.items() if pair[0] is not None}


def as_dict(table):
    return dict(
        zip(
            zip(table.sources.tolist(), table.targets.tolist(), strict=True),
            table.probabilities.tolist(),
            strict=True,
        )
    )


@pytest.mark.parametrize("chunk_cells", [1, 50, 10**6])
def test_the_table_is_that_of_plain_loops(monkeypatch, chunk_cells):
    monkeypatch.setattr(alignment, "_CHUNK_CELLS", chunk_cells)
    draw = random.Random(1)
    sources = [[draw.randrange(8) for _ in range(draw.randint(1, 6))] for _ in range(25)]
    targets = [[draw.randrange(9) for _ in range(draw.randint(1, 6))] for _ in range(25)]
    expected = plain_table(sources, targets)
    # rows without tokens have nothing to align
    found = as_dict(learn_table([*sources, [], [3]], [*targets, [1], []], target_vocabulary=9))
    assert found.keys() == expected.keys()
    assert all(math.isclose(found[pair], expected[pair], rel_tol=1e-5) for pair in found)


@pytest.mark.parametrize("alternatives", [1, 2])
@pytest.mark.parametrize("chunk_cells", [50, 10**6])
def test_a_fold_has_what_the_last_counts_of_the_others_say(monkeypatch, chunk_cells, alternatives):
    monkeypatch.setattr(alignment, "_CHUNK_CELLS", chunk_cells)
    draw = random.Random(4)
    sources = [[draw.randrange(8) for _ in range(draw.randint(1, 6))] for _ in range(26)]
    targets = [[draw.randrange(9) for _ in range(draw.randint(1, 6))] for _ in range(26)]
    sources[7] = [9, 9]  # a word of one fold alone
    options = {"target_vocabulary": 9}
    fold_of = np.array([draw.randrange(3) for _ in range(26)])
    folds = {"fold_of": fold_of, "folds": 4, "least_count": 0.0, "alternatives": alternatives}
    whole, others, pairs = cross_fit(sources, targets, **folds, **options)
    assert pairs == len(sources) // alternatives
    assert as_dict(whole) == pytest.approx(as_dict(learn_table(sources, targets, **options)), rel=1e-12)
    probabilities = defaultdict(lambda: 1.0)
    for _ in range(4):
        probabilities = normalized(plain_counts(sources, targets, probabilities))
    assert len(others) == 4  # nothing is of the last: there is nothing to leave out
    for fold, table in enumerate(others):
        kept = [i for i in range(26) if fold_of[i // alternatives] != fold]
        counts = plain_counts([sources[i] for i in kept], [targets[i] for i in kept], probabilities)
        expected = {pair: p for pair, p in normalized(counts).items() if pair[0] is not None}
        found = {pair: p for pair, p in as_dict(table).items() if p > 1e-9}
        assert found.keys() == {pair for pair, p in expected.items() if p > 1e-9}
        assert all(math.isclose(found[pair], expected[pair], rel_tol=1e-4) for pair in found)
        of_pair = dict(zip(zip(table.sources, table.targets, strict=True), table.counts, strict=True))
        assert all(of_pair[pair] == pytest.approx(counts[pair], rel=1e-4) for pair in found)
        assert any(pair[0] == 9 for pair in found) == (fold != fold_of[7 // alternatives])


def test_folds_leave_out_what_is_hardly_aligned():
    draw = random.Random(5)
    rows = [[[draw.randrange(8) for _ in range(4)] for _ in range(30)] for _ in range(2)]
    options = {"target_vocabulary": 8, "fold_of": np.arange(30) % 2, "folds": 2}
    whole, (every, _), _ = cross_fit(*rows, least_count=0.0, **options)
    _, (some, _), _ = cross_fit(*rows, least_count=3.0, **options)
    assert 0 < len(some.counts) < len(every.counts)
    assert len(some.counts) == (whole.counts >= 3.0).sum()
    everything = as_dict(every)
    assert all(everything[pair] == p for pair, p in as_dict(some).items())


def test_translations_are_found_in_any_order_of_words():
    draw = random.Random(2)
    sources = [[draw.randrange(40) for _ in range(draw.randint(3, 10))] for _ in range(600)]
    targets = [draw.sample([100 + s for s in source], len(source)) for source in sources]
    table = learn_table(sources, [np.array(row) for row in targets], target_vocabulary=140)
    for s in range(40):
        own = table.sources == s
        assert table.targets[own][table.probabilities[own].argmax()] == 100 + s
        assert table.probabilities[own].sum() == pytest.approx(1)


def test_counts_are_what_the_probabilities_come_from():
    table = learn_table([[1, 2], [2]], [[5, 6], [6]], target_vocabulary=7)
    totals = np.bincount(table.sources, table.counts)[table.sources]
    np.testing.assert_allclose(table.counts / totals, table.probabilities)
    assert 2.5 < table.counts.sum() < 3  # three target tokens, some of them aligned with nothing


def test_a_large_corpus_is_sampled_and_the_sample_is_the_same_every_time():
    sources, targets = [[i % 50, 1] for i in range(5000)], [[i % 50] for i in range(5000)]
    one, other, whole = (
        learn_table(sources, targets, target_vocabulary=50, max_cells=cells) for cells in (90, 90, 10**9)
    )
    assert all(np.array_equal(*columns) for columns in zip(one, other, strict=True))
    assert 0 < len(set(one.sources.tolist())) <= 31 < len(set(whole.sources.tolist()))


def test_a_sample_has_all_ways_of_a_pair_or_none():
    sources, targets = [[i, 200] for i in range(200)], [[i // 2 % 50] for i in range(200)]
    options = {"target_vocabulary": 50, "fold_of": np.zeros(100, int), "folds": 2, "least_count": 0.0, "max_cells": 93}
    whole, _, pairs = cross_fit(sources, targets, alternatives=2, **options)
    assert pairs == 15
    seen = set(whole.sources.tolist()) - {200}
    assert len(seen) == 30
    assert {source ^ 1 for source in seen} == seen


def test_nothing_to_align_is_an_error():
    with pytest.raises(CorpusError, match="no pair of sentences has tokens on both sides: there is nothing to align"):
        learn_table([[], [1]], [[2], []], target_vocabulary=3)
