"""Behind a prefix that ends with a space only a new word stands, as all endings of a model show."""

import numpy as np
import pytest

from nmt.search.beam import beam_search
from nmt.search.interface import Constraints
from nmt.search.processors import ForcedPrefix
from nmt.search.word_start import WordStart

BEGINS = np.array([True, False, True, False, True])  # EOS is 0


@pytest.mark.parametrize("seed", range(10))
def test_the_best_of_all_endings_with_the_prefix_and_a_new_word_is_found(tables, kind, seed):
    model = tables.random_model(seed, kind=kind, vocabulary=5)
    for prefix, word_follows in (((3,), True), ((2, 1), True), ((3,), False)):
        [found] = tables.search(
            beam_search,
            model,
            [0],
            limits=4,
            beam_size=400,
            n_best=400,
            processors=[ForcedPrefix(), WordStart(BEGINS)],
            constraints=[Constraints(prefix, word_follows=word_follows)],
        )
        size = len(prefix)
        endings = [
            ending
            for ending in tables.every_ending(model, 0, limit=4)
            if ending[0][:size] == prefix and (not word_follows or BEGINS[[*ending[0], 0][size]])
        ]
        expected = tables.ranked(endings, 1.0, "average")
        assert found[0].score == pytest.approx(expected[0][2], abs=1e-5)
        scores = {tuple(one.tokens): one.log_prob for one in found}
        assert scores == pytest.approx({tokens: log_prob for tokens, log_prob, _, _ in expected}, abs=1e-5)
