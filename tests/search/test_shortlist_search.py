"""Search over a model that scores a shortlist of each sentence: columns are not ids."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest

from nmt.search.beam import beam_search
from nmt.search.greedy import greedy_search
from nmt.search.interface import Step
from nmt.search.rules import Forbidden, MinimumLength, NoRepeatNgram


@dataclass(frozen=True)
class ShortState:
    inner: Any
    shortlist: Any  # (B, N), -1 beyond a sentence's own

    def reorder(self, parents):
        return replace(self, inner=self.inner.reorder(parents))

    def keep(self, sentences):
        return ShortState(self.inner.keep(sentences), self.shortlist[sentences])


@dataclass
class ShortModel:
    """A table model that gives the logits of some ids only, in the order of these lists (one a sentence)."""

    model: Any
    lists: list
    multi_step = None

    @property
    def device(self):
        return self.model.device

    @property
    def bos(self):
        return self.model.bos

    def batch(self, *arguments):
        return self.model.batch(*arguments)

    def start(self, source, lengths, constraints=None):
        width = max(map(len, self.lists))
        padded = [[*own, *[-1] * (width - len(own))] for own in self.lists]
        return ShortState(self.model.start(source, lengths), self.model.to_kind(np.array(padded)))

    def step(self, previous, state, *, with_weights=False):
        step = self.model.step(previous, state.inner, with_weights=with_weights)
        logits, vocabulary = np.asarray(step.logits), np.asarray(state.shortlist)
        short = np.take_along_axis(logits, np.maximum(vocabulary, 0)[:, None, :], axis=2)
        short[np.broadcast_to(vocabulary[:, None] < 0, short.shape)] = -np.inf
        return Step(self.model.to_kind(short), step.weights, replace(state, inner=step.state), state.shortlist)


def decode(tables, model, starts, beam_size, **options):
    if not beam_size:
        return tables.search(greedy_search, model, starts, **options)
    return tables.search(beam_search, model, starts, beam_size=beam_size, n_best=beam_size, **options)


@pytest.mark.parametrize("beam_size", [0, 1, 4])
@pytest.mark.parametrize("ruled", [False, True])
def test_all_ids_in_any_order_find_what_no_shortlist_finds(tables, kind, beam_size, ruled):
    draw = np.random.default_rng(1)
    rules = [Forbidden([2, 6]), MinimumLength(3, eos_id=0), NoRepeatNgram(2)] if ruled else []
    for seed in range(15):
        # So many nodes that no two hypotheses take the same steps in another order, which would make them equal.
        model = tables.random_model(seed, kind=kind, vocabulary=9, nodes=4000, eos_bias=seed % 3 - 1.0)
        starts, options = range(6), {"limits": [9, 4, 12, 0, 7, 2], "lengths": [1, 3, 2, 1, 2, 4], "rules": rules}
        short = ShortModel(model, [draw.permutation(9).tolist() for _ in starts])
        expected = decode(tables, model, starts, beam_size, with_weights=True, **options)
        found = decode(tables, short, starts, beam_size, with_weights=True, **options)
        for one, other in zip(found, expected, strict=True):
            tables.assert_same(tables.plain(one), tables.plain(other), tolerance=2e-6)
            for hypothesis, twin in zip(one, other, strict=True):
                assert np.allclose(hypothesis.weights, twin.weights, atol=1e-6)


@pytest.mark.parametrize("beam_size", [0, 1, 4])
def test_a_sentence_takes_from_its_own_list_only(tables, kind, beam_size):
    lists = [[7, 0, 3], [0, 4], [5, 1, 8, 0, 2]]
    for seed in range(15):
        model = tables.random_model(seed, kind=kind, vocabulary=9, eos_bias=-1.0)
        short = ShortModel(model, lists)
        for start, (own, found) in enumerate(
            zip(lists, decode(tables, short, range(3), beam_size, limits=8), strict=True)
        ):
            only = np.full_like(model.logits, -np.inf)
            only[:, own] = model.logits[:, own]
            alone = tables.TableModel(only, model.following, kind)
            [expected] = decode(tables, alone, [start], beam_size, limits=8)
            assert all(set(one.tokens) <= set(own) - {0} for one in found)
            tables.assert_same(tables.plain(found), tables.plain(expected), tolerance=1e-6)


def test_ascending_ids_keep_the_order_of_equals(tables, kind):
    tree = {(): [0.1, 0.225, 0.225, 0.225, 0.225], (1,): [0.2] * 5, (2,): [0.2] * 5}
    model = tables.tree_model(tree, kind=kind, vocabulary=5)
    expected = tables.search(beam_search, model, [0], limits=2, beam_size=2, n_best=2)
    assert tables.search(beam_search, ShortModel(model, [range(5)]), [0], limits=2, beam_size=2, n_best=2) == expected
