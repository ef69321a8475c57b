"""Length normalisation by hand, and its bound by exhaustion."""

from __future__ import annotations

import numpy as np
import pytest

from nmt.search.scores import LengthNormalizer


@pytest.mark.parametrize(
    ("normalization", "penalty", "length", "score"),
    [
        ("gnmt", 0.0, 9, -6.0),
        ("gnmt", 1.0, 1, -6.0),
        ("gnmt", 1.0, 7, -3.0),
        ("gnmt", 2.0, 7, -1.5),
        ("gnmt", -1.0, 7, -12.0),
        ("average", 0.0, 9, -6.0),
        ("average", 1.0, 1, -6.0),
        ("average", 1.0, 4, -1.5),
        ("average", 0.5, 4, -3.0),
    ],
)
def test_score(normalization, penalty, length, score):
    assert LengthNormalizer(penalty, normalization).score(-6.0, length) == pytest.approx(score)


def test_an_empty_hypothesis_scores_zero():
    for normalization in ("gnmt", "average"):
        assert LengthNormalizer(1.0, normalization).score(0.0, 0) == 0.0


@pytest.mark.parametrize("normalization", ["gnmt", "average"])
@pytest.mark.parametrize("penalty", [-1.0, 0.0, 0.6, 1.0, 2.5])
def test_bound_is_reached_and_never_passed(normalization, penalty):
    normalizer = LengthNormalizer(penalty, normalization)
    for log_prob in (-7.3, -0.2, 0.0):
        reachable = normalizer.score(log_prob, np.arange(4, 31))
        assert normalizer.bound(log_prob, 4, 30) == reachable.max()
        assert normalizer.bound(np.array([-np.inf]), 4, 30) == [-np.inf]
