"""What is new in a text, counted by hand, and what is expected to be, against text that was left out."""

import random

import numpy as np
import pytest

from nmt.corpus.encoding import Side
from nmt.corpus.novelty import measure_novelty


def side(rows):
    ids = np.array([token for row in rows for token in row], np.uint16)
    offsets = np.cumsum([0, *map(len, rows)])
    return Side(ids, offsets, np.zeros(0, np.uint8), np.zeros(len(rows) + 1, np.int64))


def test_neighbours_are_counted_by_hand():
    # A row that stands twice counts once.
    training = [side([[5, 6], [5, 6, 7], [5, 6, 7]]), side([[5], [6]])]
    found = measure_novelty(training, [[5, 6], [8], []])
    # Training has edge-5 three times, 5-6 and 6-edge twice, and 6-7, 7-edge, 5-edge and edge-6 once: eleven in all.
    assert found.expected == pytest.approx(4 / 11)
    # The text: edge-5, 5-6, 6-edge are known; edge-8 and 8-edge are not; an empty row says nothing.
    assert (found.new, found.pairs) == (pytest.approx(2 / 5), 5)


def test_text_without_words_has_nothing_new():
    assert measure_novelty([side([[5]])], [[], []]) == (0.0, 0.0, 0)


def test_what_is_expected_is_what_left_out_text_has():
    generator = random.Random(1)
    words, weights = range(10, 400), [1 / (n + 1) for n in range(390)]
    rows = [generator.choices(words, weights, k=generator.randint(3, 9)) for _ in range(4000)]
    found = measure_novelty([side(rows[:3000])], rows[3000:])
    assert found.new == pytest.approx(found.expected, rel=0.05)
    assert 0.1 < found.new < 0.5
    other = [generator.choices(words, k=6) for _ in range(1000)]
    assert measure_novelty([side(rows[:3000])], other).new > 1.5 * found.expected
