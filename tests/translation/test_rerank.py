"""Of the hypotheses that of the highest expected similarity comes first, as computed by hand."""

import math
import random

import numpy as np
import pytest

from nmt.evaluation.metrics import chrf, sentence_chrf
from nmt.translation import similarity as similarity_module
from nmt.translation.request import TextHypothesis
from nmt.translation.rerank import MinimumBayesRisk
from nmt.translation.similarity import chrf_matrix


def hypotheses(*rows):
    return [TextHypothesis(text, log_prob, log_prob, finished, []) for text, log_prob, finished in rows]


def ranked(found, similarity, sharpness):
    def of_all(texts):
        return np.array([[similarity(one, other) for other in texts] for one in texts])

    return [each.text for each in MinimumBayesRisk(of_all, sharpness)(found)]


def similarity(one, other):
    """1 for the same, 0.5 for b against c, 0.7 for c against b; nothing is like a."""
    return 1.0 if one == other else {"bc": 0.5, "cb": 0.7}.get(one + other, 0.0)


def same(one, other):
    return float(one == other)


@pytest.mark.parametrize(
    ("sharpness", "expected"),
    [
        (0, "cba"),  # 1, 1.5 and 1.7
        (1, "cba"),  # 0.4, 0.35 + 0.5 · 0.25 = 0.475 and 0.25 + 0.7 · 0.35 = 0.495
        (3, "abc"),  # 0.064, 0.0429 + 0.5 · 0.0156 = 0.0507 and 0.0156 + 0.7 · 0.0429 = 0.0456
        (2, "abc"),  # 0.16, 0.1225 + 0.5 · 0.0625 = 0.1538 and 0.0625 + 0.7 · 0.1225 = 0.1483
    ],
)
def test_the_highest_expected_similarity_comes_first(sharpness, expected):
    found = hypotheses(("a", math.log(0.4), True), ("b", math.log(0.35), True), ("c", math.log(0.25), True))
    assert "".join(ranked(found, similarity, sharpness)) == expected


def test_hypotheses_that_read_alike_count_as_one():
    twice = hypotheses(("a", math.log(0.3), True), ("b", math.log(0.2), True), ("b", math.log(0.2), True))
    assert ranked(twice[:2], same, 1) == ["a", "b"]
    assert ranked(twice, same, 1) == ["b", "a"]


def test_improbable_hypotheses_do_not_underflow():
    assert ranked(hypotheses(("x", -2000.0, True), ("y", -1999.0, True)), same, 1) == ["y", "x"]


def test_what_was_cut_counts_only_where_all_was():
    assert ranked(hypotheses(("cut", -0.1, False), ("whole", -9.0, True)), same, 1) == ["whole"]
    assert ranked(hypotheses(("cut", -0.1, False)), same, 1) == ["cut"]


def test_sentence_chrf_is_chrf_of_one_sentence():
    assert sentence_chrf("a cat sleeps", "the cat sleeps") == chrf(["a cat sleeps"], ["the cat sleeps"]).value


def test_the_matrix_is_chrf_of_each_pair():
    draw = random.Random(1)
    alphabet = "aab c  漢\u2028🙂\ud800"
    lists = [["".join(draw.choices(alphabet, k=draw.randint(0, 30))) for _ in range(n)] for n in (1, 2, 5, 9)]
    lists += [["", ""], ["a" * 300, "ab" * 200, "aa"], ["A dog runs.", "A dog ran.", "Dogs run", "A dog runs."]]
    for texts in lists:
        expected = [[sentence_chrf(one, other) / 100 for other in texts] for one in texts]
        np.testing.assert_allclose(chrf_matrix(texts), expected, atol=1e-12)
    assert chrf_matrix([]).shape == (0, 0)


def test_many_n_grams_are_counted_in_parts(monkeypatch):
    texts = ["a small red house", "the small red mouse", "red red red"]
    expected = chrf_matrix(texts)
    monkeypatch.setattr(similarity_module, "_MOST", 10)
    np.testing.assert_allclose(chrf_matrix(texts), expected, atol=1e-12)


def test_samples_that_were_drawn_twice_count_twice():
    found = hypotheses(("a", -9.0, True), ("b", -0.1, True), ("a", -9.0, True), ("b", -0.1, False))
    assert ranked(found, same, 0) == ["a", "b"]
