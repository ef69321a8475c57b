"""Word alignment from attention, computed with a pencil."""

import numpy as np

from nmt.translation.alignment import align_words
from nmt.translation.formats import pharaoh


def test_subwords_of_a_word_vote_together():
    # Source: a tag, word 0 of two subwords, word 1, the end. Target: word 0, word 1 of two subwords.
    source, target = [-1, 0, 0, 1, -1], [0, 1, 1]
    weights = np.array(
        [
            [0.9, 0.04, 0.01, 0.03, 0.02],  # 0.05 against 0.03: word 0, whatever the tag has
            [0.0, 0.3, 0.3, 0.4, 0.0],  # alone 0.6 against 0.4
            [0.0, 0.0, 0.1, 0.7, 0.2],  # together 0.7 against 1.1: word 1
        ]
    )
    assert align_words(weights, source, target) == [(0, 0), (1, 1)]
    assert pharaoh([(0, 0), (1, 1)]) == "0-0 1-1"


def test_where_a_side_has_no_word_there_is_no_link():
    assert align_words(np.zeros((0, 3)), [0, 1, -1], []) == []
    assert align_words(np.ones((2, 1)), [-1], [0, 1]) == []
    assert pharaoh([]) == ""
