"""Permutations: each number once, another order for every key, no order preferred, and parts equal the whole."""

from collections import Counter
from itertools import permutations

import numpy as np
import pytest

from nmt.corpus.permutation import Permutation


def whole(size, *entropy):
    return Permutation(size, entropy)(np.arange(size)).tolist()


def chi_square(counts, expected):
    return sum((count - expected) ** 2 / expected for count in counts)


SIZES = [*range(1, 70), 97, 127, 128, 129, 1023, 1024, 1025, 7919, 65_535, 65_536, 65_537]


@pytest.mark.parametrize("size", SIZES)
def test_every_number_is_there_once(size):
    for entropy in ((1, 2), (3, 0, 5)):
        assert sorted(whole(size, *entropy)) == list(range(size))


def test_it_is_a_function_of_its_key():
    assert whole(1000, 1, 0, 7) == whole(1000, 1, 0, 7)
    orders = {tuple(whole(1000, seed, epoch, 7)) for seed in (0, 1, 2**40) for epoch in range(5)}
    assert len(orders) == 15


def test_parts_equal_the_whole():
    order, expected = Permutation(10_007, (4, 2)), np.array(whole(10_007, 4, 2))
    parts = [order(positions) for positions in np.array_split(np.arange(10_007), 13)]
    np.testing.assert_array_equal(np.concatenate(parts), expected)
    mixed = np.random.default_rng(1).permutation(10_007)
    np.testing.assert_array_equal(order(mixed), expected[mixed])
    assert order(np.arange(0)).tolist() == []


@pytest.mark.parametrize("size", [2, 3, 4, 5])
def test_every_order_of_a_few_is_equally_likely(size):
    orders = list(permutations(range(size)))
    counts = Counter(tuple(whole(size, seed, 1)) for seed in range(20 * len(orders)))
    # a chi-square of n - 1 degrees of freedom is below n + 4·√(2n) but for about one in ten thousand
    assert chi_square((counts[order] for order in orders), 20) < len(orders) + 4 * (2 * len(orders)) ** 0.5


def test_a_number_is_as_likely_in_any_place_as_in_any_other():
    size, keys, cells = 1000, 300, 10
    table = np.zeros((cells, cells))
    for key in range(keys):
        np.add.at(table, (np.arange(size) * cells // size, np.array(whole(size, key, 1)) * cells // size), 1)
    assert chi_square(table.ravel(), size * keys / cells**2) < 100 + 4 * 200**0.5


def test_neighbours_part():
    """What stands together in the text stands anywhere afterwards: steps between neighbours are those of chance."""
    for size in (1 << 16, 100_003):
        steps = np.abs(np.diff(whole(size, 5, 3)))
        assert abs(steps.mean() / (size / 3) - 1) < 0.02
        assert np.corrcoef(np.arange(size), whole(size, 5, 3))[0, 1] ** 2 < 1e-3


def test_keys_that_differ_little_have_nothing_in_common():
    orders = [np.array(whole(5000, *entropy)) for entropy in ((1, 1), (1, 2), (2, 1), (1, 1, 1))]
    for i, one in enumerate(orders):
        for other in orders[:i]:
            assert (one == other).sum() < 10  # about one place in 5,000 agrees by chance
