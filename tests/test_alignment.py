"""Alignment: the lexicon of a small text by plain loops, and that of a made-up language."""

import math
import random
from collections import defaultdict

import numpy as np
import pytest

from nmt import alignment
from nmt.alignment import learn_lexicon
from nmt.errors import CorpusError


def plain_lexicon(sources, targets, iterations):
    """Dyer et al. (2013), equations 1 and 2, with loops over everything."""
    probabilities = defaultdict(lambda: 1.0)
    for _ in range(iterations):
        counts, totals = defaultdict(float), defaultdict(float)
        for source, target in zip(sources, targets, strict=True):
            m, n = len(source), len(target)
            for j, t in enumerate(target, 1):
                near = [math.exp(-4.0 * abs(i / m - j / n)) for i in range(1, m + 1)]
                weights = [0.08 * probabilities[None, t]]
                weights += [0.92 * h / sum(near) * probabilities[s, t] for h, s in zip(near, source, strict=True)]
                for s, weight in zip([None, *source], weights, strict=True):
                    counts[s, t] += weight / sum(weights)
                    totals[s] += weight / sum(weights)
        probabilities = {pair: count / totals[pair[0]] for pair, count in counts.items()}
    return {pair: p for pair, p in probabilities.items() if pair[0] is not None}


def as_dict(lexicon):
    return dict(
        zip(
            zip(lexicon.sources.tolist(), lexicon.targets.tolist(), strict=True),
            lexicon.probabilities.tolist(),
            strict=True,
        )
    )


@pytest.mark.parametrize("chunk_cells", [1, 50, 10**6])
def test_the_lexicon_is_that_of_plain_loops(monkeypatch, chunk_cells):
    monkeypatch.setattr(alignment, "_CHUNK_CELLS", chunk_cells)
    draw = random.Random(1)
    sources = [[draw.randrange(8) for _ in range(draw.randint(1, 6))] for _ in range(25)]
    targets = [[draw.randrange(9) for _ in range(draw.randint(1, 6))] for _ in range(25)]
    expected = plain_lexicon(sources, targets, 4)
    # rows without tokens have nothing to align
    found = as_dict(learn_lexicon([*sources, [], [3]], [*targets, [1], []], target_vocabulary=9, iterations=4))
    assert found.keys() == expected.keys()
    assert all(math.isclose(found[pair], expected[pair], rel_tol=1e-5) for pair in found)


def test_translations_are_found_in_any_order_of_words():
    draw = random.Random(2)
    sources = [[draw.randrange(40) for _ in range(draw.randint(3, 10))] for _ in range(600)]
    targets = [draw.sample([100 + s for s in source], len(source)) for source in sources]
    lexicon = learn_lexicon(sources, [np.array(row) for row in targets], target_vocabulary=140)
    for s in range(40):
        own = lexicon.sources == s
        assert lexicon.targets[own][lexicon.probabilities[own].argmax()] == 100 + s
        assert lexicon.probabilities[own].sum() == pytest.approx(1)


def test_counts_are_what_the_probabilities_come_from():
    lexicon = learn_lexicon([[1, 2], [2]], [[5, 6], [6]], target_vocabulary=7)
    totals = np.bincount(lexicon.sources, lexicon.counts)[lexicon.sources]
    np.testing.assert_allclose(lexicon.counts / totals, lexicon.probabilities)
    assert 2.5 < lexicon.counts.sum() < 3  # three target tokens, some of them aligned with nothing


def test_a_large_corpus_is_sampled_and_the_sample_is_the_same_every_time():
    sources, targets = [[i % 50, 1] for i in range(5000)], [[i % 50] for i in range(5000)]
    one, other, whole = (
        learn_lexicon(sources, targets, target_vocabulary=50, max_cells=cells) for cells in (90, 90, 10**9)
    )
    assert all(np.array_equal(*columns) for columns in zip(one, other, strict=True))
    assert 0 < len(set(one.sources.tolist())) <= 31 < len(set(whole.sources.tolist()))


def test_nothing_to_align_is_an_error():
    with pytest.raises(CorpusError, match="no pair of sentences has tokens on both sides: there is nothing to align"):
        learn_lexicon([[], [1]], [[2], []], target_vocabulary=3)
