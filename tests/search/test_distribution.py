"""What a sampler draws from, by tables that were made with a pencil."""

import numpy as np
import pytest

from nmt.search.distribution import Sampling, draw, forbid, probabilities
from nmt.search.interface import Constraints
from nmt.search.rules import Forbidden, MinimumLength, NoRepeatNgram, OwnMarks, Prefix

TABLE = np.array([0.1, 0.4, 0.05, 0.25, 0.2])


def shares(table=TABLE, **settings):
    with np.errstate(divide="ignore"):
        scores = np.log(np.asarray(table, dtype=np.float64))
    return probabilities(scores[None, None], Sampling(**settings))[0, 0]


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({}, [0.1, 0.4, 0.05, 0.25, 0.2]),
        # The two likeliest: 0.4 and 0.25 of 0.65.
        ({"top_k": 2}, [0, 0.4 / 0.65, 0, 0.25 / 0.65, 0]),
        ({"top_k": 1}, [0, 1, 0, 0, 0]),
        ({"top_k": 9}, [0.1, 0.4, 0.05, 0.25, 0.2]),
        # 0.4 + 0.25 = 0.65 is not 0.7 yet; 0.2 more is 0.85.
        ({"top_p": 0.7}, [0, 0.4 / 0.85, 0, 0.25 / 0.85, 0.2 / 0.85]),
        # Exactly reached by the first two.
        ({"top_p": 0.65}, [0, 0.4 / 0.65, 0, 0.25 / 0.65, 0]),
        ({"top_p": 0.01}, [0, 1, 0, 0, 0]),
        # Of the three likeliest, 0.85 in all, the first two have 0.76, and the first alone 0.47.
        ({"top_k": 3, "top_p": 0.7}, [0, 0.4 / 0.65, 0, 0.25 / 0.65, 0]),
        # Temperature 1/2 squares: 0.01, 0.16, 0.0025, 0.0625, 0.04 of 0.275.
        ({"temperature": 0.5}, [0.01 / 0.275, 0.16 / 0.275, 0.0025 / 0.275, 0.0625 / 0.275, 0.04 / 0.275]),
        # Squared first: 0.16 / 0.275 = 0.58, and with 0.0625 / 0.275 it is 0.81.
        ({"temperature": 0.5, "top_p": 0.6}, [0, 0.16 / 0.2225, 0, 0.0625 / 0.2225, 0]),
    ],
)
def test_tables_by_hand(settings, expected):
    assert shares(**settings) == pytest.approx(expected)


def test_of_equals_the_lower_column_counts_as_larger():
    assert shares([0.25, 0.25, 0.25, 0.25], top_k=2).tolist() == [0.5, 0.5, 0, 0]
    assert shares([0.25, 0.25, 0.25, 0.25], top_p=0.5).tolist() == [0.5, 0.5, 0, 0]


def test_what_is_impossible_has_no_share_and_a_row_without_anything_has_none():
    assert shares([0.5, 0.0, 0.5], top_p=0.9).tolist() == [0.5, 0, 0.5]
    assert shares([0.0, 0.0], top_k=1).tolist() == [0, 0]
    assert shares([1e-300, 1.0], temperature=1e-3).tolist() == [0, 1]


def test_each_place_is_cut_by_itself():
    rng = np.random.default_rng(4)
    scores = rng.normal(size=(3, 2, 7))
    together = probabilities(scores, Sampling(0.8, 4, 0.6))
    for b in range(3):
        for k in range(2):
            alone = probabilities(scores[b : b + 1, k : k + 1], Sampling(0.8, 4, 0.6))
            assert np.array_equal(alone[0, 0], together[b, k])


@pytest.mark.parametrize(("number", "column"), [(0.0, 0), (0.099, 0), (0.101, 1), (0.499, 1), (0.501, 2), (0.9999, 4)])
def test_a_number_draws_the_column_whose_share_it_lies_in(number, column):
    assert draw(TABLE[None, None], np.array([[number]])).tolist() == [[column]]


def test_a_column_without_a_share_is_never_drawn():
    table = np.array([[[0.0, 0.5, 0.0, 0.5, 0.0]]])
    drawn = [int(draw(table, np.array([[number]]))[0, 0]) for number in (0.0, 0.49999, 0.5, 1 - 2**-53)]
    assert drawn == [1, 1, 3, 3]


def test_rules_take_columns_away_by_their_ids():
    scores = np.zeros((2, 1, 4))
    ids = np.array([[5, 6, 7, 8], [8, 7, 6, -1]])
    prefix = Prefix(np.arange(2), 2, lambda: np.array([[[6, 6]], [[8, 8]]]))
    forbid(scores, ids, [Forbidden([7]), NoRepeatNgram(1)], prefix)
    assert (scores == -np.inf).tolist() == [[[False, True, True, False]], [[True, True, False, False]]]
    whole = np.zeros((2, 1, 9))
    whole[0, 0, 3] = -np.inf
    prefix.forced = np.array([False, True])
    forbid(whole, None, [Forbidden([7])], prefix)
    assert np.argwhere(whole == -np.inf).tolist() == [[0, 0, 3], [0, 0, 7]]


class Asked:
    """A rule that is asked about every id."""

    def __init__(self, rule):
        self.allowed = rule.allowed

    def ids_at_risk(self, prefix):
        return None


@pytest.mark.parametrize("with_ids", [False, True])
@pytest.mark.parametrize("length", [0, 1, 3])
def test_a_rule_need_not_be_asked_about_ids_that_it_never_forbids(with_ids, length):
    draws = np.random.default_rng(length)
    scores = draws.normal(size=(3, 2, 12))
    scores[draws.random(scores.shape) < 0.2] = -np.inf
    ids = np.sort(np.array([draws.permutation(20)[:12] for _ in range(3)])) if with_ids else None
    tokens = draws.integers(0, 12, (3, 2, length))
    prefix = Prefix(np.arange(3), length, lambda: tokens, constraints=[Constraints(marks=(5,)), *[Constraints()] * 2])
    prefix.forced = np.array([False, False, True])
    rules = [Forbidden([0, 7]), MinimumLength(2, eos_id=2), OwnMarks(range(4, 7)), NoRepeatNgram(2)]
    for few in (rules[:1], rules[:3], rules, []):
        found, expected = scores.copy(), scores.copy()
        forbid(found, ids, few, prefix)
        forbid(expected, ids, [*map(Asked, few)], prefix)
        assert np.array_equal(found, expected)
        assert (length > 0 or not few) or (found[:2] == -np.inf).sum() > (scores[:2] == -np.inf).sum()
